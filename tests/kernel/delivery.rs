//! What an agent has taken over arrives, however the agent ends: it is killed while leaks happen, and while its
//! collector is away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::child::Signal;
use socktrace_tests::http::{free_port, get};
use socktrace_tests::json::{has, text};
use socktrace_tests::mount::Mount;
use socktrace_tests::spool;
use socktrace_tests::wait::{SOON, now, until};
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::FOUND;
use crate::lines::mentions;
use crate::restarts;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("delivery::outlives_sigkill", outlives_sigkill),
    ("delivery::disk_full", disk_full),
];

/// A collector of syslog over TCP with octet counting.
#[derive(Default)]
struct Collector {
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    /// Listens from now on.
    fn start(&self, port: u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let lines = Arc::clone(&self.lines);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let lines = Arc::clone(&lines);
                thread::spawn(move || receive(stream, &lines));
            }
        });
    }

    fn lines(&self) -> Vec<Value> {
        let lines = self.lines.lock();
        lines.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes messages until the connection ends; one that is not whole was not sent.
fn receive(stream: TcpStream, lines: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = Vec::new();
        let read = reader.read_until(b' ', &mut length).unwrap_or(0);
        let length = str::from_utf8(&length)
            .ok()
            .and_then(|l| l.trim().parse().ok());
        let Some(length) = length.filter(|_| read > 0) else {
            return;
        };
        let mut message = vec![0; length];
        if reader.read_exact(&mut message).is_err() {
            return;
        }
        let line = spool::line(str::from_utf8(&message).expect("UTF-8"));
        lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    }
}

fn id(line: &Value) -> String {
    text(line, "event.id").to_owned()
}

/// The name of the leak that a line is about; empty if it is about none.
fn leak(line: &Value) -> String {
    let name = has(line, "socktrace.leak.id").then(|| text(line, "socktrace.leak.id"));
    name.unwrap_or_default().to_owned()
}

/// Three agents are killed: the first when it has told of all leaks and the collector is away, the second as soon as
/// it tells of a new one, the third at any moment. What was in the spool arrives, what arrives twice is the same,
/// and each leak has one name.
fn outlives_sigkill(stage: &Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spool");
    let port = free_port();
    let collector = Collector::default();
    let output = format!("syslog+tcp://127.0.0.1:{port}?spool={}", path.display());
    let start = || stage.agent("run", &["--output", "-", "--output", &output]);
    let mut owed = BTreeMap::new();
    let spooled = || {
        spool::lines(&path)
            .into_iter()
            .map(|line| (id(&line), line))
    };
    let mut workloads = Vec::new();

    let agent = start();
    workloads.extend(restarts::start());
    let first = restarts::ids(&agent, &workloads);
    // The agent has told of them elsewhere; its spool may be a moment later.
    let all_spooled = until(SOON, || {
        let names: BTreeSet<_> = spooled().map(|(_, line)| leak(&line)).collect();
        first.iter().all(|name| names.contains(name))
    });
    assert!(all_spooled, "{:#?}", spooled().collect::<Vec<_>>());
    agent.kill();
    owed.extend(spooled());
    collector.start(port);

    let agent = start();
    let more = restarts::start();
    agent
        .watch_from_start()
        .expect("a new leak", FOUND, |line| {
            let new = more
                .iter()
                .any(|(new, _)| mentions(line, u64::from(new.pid())));
            new && text(line, "socktrace.leak.phase") == "open"
        });
    agent.kill();
    workloads.extend(more);
    owed.extend(spooled());

    let agent = start();
    workloads.extend(restarts::start());
    thread::park_timeout(Duration::from_micros(now().0 / 1000 % 1_500_000));
    agent.kill();
    owed.extend(spooled());

    let agent = start();
    let all = restarts::ids(&agent, &workloads);
    assert_eq!(all[..first.len()], first, "names of the same leaks");
    agent.stop(Signal::Term);
    owed.extend(spooled());

    let arrived = || collector.lines().iter().map(id).collect::<BTreeSet<_>>();
    let _ = until(SOON, || {
        let arrived = arrived();
        owed.keys().all(|id| arrived.contains(id))
    });
    let there = arrived();
    let lost: Vec<_> = owed.iter().filter(|(id, _)| !there.contains(*id)).collect();
    let received = collector.lines();
    let mut known: BTreeMap<String, &Value> = BTreeMap::new();
    for line in &received {
        // What comes twice is the same line.
        assert_eq!(*known.entry(id(line)).or_insert(line), line);
    }
    println!(
        "syslog+tcp, run killed three times: in the spool {}, received {}, duplicated {}, lost {}",
        owed.len(),
        received.len(),
        received.len() - known.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:#?}");
    for ((workload, kind), leak) in workloads.iter().zip(&all) {
        let of_it = |line: &&Value| {
            has(line, "socktrace.leak.id") && mentions(line, u64::from(workload.pid()))
        };
        let names: BTreeSet<_> = received.iter().filter(of_it).map(self::leak).collect();
        assert_eq!(names, BTreeSet::from([leak.clone()]), "{kind}");
    }
}

/// A file system of a few pages.
struct Tiny(Mount);

impl Tiny {
    fn mount(path: PathBuf) -> Self {
        fs::create_dir(&path).expect("a folder");
        Self(Mount::memory(path, c"size=512k").expect("a mount"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Uses up what is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.path("ballast")).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.path("ballast")).expect("the file");
    }
}

/// A file and a spool have no room any more: each is told once, `/readyz` and the metrics say so, and nothing else is
/// lost. When there is room again all goes on.
fn disk_full(stage: &Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Tiny::mount(folder.path().join("disk"));
    let (file, spool) = (disk.path("events.json"), disk.path("spool"));
    let (port, nobody) = (free_port(), free_port());
    let address = format!("127.0.0.1:{port}");
    let syslog = format!("syslog+tcp://127.0.0.1:{nobody}?spool={}", spool.display());
    let outputs = ["-", file.to_str().expect("a name"), &syslog];
    let mut args = vec!["--metrics-listen", &address];
    args.extend(outputs.iter().flat_map(|output| ["--output", *output]));
    let agent = stage.agent("run", &args);
    let sample = |sample: &str| {
        let page = get(port, "/metrics", "*/*").expect("a page").body;
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.trim().parse().ok());
        value.unwrap_or(0.0)
    };
    // The first line waits in the spool, since nobody is there to take it.
    let is_away = || sample("socktrace_sink_spool_bytes{sink=\"syslog\"}") > 0.0;
    assert!(until(FOUND, || is_away()
        && sample("socktrace_sink_up{sink=\"syslog\"}") < 0.5));
    disk.fill();
    let failed = |sink: &str| {
        sample(&format!(
            "socktrace_sink_events_total{{sink=\"{sink}\",result=\"failed\"}}"
        ))
    };
    let mut workloads: Vec<_> = (0..2)
        .map(|_| Workload::start(Program::C("many_leaks"), &["40"]))
        .collect();
    let both = until(FOUND * 3, || failed("file") > 1.0 && failed("syslog") > 1.0);
    assert!(both, "{} {}", failed("file"), failed("syslog"));
    for sink in ["file", "syslog"] {
        assert!(
            sample(&format!("socktrace_sink_up{{sink=\"{sink}\"}}")) < 0.5,
            "{sink}"
        );
    }
    let answer = get(port, "/readyz", "*/*").expect("an answer");
    let ready = answer.body;
    let state: Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!(
        (answer.status, text(&state, "status")),
        (503, "not_ready"),
        "{ready}"
    );
    for at in [1, 2] {
        let reason = text(&state["sinks"][at], "losing.failed.reason");
        assert!(reason.contains("No space left on device"), "{ready}");
    }
    // Standard error has one line of each trouble. It is written when there is something else to tell.
    workloads.push(Workload::start(Program::C("many_leaks"), &["5"]));
    let told = |what: &str| {
        let stderr = agent.stderr();
        stderr.lines().filter(|line| line.contains(what)).count()
    };
    let of_file = format!(
        "cannot write to {}: No space left on device",
        file.display()
    );
    let of_spool = format!("cannot write to the spool of syslog+tcp://127.0.0.1:{nobody}");
    let troubles = ["trying again", &of_file, &of_spool];
    let once = || troubles.iter().all(|trouble| told(trouble) == 1);
    assert!(until(FOUND * 3, once), "{}", agent.stderr());

    disk.make_room();
    workloads.clear();
    assert!(
        until(FOUND * 3, || told("works again") == 2),
        "{}",
        agent.stderr()
    );
    assert!(until(FOUND, || sample("socktrace_sink_up{sink=\"file\"}") > 0.5));
    agent.kill();
    // A line that had no room to its end spoils none but itself.
    let written = fs::read_to_string(&file).expect("the file");
    let begin = "{\"@timestamp\"";
    for line in written.lines() {
        let is_one = line.matches(begin).count() <= 1;
        assert!(
            is_one && (line.starts_with(begin) || begin.starts_with(line)),
            "{line}"
        );
    }
    let is_whole = |line: &&str| serde_json::from_str::<Value>(line).is_ok();
    assert!(written.lines().filter(is_whole).count() > 1, "{written}");
}
