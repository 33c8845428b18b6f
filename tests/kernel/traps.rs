//! What other tools trip over, a case each.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use socktrace_tests::child::Signal;
use socktrace_tests::json::{check, field, number, text};
use socktrace_tests::log::Line;
use socktrace_tests::maps;
use socktrace_tests::rung::Deed;
use socktrace_tests::wait::until;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, Leak};
use crate::lines::{end_in, is_between, mentions};
use crate::scan::scan_of;
use crate::sockets::{DeafPort, DeafQueue, bind, connect, tcp_socket, v4};
use crate::stage::{Stage, lost};

pub(crate) const CASES: &[Case] = &[
    ("traps::twelve_hundred_refused_connects", refused),
    ("traps::syns_that_nobody_answers", unanswered),
    ("traps::a_forked_client_is_killed", killed_client),
    ("traps::v4_mapped_addresses", mapped),
    ("traps::a_descriptor_is_used_again", same_descriptor),
    ("traps::a_sockets_memory_is_used_again", same_memory),
    ("traps::the_local_port_of_a_connect", local_port),
    ("traps::the_server_closes_first", server_closes_first),
    ("traps::the_client_on_loopback_is_no_culprit", loopback),
];

/// More than other tools' tables of connections in the making hold.
const REFUSED: usize = 1200;

/// How many connections are begun in vain.
const UNANSWERED: usize = 1200;

/// How many connections `same_memory` makes, one after the other.
const CHURNED: usize = 300;

/// Every refused connect is told, nothing is lost, a leak is found afterwards, and no entry is left behind.
fn refused(stage: &Stage) {
    let mine = std::process::id().to_string();
    let deaf = DeafPort::new();
    let port = deaf.address().port().to_string();
    let tracing = stage.tracing_with(&["--pid", &mine, "--port", &port]);
    let running = stage.agent("run", &[]);
    let mut watch = tracing.watch();
    let before = maps::sockets(running.pid());
    for _ in 0..REFUSED {
        let error = connect(&tcp_socket(), deaf.address()).expect_err("nobody listens there");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    for n in 0..REFUSED {
        let line = watch.expect("one more connect", FOUND, |line| {
            text(line, "event.action") == "socket.connect"
                && end_in(line, "socktrace.peer") == Some(deaf.address().to_string())
        });
        assert_eq!(
            text(&line.value, "event.outcome"),
            "failure",
            "{n}: {}",
            line.raw
        );
    }
    leaves_nothing(running.pid(), &before, REFUSED);
    let mut sentinel = Workload::start(Program::C("client_leak"), &[]);
    let leaked = sentinel.step("leaked");
    running.watch_from_start().expect("finding", FOUND, |line| {
        is_between(line, text(&leaked, "local"), text(&leaked, "peer"))
    });
    for agent in [tracing, running] {
        let last = agent.stop(Signal::Term).pop().expect("a line");
        assert!(lost(&last.value).is_empty(), "{}", last.raw);
        let tracked = number(&last.value, "socktrace.status.tracked");
        assert!(tracked < REFUSED as u64 / 8, "{}", last.raw);
    }
}

/// The client gives up before anybody has answered: its socket is forgotten at once.
fn unanswered(stage: &Stage) {
    let running = stage.agent("run", &[]);
    let queue = DeafQueue::new();
    let before = maps::sockets(running.pid());
    let held: Vec<OwnedFd> = (0..UNANSWERED / 10).map(|_| queue.knock()).collect();
    let is_known =
        |sockets: usize| maps::sockets(running.pid()).difference(&before).count() >= sockets;
    assert!(
        until(FOUND, || is_known(held.len())),
        "connects are not seen at all"
    );
    drop(held);
    for _ in 0..UNANSWERED {
        drop(queue.knock());
    }
    leaves_nothing(running.pid(), &before, UNANSWERED);
}

/// Other cases run at the same time, so that a few entries come and go; but not as many as were made.
#[track_caller]
fn leaves_nothing(agent: u32, before: &HashSet<u64>, made: usize) {
    let left = || maps::sockets(agent).difference(before).count();
    assert!(
        until(FOUND, || left() < made / 8),
        "{} entries are left of {made}",
        left()
    );
}

/// The child that connected is killed: its end is released by its own exit, and the other end, which the
/// server keeps, is the server's leak.
fn killed_client(stage: &Stage) {
    let mut tracing = stage.tracing().watch();
    let mut leak = stage.leak(Program::C("close_wait"), &["--peer-killed"]);
    let (tid, client) = (leak.tid(), leak.step.value["peer_pid"].clone());
    let (local, peer) = (
        text(&leak.step.value, "local").to_owned(),
        text(&leak.step.value, "peer").to_owned(),
    );
    let release = tracing.expect("release of the client's end", FOUND, |line| {
        text(line, "event.action") == "socket.release" && is_between(line, &peer, &local)
    });
    check(&release.value, &[("process.pid", client.clone())]);
    let line = leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    assert!(
        !mentions(&line.value, client.as_u64().expect("a pid")),
        "{}",
        line.raw
    );
    leak.resolves_when_told_to_close();
}

/// A listener on `[::]` that is reached over IPv4, in a finding and in a scan, filtered by family.
fn mapped(stage: &Stage) {
    let mut leak = stage.leak(Program::C("close_wait"), &["--mapped"]);
    let tid = leak.tid();
    leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    let row = scan_of(&leak.step.value);
    check(
        &row,
        &[
            ("network.type", json!("ipv4")),
            ("socktrace.local.ip", json!("127.0.0.1")),
            ("socktrace.peer.ip", json!("127.0.0.1")),
        ],
    );
    leak.resolves_when_told_to_close();
}

/// The number of a descriptor says nothing: the second leak under it is another one.
fn same_descriptor(stage: &Stage) {
    let mut watch = stage.running().watch();
    let mut workload = Workload::start(Program::C("many_leaks"), &["1"]);
    let mut ids = Vec::new();
    let mut next = |workload: &mut Workload| {
        let step = workload.step("leaked");
        let line = watch.expect("finding", FOUND, |line| {
            mentions(line, number(&step, "pid")) && text(line, "socktrace.leak.phase") == "open"
        });
        check(&line.value, &[("socktrace.leak.fd", step["fd"].clone())]);
        ids.push(text(&line.value, "socktrace.leak.id").to_owned());
        workload.say("close 1");
        workload.step("closed");
        let end = watch.expect("end", FOUND, |line| {
            text(line, "socktrace.leak.id") == ids[ids.len() - 1]
        });
        check(
            &end.value,
            &[
                ("socktrace.leak.phase", json!("resolved")),
                ("socktrace.leak.cause", json!("closed")),
            ],
        );
        number(&step, "fd")
    };
    let first = next(&mut workload);
    workload.say("more 1");
    let second = next(&mut workload);
    assert_eq!(first, second, "the kernel gives the lowest free descriptor");
    assert_ne!(ids[0], ids[1]);
}

/// The kernel gives a `struct sock` to connection after connection. The time in each state is that between
/// the two changes of one socket, and the first change of a socket tells of no earlier state's time.
fn same_memory(stage: &Stage) {
    let mut churn = Workload::gated(Program::C("churn"), &[&CHURNED.to_string(), "1"]);
    let agent = stage.tracing_with(&[]);
    churn.go();
    churn.step_within("churned", 3 * FOUND);
    let pid = u64::from(churn.pid());
    let mut sentinel = Workload::start(Program::C("close_wait"), &[]);
    let leaked = sentinel.step("leaked");
    let mut watch = agent.watch_from_start();
    let all = watch.clone();
    watch.expect("what comes after", 3 * FOUND, |line| {
        is_between(line, text(&leaked, "local"), text(&leaked, "peer"))
    });
    let mut sockets = BTreeMap::<u64, Vec<Line>>::new();
    for line in all.up_to(&watch) {
        if text(&line.value, "event.action") == "socket.state_change" {
            let cookie = number(&line.value, "socktrace.socket.cookie");
            sockets.entry(cookie).or_default().push((*line).clone());
        }
    }
    let mut compared = 0;
    for lines in sockets.values().filter(|lines| lines.len() > 1) {
        let first = field(&lines[0].value, "socktrace.socket.old_state_duration");
        // A connection in the making has been in SYN_RECV under its listener's eyes.
        let is_young =
            first.is_null() || text(&lines[0].value, "socktrace.socket.old_state") == "SYN_RECV";
        assert!(is_young, "{}", lines[0].raw);
        for pair in lines.windows(2) {
            let told = Duration::from_nanos(number(
                &pair[1].value,
                "socktrace.socket.old_state_duration",
            ));
            let truth = at(&pair[1]).duration_since(at(&pair[0])).expect("in order");
            assert!(
                told.abs_diff(truth) < Duration::from_micros(10),
                "{told:?} for {truth:?}: {}",
                pair[1].raw
            );
            compared += 1;
        }
    }
    assert!(
        compared > 3 * CHURNED,
        "{compared} durations of {CHURNED} connections of {pid}"
    );
}

fn at(line: &Line) -> SystemTime {
    humantime::parse_rfc3339(text(&line.value, "@timestamp")).expect("a time")
}

/// A port that was bound is told from the first change on, so that a filter for it loses nothing; the time
/// in `CLOSE` before that is not known, and not told as 0. One that the kernel chooses is told with the
/// connect itself.
fn local_port(stage: &Stage) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let socket = tcp_socket();
    let local = bind(&socket);
    let agent = stage.tracing_with(&["--port", &local.port().to_string()]);
    connect(&socket, v4(&listener)).expect("a connection");
    let (local, peer) = (local.to_string(), v4(&listener).to_string());
    let mut watch = agent.watch_from_start();
    let line = watch.expect("CLOSE to SYN_SENT", FOUND, |line| {
        text(line, "socktrace.socket.state") == "SYN_SENT" && is_between(line, &local, &peer)
    });
    check(
        &line.value,
        &[
            ("socktrace.socket.old_state", json!("CLOSE")),
            ("socktrace.socket.old_state_duration", Value::Null),
        ],
    );
    let line = watch.expect("the connect", FOUND, |line| {
        text(line, "event.action") == "socket.connect" && is_between(line, &local, &peer)
    });
    check(&line.value, &[("process.pid", json!(std::process::id()))]);
}

/// A passive connection that its server closes first is told to its end, with the server's pid.
fn server_closes_first(stage: &Stage) {
    let mut watch = stage.tracing().watch();
    let mut workload = Workload::start(Program::C("client_leak"), &[]);
    let leaked = workload.step("leaked");
    workload.say("close");
    let (local, peer) = (text(&leaked, "local"), text(&leaked, "peer"));
    let release = watch.expect("release of the server's end", FOUND, |line| {
        text(line, "event.action") == "socket.release" && is_between(line, peer, local)
    });
    check(
        &release.value,
        &[
            ("process.pid", leaked["peer_pid"].clone()),
            ("socktrace.socket.state", json!("ESTABLISHED")),
        ],
    );
    watch.expect("its end", FOUND, |line| {
        text(line, "socktrace.socket.state") == "CLOSE" && is_between(line, peer, local)
    });
}

/// The change to `CLOSE_WAIT` runs in the client's context on loopback, and yet the client is not blamed.
fn loopback(stage: &Stage) {
    let mut watch = stage.running().watch();
    let mut leak: Leak = stage.leak(Program::C("close_wait"), &["--read-data"]);
    let (tid, client) = (leak.tid(), number(&leak.step.value, "peer_pid"));
    let deeds = [Deed::Accepted(tid), Deed::Read(tid)];
    leak.opens("close_wait", Some("eof_unread"), &deeds);
    leak.resolves_when_told_to_close();
    stage.never_before_next_leak("finding of the client", &mut watch, |line| {
        mentions(line, client)
    });
}
