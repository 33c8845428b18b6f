//! Programs in other network namespaces, and agents in other pid namespaces.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde_json::{Value, json};
use socktrace_tests::agent::{ATTACH, Agent};
use socktrace_tests::child::{Outcome, Signal};
use socktrace_tests::json::{check, field, has, number, text};
use socktrace_tests::pids::Pids;
use socktrace_tests::program::socktrace;
use socktrace_tests::rung::{Deed, Hooks};
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, NOTICED};
use crate::lines::{check_holders, end_in};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("namespaces::queue_in_another_network", queue),
    (
        "namespaces::queue_in_another_network_from_before_the_start",
        queue_from_before,
    ),
    ("namespaces::queue_in_another_network_scanned", scanned),
    ("namespaces::pids_are_those_of_the_agent", inner_pids),
    (
        "namespaces::who_is_outside_is_nobody_else",
        outside_is_nobody,
    ),
];

/// Nobody holds the connection, and the reader of the kernel's table is elsewhere.
fn queue(stage: &Stage) {
    let mut watch = stage.running().watch();
    let mut workload = Workload::in_own_network(Program::C("unaccepted"), &["1"]);
    let leaked = workload.step("leaked");
    let netns = netns_of(&workload);
    let line = watch.expect("unaccepted", FOUND, |line| {
        number_of(line, "socktrace.socket.netns") == Some(netns)
            && text(line, "socktrace.leak.phase") == "open"
    });
    check_queued(&line.value, &leaked);
    workload.say("accept");
    let accepted = workload.step("accepted");
    let update = watch.expect("acceptance", NOTICED, |line| {
        text(line, "socktrace.leak.kind") == "close_wait"
            && number_of(line, "socktrace.socket.netns") == Some(netns)
    });
    check(
        &update.value,
        &[
            ("socktrace.leak.phase", json!("update")),
            (
                "socktrace.leak.id",
                field(&line.value, "socktrace.leak.id").clone(),
            ),
        ],
    );
    let holder = (number(&accepted, "pid"), number(&accepted, "fd"));
    check_holders(&update.value, &[holder].into());
}

fn queue_from_before(stage: &Stage) {
    let mut workload = Workload::in_own_network(Program::C("unaccepted"), &["2"]);
    let leaked = workload.step("leaked");
    let agent = stage.agent("run", &["--pid", &workload.pid().to_string()]);
    let mut watch = agent.watch_from_start();
    for _ in 0..2 {
        let line = watch.expect("finding", FOUND, |line| has(line, "socktrace.leak"));
        check_queued(&line.value, &leaked);
    }
    let lines = agent.stop(Signal::Term);
    let last = &lines.last().expect("a line").value;
    // All queues could be read.
    check(last, &[("socktrace.status.lost.queues", Value::Null)]);
}

fn scanned(_: &Stage) {
    let mut workload = Workload::in_own_network(Program::C("unaccepted"), &["2"]);
    let leaked = workload.step("leaked");
    let pid = workload.pid().to_string();
    let mut command = socktrace(&["scan", "--format", "json", "--pid", &pid]);
    let outcome = Outcome::of(&mut command, ATTACH);
    outcome.check_code(10);
    assert_eq!(outcome.stderr, "");
    let lines = outcome.stdout.lines();
    let lines = lines.map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.filter(|line| has(line, "socktrace.leak")).collect();
    assert_eq!(lines.len(), 2, "{outcome:#?}");
    for line in lines {
        check(
            &line,
            &[
                ("socktrace.leak.kind", json!("unaccepted")),
                ("socktrace.socket.netns", json!(netns_of(&workload))),
            ],
        );
        let holder = (number(&leaked, "pid"), number(&leaked, "fd"));
        check_holders(&line, &[holder].into());
    }
}

/// Both the agent and the program that leaks are in a pid namespace of their own: the pids are those
/// that the program itself knows, and the facts are its facts.
fn inner_pids(stage: &Stage) {
    let first = Workload::idle_in(Pids::New);
    let agent = Agent::start_in_pids_of(
        first.pid(),
        &stage.agent_args("run", &["--leak-after", "1s"]),
    );
    let hooks = Hooks::of(agent.started());
    let mut watch = agent.watch();
    let host = first.pid();
    let mut workload = Workload::in_pids(Program::C("client_leak"), &[], Pids::Of(host));
    let leaked = workload.step("leaked");
    let (pid, tid) = (number(&leaked, "pid"), number(&leaked, "tid"));
    assert_ne!(pid, u64::from(workload.pid()), "it is in another namespace");
    let local = text(&leaked, "local").to_owned();
    let is_it = |line: &Value| end_in(line, "socktrace.local").as_deref() == Some(local.as_str());
    let line = watch.expect("finding", FOUND, |line| {
        has(line, "socktrace.leak") && is_it(line)
    });
    let (via, blamed) = hooks.blamed(&[Deed::Connected(tid)]);
    check(
        &line.value,
        &[
            ("process.pid", json!(pid)),
            ("process.name", json!("client_leak")),
            ("socktrace.leak.owner_via", json!(via)),
            ("process.thread.id", blamed.map_or(Value::Null, Value::from)),
        ],
    );
    assert!(
        text(&line.value, "process.executable").ends_with("/client_leak"),
        "{}",
        line.raw
    );
    check_holders(&line.value, &[(pid, number(&leaked, "fd"))].into());
    workload.say("close");
    let closed = workload.step("closed");
    let line = watch.expect("end", FOUND, |line| {
        text(line, "socktrace.leak.phase") == "resolved" && is_it(line)
    });
    check(
        &line.value,
        &[
            ("socktrace.leak.closed_by.pid", closed["pid"].clone()),
            ("socktrace.leak.closed_by.tid", closed["tid"].clone()),
        ],
    );
    agent.stop(Signal::Term);
}

/// A process outside the agent's pid namespace has no pid there: its connections are told of with 0.
fn outside_is_nobody(stage: &Stage) {
    let first = Workload::idle_in(Pids::New);
    let agent = Agent::start_in_pids_of(first.pid(), &stage.agent_args("trace", &[]));
    let mut watch = agent.watch();
    let mut workload = Workload::start(Program::C("client_leak"), &[]);
    let leaked = workload.step("leaked");
    let local = text(&leaked, "local").to_owned();
    let line = watch.expect("connect", FOUND, |line| {
        text(line, "event.action") == "socket.connect"
            && end_in(line, "socktrace.local").as_deref() == Some(local.as_str())
    });
    check(&line.value, &[("process.pid", json!(0))]);
    agent.stop(Signal::Term);
}

#[track_caller]
fn check_queued(line: &Value, leaked: &Value) {
    check(
        line,
        &[
            ("socktrace.leak.phase", json!("open")),
            ("socktrace.leak.kind", json!("unaccepted")),
            ("socktrace.leak.owner_via", json!("listener")),
            ("process.pid", leaked["pid"].clone()),
        ],
    );
    let holder = (number(leaked, "pid"), number(leaked, "fd"));
    check_holders(line, &[holder].into());
}

fn netns_of(workload: &Workload) -> u64 {
    let netns = fs::metadata(format!("/proc/{}/ns/net", workload.pid()));
    netns.expect("its namespace").ino()
}

fn number_of(line: &Value, path: &str) -> Option<u64> {
    field(line, path).as_u64()
}
