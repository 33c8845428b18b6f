//! Where a leak is: its network namespace's name, its container.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use socktrace_tests::agent::ATTACH;
use socktrace_tests::child::Outcome;
use socktrace_tests::json::{check, field, number, text};
use socktrace_tests::mount::Mount;
use socktrace_tests::netns::Netns;
use socktrace_tests::program::socktrace;
use socktrace_tests::workload::{Program, Workload};
use tempfile::TempPath;

use crate::Case;
use crate::scan::{FOUND, lines_and_summary, scan};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("whereabouts::a_namespace_with_a_name", named_namespace),
    ("whereabouts::a_container", container),
    ("whereabouts::waiting_for_the_peer_to_close", fin_wait2),
    ("whereabouts::closed_and_held", closed),
];

/// How many connections the other side has closed in [`fin_wait2`].
const MANY: u64 = 7;

/// As `ip netns` names it: a mount of the namespace on an empty file.
fn named_namespace(_: &Stage) {
    let mut workload =
        Workload::of(&mut Netns::New(&[]).command(&Program::C("close_wait").command()));
    let leaked = workload.step("leaked");
    let pid = leaked["pid"].to_string();
    let name = Named::give(&pid, &format!("socktrace-test-{pid}"));
    let (outcome, lines) = scan(&["--netns", &name.name]);
    outcome.check_code(FOUND);
    let [line] = &lines[..] else {
        panic!("one leak, not {lines:?}")
    };
    let own = fs::metadata(format!("/proc/{pid}/ns/net")).expect("a namespace");
    check(
        line,
        &[
            ("process.pid", leaked["pid"].clone()),
            ("socktrace.place.netns_name", json!(name.name)),
            (
                "socktrace.socket.netns",
                json!(std::os::unix::fs::MetadataExt::ino(&own)),
            ),
        ],
    );
    let mut command = socktrace(&["scan", "--netns", &name.name, "--format", "text"]);
    let outcome = Outcome::of(&mut command, ATTACH);
    let shown = format!("netns {}", name.name);
    assert!(outcome.stdout.contains(&shown), "{outcome:#?}");
}

/// A cgroup with the name that Docker gives, with the systemd driver, is taken for its container.
fn container(_: &Stage) {
    let id = format!("{:064x}", std::process::id());
    let cgroup = Cgroup::make(&format!("docker-{id}.scope"));
    let mut workload = Workload::gated(Program::C("close_wait"), &[]);
    cgroup.take_in(workload.pid());
    workload.go();
    let leaked = workload.step("leaked");
    let pid = leaked["pid"].to_string();
    let (outcome, lines) = scan(&["--pid", &pid]);
    outcome.check_code(FOUND);
    let [line] = &lines[..] else {
        panic!("one leak, not {lines:?}")
    };
    check(
        line,
        &[
            ("container.id", json!(id)),
            ("container.runtime", json!("docker")),
            (
                "socktrace.place.systemd_unit",
                json!(format!("docker-{id}.scope")),
            ),
        ],
    );
    let groups = crate::scan::scan_by("container", &["--pid", &pid]);
    assert_eq!(groups, [(format!("docker {}", &id[..12]), 1)]);
    workload.kill();
    workload.wait();
}

/// The kernel itself waits for those who do not close: mini-sockets, by remote address.
fn fin_wait2(_: &Stage) {
    let mut inner = Program::C("many_leaks").command();
    inner.arg(MANY.to_string());
    let mut workload = Workload::of(&mut Netns::New(&[]).command(&inner));
    let leaked = workload.step("leaked");
    let pid = workload.pid();
    let scan = socktrace(&["scan", "--format", "json"]);
    let outcome = Outcome::of(&mut Netns::Of(pid).command(&scan), ATTACH);
    let (_, summary) = lines_and_summary(&outcome);
    let local = text(&leaked, "local").to_owned();
    let ip = local.rsplit_once(':').map_or("", |(ip, _)| ip).to_owned();
    assert_eq!(
        field(&summary, "socktrace.summary.fin_wait2"),
        &json!([{"ip": ip, "count": MANY}]),
        "{summary}"
    );
}

/// The true number of sockets that are closed and held, and the number that `ss -s` prints.
fn closed(_: &Stage) {
    let before = summary();
    let mut workload = Workload::start(Program::C("closed_after_fin"), &[]);
    workload.step("leaked");
    let after = summary();
    let held = |summary| number(summary, "socktrace.summary.closed.held");
    assert!(held(&after) >= 1, "{before} {after}");
    let count = |name| {
        let count = number(&after, &format!("socktrace.summary.closed.{name}"));
        i64::try_from(count).expect("a small number")
    };
    assert_eq!(
        field(&after, "socktrace.summary.closed.printed_by_ss").as_i64(),
        Some(count("allocated") - count("in_use") + count("time_wait")),
        "{after}"
    );
}

fn summary() -> serde_json::Value {
    let outcome = Outcome::of(&mut socktrace(&["scan", "--format", "json"]), ATTACH);
    lines_and_summary(&outcome).1
}

/// A name in /run/netns, for as long as this lives.
struct Named {
    name: String,
    /// Goes before the file that it is on.
    _mount: Mount,
    _file: TempPath,
}

impl Named {
    fn give(pid: &str, name: &str) -> Self {
        let path = Path::new("/run/netns").join(name);
        fs::create_dir_all("/run/netns").expect("a folder of names");
        fs::write(&path, b"").expect("a name");
        let file = TempPath::try_from_path(path.clone()).expect("an absolute path");
        let namespace = format!("/proc/{pid}/ns/net");
        Self {
            name: name.to_owned(),
            _mount: Mount::bind(Path::new(&namespace), path).expect("a mount"),
            _file: file,
        }
    }
}

/// A cgroup, for as long as this lives and somebody is in it.
struct Cgroup(PathBuf);

impl Cgroup {
    fn make(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/mounts").expect("mounts");
        let root = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|words| words.get(2) == Some(&"cgroup2"))
            .map(|words| PathBuf::from(words[1]))
            .expect("a mounted cgroup v2");
        let path = root.join(name);
        fs::create_dir(&path).expect("a cgroup");
        Self(path)
    }

    fn take_in(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).expect("a move to the cgroup");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
