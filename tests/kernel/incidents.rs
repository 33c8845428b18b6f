//! What all leaks of a process come to, and the lines that are held back.

use serde_json::{Value, json};
use socktrace_tests::agent::Agent;
use socktrace_tests::child::Signal;
use socktrace_tests::json::{check, field, has, number, text};
use socktrace_tests::log::Watch;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, NOTICED};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("incidents::few_lines_and_one_incident", few_lines),
    ("incidents::closed_ones_are_over_after_a_while", closed),
    ("incidents::queue_of_a_hanging_acceptor", queue),
    ("incidents::three_kinds_one_finding", three_kinds),
];

/// How many sockets are leaked.
const MANY: u64 = 200;

/// How many single lines are allowed.
const LINES: u64 = 5;

/// A limit of descriptors that is not everybody's.
const LIMIT: u64 = 777;

fn agent(stage: &Stage, workload: &Workload) -> Agent {
    let (pid, lines) = (workload.pid().to_string(), LINES.to_string());
    let more = [
        "--leak-after",
        "1s",
        "--pid",
        &pid,
        "--max-lines-per-process",
        &lines,
    ];
    Agent::start(&stage.agent_args("run", &more))
}

fn is_incident(line: &Value) -> bool {
    text(line, "event.action") == "process.leak"
}

/// Waits for an incident with so many open findings, or none.
#[track_caller]
fn incident(watch: &mut Watch, phase: &str, open: u64) -> Value {
    let line = watch.expect(&format!("{phase} with {open}"), FOUND * 3, |line| {
        is_incident(line)
            && text(line, "socktrace.incident.phase") == phase
            && number(line, "socktrace.incident.open") == open
    });
    line.value
}

/// A process leaks many sockets at once and then dies.
fn few_lines(stage: &Stage) {
    let args = [&MANY.to_string(), "--nofile", &LIMIT.to_string()];
    let mut workload = Workload::gated(Program::C("many_leaks"), &args);
    let agent = agent(stage, &workload);
    let mut watch = agent.watch_from_start();
    workload.go();
    workload.step("leaked");
    let first = watch.expect("incident", FOUND, is_incident);
    check(
        &first.value,
        &[
            ("event.dataset", json!("socktrace.incident")),
            ("socktrace.incident.phase", json!("open")),
            ("socktrace.incident.kind", json!("close_wait")),
            ("socktrace.incident.open", json!(1)),
        ],
    );
    let all = incident(&mut watch, "update", MANY);
    let fds = std::fs::read_dir(format!("/proc/{}/fd", workload.pid())).expect("its descriptors");
    check(
        &all,
        &[
            ("event.kind", json!("alert")),
            ("process.pid", json!(workload.pid())),
            ("process.name", json!("many_leaks")),
            (
                "process.entity_id",
                first.value["process"]["entity_id"].clone(),
            ),
            (
                "socktrace.incident.id",
                first.value["socktrace"]["incident"]["id"].clone(),
            ),
            ("socktrace.incident.opened_total", json!(MANY)),
            ("socktrace.incident.resolved_total", json!(0)),
            ("socktrace.incident.suppressed", json!(MANY - LINES)),
            ("socktrace.incident.nofile_limit", json!(LIMIT)),
            ("socktrace.incident.open_fds", json!(fds.count())),
            ("socktrace.held_back", json!(MANY - LINES)),
        ],
    );
    workload.kill();
    let over = incident(&mut watch, "resolved", 0);
    check(
        &over,
        &[
            (
                "socktrace.incident.id",
                first.value["socktrace"]["incident"]["id"].clone(),
            ),
            ("socktrace.incident.opened_total", json!(MANY)),
            ("socktrace.incident.resolved_total", json!(MANY)),
            ("socktrace.incident.suppressed", json!(2 * (MANY - LINES))),
            ("socktrace.incident.exhausted_at", Value::Null),
        ],
    );
    let lines = agent.stop(Signal::Term);
    let findings: Vec<_> = lines
        .iter()
        .map(|line| &line.value)
        .filter(|line| has(line, "socktrace.leak"))
        .collect();
    let phase = |wanted| {
        let of = |line: &&&Value| text(line, "socktrace.leak.phase") == wanted;
        findings.iter().filter(of).count() as u64
    };
    assert_eq!((phase("open"), phase("resolved")), (LINES, LINES));
    for line in &findings {
        let of = field(line, "socktrace.leak.incident");
        assert_eq!(of, &first.value["socktrace"]["incident"]["id"], "{line}");
    }
    let numbers = lines
        .iter()
        .map(|line| number(&line.value, "event.sequence"));
    assert!(numbers.eq(0..lines.len() as u64), "a gap in the sequence");
    let last = lines.last().expect("a line");
    check(
        &last.value,
        &[("socktrace.status.held_back", json!(2 * (MANY - LINES)))],
    );
}

/// The process lives on: its incident lasts a little longer than its leaks, and the next one has another
/// name.
fn closed(stage: &Stage) {
    let mut workload = Workload::gated(Program::C("many_leaks"), &["3"]);
    let agent = agent(stage, &workload);
    let mut watch = agent.watch_from_start();
    workload.go();
    workload.step("leaked");
    let first = incident(&mut watch, "update", 3);
    workload.say("close");
    workload.step("closed");
    let over = incident(&mut watch, "resolved", 0);
    let id = "socktrace.incident.id";
    check(&over, &[(id, field(&first, id).clone())]);
    workload.say("more 1");
    workload.step("leaked");
    let again = incident(&mut watch, "open", 1);
    assert_ne!(text(&again, id), text(&first, id));
    check(&again, &[("socktrace.incident.episode", json!(1))]);
}

/// How many connections wait, and how many may, is told with each of them.
fn queue(stage: &Stage) {
    let mut workload = Workload::gated(Program::C("unaccepted"), &["3"]);
    let agent = agent(stage, &workload);
    let mut watch = agent.watch_from_start();
    workload.go();
    workload.step("leaked");
    let line = watch.expect("unaccepted", FOUND, |line| {
        text(line, "socktrace.leak.kind") == "unaccepted"
    });
    check(&line.value, &[("socktrace.listener.queue", json!(3))]);
    assert!(
        number(&line.value, "socktrace.listener.backlog") >= 3,
        "{}",
        line.raw
    );
    let all = incident(&mut watch, "update", 3);
    check(
        &all,
        &[
            ("socktrace.incident.kind", json!("unaccepted")),
            ("socktrace.incident.exhausted_at", Value::Null),
        ],
    );
}

/// Queued, accepted and finished: each is an update under the name and the start of the first line. The
/// incidents of the kinds take it over one from another.
fn three_kinds(stage: &Stage) {
    let mut workload = Workload::gated(Program::C("unaccepted"), &["1"]);
    let agent = agent(stage, &workload);
    let mut watch = agent.watch_from_start();
    workload.go();
    workload.step("leaked");
    let mut next = |kind: &str, phase: &str| {
        let line = watch.expect(&format!("{phase} as {kind}"), NOTICED, |line| {
            text(line, "socktrace.leak.kind") == kind && text(line, "socktrace.leak.phase") == phase
        });
        line.value
    };
    let queued = next("unaccepted", "open");
    workload.say("accept");
    workload.step("accepted");
    let accepted = next("close_wait", "update");
    workload.say("shutdown");
    workload.step("shut_down");
    let finished = next("closed_held", "update");
    workload.say("close");
    workload.step("closed");
    let resolved = next("closed_held", "resolved");
    for line in [&accepted, &finished, &resolved] {
        let same = |path| (path, field(&queued, path).clone());
        check(line, &[same("socktrace.leak.id"), same("event.start")]);
    }
    let incidents = [&queued, &accepted, &finished]
        .map(|line| text(line, "socktrace.leak.incident").to_owned());
    let lines = agent.stop(Signal::Term);
    for (id, kind) in incidents
        .iter()
        .zip(["unaccepted", "close_wait", "closed_held"])
    {
        let first = lines
            .iter()
            .find(|line| text(&line.value, "socktrace.incident.id") == id)
            .expect(kind);
        check(
            &first.value,
            &[
                ("socktrace.incident.kind", json!(kind)),
                ("socktrace.incident.phase", json!("open")),
            ],
        );
    }
}
