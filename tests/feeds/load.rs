//! A load for sinks: an agent that is given events while it runs, as many as a test wants.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use socktrace::model::{BootTime, Host};
use socktrace::source::recording::{Header, Writer};
use socktrace_common::wire::{self, StateChange, WIRE_VERSION, kind};
use socktrace_tests::child::{Outcome, Running};
use socktrace_tests::mount::c_path;
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::SOON;
use zerocopy::{FromZeros as _, IntoBytes as _};

/// The kernel's numbers of TCP states (include/net/tcp_states.h).
const ESTABLISHED: u32 = 1;
const CLOSE_WAIT: u8 = 8;

/// A recording as `trace` makes it, written while it is played back: one line an event.
pub(crate) struct Load {
    out: Writer<File>,
    /// The same, to see what is printed of it.
    copy: Writer<File>,
    copy_path: PathBuf,
    pipe: PathBuf,
    events: u32,
}

impl Load {
    /// In `folder`. Loads with another `number` have other `event.id`s.
    pub(crate) fn new(folder: &Path, number: u64) -> Self {
        let pipe = folder.join(format!("pipe-{number}"));
        let name = c_path(&pipe);
        // SAFETY: `name` is a valid C string.
        let made = unsafe { libc::mkfifo(name.as_ptr(), 0o600) };
        assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
        // Whoever opens a pipe for reading too waits for nobody.
        let both = OpenOptions::new().read(true).write(true).open(&pipe);
        let copy_path = folder.join(format!("load-{number}.strec"));
        let copy = File::create(&copy_path).expect("a file");
        let header = Header {
            host: Host {
                name: "web-1".to_owned(),
                id: "3f6c0a7be5d14c0f9a7a2d1c5b8e4f60".to_owned(),
                boot_id: "0b7c4a1e-2f5d-4a6b-8c9d-1e2f3a4b5c6d".to_owned(),
                wall_minus_boot_ns: 1_795_360_000_123_456_789,
                agent_started: BootTime(number + 1),
            },
            leak_after: Duration::from_mins(1),
            hz: 250,
        };
        Self {
            out: Writer::new(both.expect("a pipe"), &header).expect("a recording"),
            copy: Writer::new(copy, &header).expect("a recording"),
            copy_path,
            pipe,
            events: 0,
        }
    }

    /// `socktrace replay`, which takes what is fed and sends it to `output`.
    pub(crate) fn play(&self, output: &str) -> Running {
        let mut command = socktrace(&["replay", "--output", output]);
        without_surroundings(&mut command);
        self.play_with(&mut command)
    }

    /// The same with a command that lacks nothing but the recording.
    pub(crate) fn play_with(&self, command: &mut Command) -> Running {
        Running::spawn(command.arg(&self.pipe)).expect("socktrace")
    }

    /// Feeds `count` events.
    pub(crate) fn feed(&mut self, count: u32) {
        for _ in 0..count {
            self.events += 1;
            let record = change(self.events);
            let bytes = record.as_bytes();
            self.out.record(bytes).expect("the pipe");
            self.copy.record(bytes).expect("the copy");
        }
        self.out.flush().expect("the pipe");
        self.copy.flush().expect("the copy");
    }

    /// How many events were fed.
    pub(crate) fn events(&self) -> u32 {
        self.events
    }

    /// There is no more to come; what all of it prints, by `event.id`.
    pub(crate) fn end(self) -> BTreeMap<String, Value> {
        drop(self.out);
        drop(self.copy);
        printed(&self.copy_path)
    }
}

/// What playing a recording back prints, by `event.id`.
pub(crate) fn printed(recording: &Path) -> BTreeMap<String, Value> {
    let mut command = socktrace(&["replay", "--output", "-"]);
    let outcome = Outcome::of(command.arg(recording), SOON * 3);
    outcome.check_code(0);
    let lines = outcome.stdout.lines().map(|line| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let id = value["event"]["id"].as_str().expect("an id").to_owned();
        (id, value)
    });
    lines.collect()
}

/// A command whose surroundings say nothing of proxies and collectors.
pub(crate) fn without_surroundings(command: &mut Command) {
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
        command.env_remove(name.to_ascii_lowercase());
    }
    for (name, _) in std::env::vars_os() {
        if name.as_bytes().starts_with(b"OTEL_") {
            command.env_remove(name);
        }
    }
}

/// The `number`-th event: a socket's peer has closed.
fn change(number: u32) -> StateChange {
    let mut change = StateChange::new_zeroed();
    change.header.version = WIRE_VERSION;
    change.header.kind = kind::STATE_CHANGE;
    change.header.len = u32::try_from(size_of::<StateChange>()).expect("small");
    change.header.boot_ns = 1_000_000_000 + u64::from(number) * 1_000_003;
    change.sock = wire::Sock::new_zeroed();
    change.sock.kaddr = 0xffff_8880_0000_0000 + u64::from(number) * 64;
    change.sock.cookie = u64::from(number);
    change.sock.netns = 4_026_531_840;
    change.sock.inode = number;
    change.sock.family = 2;
    change.sock.lport = 8080;
    change.sock.rport = 52_114;
    change.sock.state = CLOSE_WAIT;
    change.sock.laddr = v4([10, 0, 0, 5]);
    change.sock.raddr = v4([10, 0, 0, 9]);
    change.old_state = ESTABLISHED;
    change
}

fn v4(address: [u8; 4]) -> [u8; 16] {
    std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets()
}

/// What a test has counted, printed for whoever wants to know.
pub(crate) fn count(
    what: &str,
    sent: &BTreeMap<String, Value>,
    received: &[String],
) -> (usize, usize) {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for id in received {
        *times.entry(id).or_default() += 1;
    }
    for id in times.keys() {
        assert!(sent.contains_key(*id), "{id} was never sent");
    }
    let duplicated = received.len() - times.len();
    let lost = sent.len() - times.len();
    let _ = writeln!(
        std::io::stdout(),
        "{what}: sent {}, received {}, duplicated {duplicated}, lost {lost}",
        sent.len(),
        received.len()
    );
    (duplicated, lost)
}
