//! What an agent has taken over arrives, however the agent ends: it is killed while leaks happen, and while its
//! collector is away.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::child::Signal;
use socktrace_tests::http::free_port;
use socktrace_tests::json::{has, text};
use socktrace_tests::spool;
use socktrace_tests::wait::{SOON, now, until};

use crate::Case;
use crate::expect::FOUND;
use crate::lines::mentions;
use crate::restarts;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[("delivery::outlives_sigkill", outlives_sigkill)];

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
