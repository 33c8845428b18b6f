//! The agent itself: its start, its end, its filters, its outputs, and others of its kind.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;
use socktrace_tests::agent::{ATTACH, Agent};
use socktrace_tests::child::{Outcome, Running, Signal};
use socktrace_tests::json::{check, field, has, number, text};
use socktrace_tests::program::socktrace;
use socktrace_tests::rung::{Deed, Hooks};
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, Leak};
use crate::lines::mentions;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("watching::hooks_are_those_asked_for", hooks),
    ("watching::leak_from_before_the_start", before_the_start),
    (
        "watching::leaks_right_after_the_start",
        right_after_the_start,
    ),
    ("watching::two_agents_see_the_same_leak", two_agents),
    ("watching::hundreds_of_leaks", many_leaks),
    ("watching::filter_by_pid", |stage| filtered(stage, "--pid")),
    ("watching::filter_by_port", |stage| {
        filtered(stage, "--port");
    }),
    ("watching::sigint_resolves_nothing", |stage| {
        stopped(stage, Signal::Int);
    }),
    ("watching::sigterm_resolves_nothing", |stage| {
        stopped(stage, Signal::Term);
    }),
    ("watching::output_to_a_file", output_file),
    ("watching::output_that_cannot_be_opened", bad_output),
    ("watching::reader_that_has_gone", closed_stdout),
    ("watching::doctor_has_a_line_for_each_hook", doctor),
];

/// How many leaks [`many_leaks`] makes: more than one page of an iterator (32 KiB) has room for.
const MANY: usize = 400;

/// How many leaks [`right_after_the_start`] makes.
const AT_ONCE: usize = 8;

/// The purposes of hooks, as `doctor` and the first status name them.
const PURPOSES: [&str; 6] = [
    "state_change",
    "release",
    "accept",
    "connect",
    "last_io",
    "holders",
];

/// A rung that is forced is the rung that is used; the first status says so.
fn hooks(stage: &Stage) {
    let started = stage.running().started();
    check(
        started,
        &[
            ("socktrace.status.reason", json!("started")),
            ("event.dataset", json!("socktrace.status")),
            ("event.sequence", json!(0)),
        ],
    );
    let purposes: BTreeSet<&str> = field(started, "socktrace.status.hooks")
        .as_array()
        .into_iter()
        .flatten()
        .map(|hook| text(hook, "purpose"))
        .collect();
    for purpose in PURPOSES {
        assert!(
            purposes.contains(purpose),
            "no word on {purpose} in {started}"
        );
    }
    if let Some(asked) = stage.rung().hooks {
        assert_eq!(Hooks::of(started).spelled(), asked);
    }
}

/// Nobody saw who accepted it, nor when it leaked, but it is found, and its end is seen.
fn before_the_start(stage: &Stage) {
    let mut workload = Workload::start(Program::C("close_wait"), &["--unread-data"]);
    let step = workload.step_line("leaked");
    let agent = stage.agent("run", &["--pid", &workload.pid().to_string()]);
    let mut watch = agent.watch_from_start();
    let line = watch.expect("finding", FOUND, |line| has(line, "socktrace.leak"));
    check(
        &line.value,
        &[
            ("process.pid", step.value["pid"].clone()),
            ("process.thread", json!(null)),
            ("socktrace.leak.owner_via", json!("holder")),
            ("socktrace.leak.kind", json!("close_wait")),
            ("socktrace.leak.diagnosis", json!("unread_data")),
        ],
    );
    workload.say("close");
    let closed = workload.step("closed");
    let line = watch.expect("end", FOUND, |line| {
        text(line, "socktrace.leak.phase") == "resolved"
    });
    check(
        &line.value,
        &[
            ("socktrace.leak.cause", json!("closed")),
            ("socktrace.leak.closed_by.pid", closed["pid"].clone()),
            ("socktrace.leak.closed_by.tid", closed["tid"].clone()),
        ],
    );
}

/// Once the first line is written, everything is seen: what the agent finds in its first look
/// at the kernel's tables must not stand in for what its probes have seen.
fn right_after_the_start(stage: &Stage) {
    let mut workloads: Vec<Workload> = (0..AT_ONCE)
        .map(|_| Workload::gated(Program::C("client_leak"), &[]))
        .collect();
    let agent = stage.agent("run", &[]);
    let hooks = Hooks::of(agent.started());
    let watch = agent.watch();
    workloads.iter_mut().for_each(Workload::go);
    for workload in workloads {
        let mut leak = Leak::of(hooks.clone(), watch.clone(), workload);
        let tid = leak.tid();
        let line = leak.opens("close_wait", Some("eof_unread"), &[Deed::Connected(tid)]);
        check(&line.value, &[("socktrace.leak.since_seen", json!(true))]);
    }
}

/// They do not disturb each other and give the leak one name.
fn two_agents(stage: &Stage) {
    let other = stage.agent("run", &[]);
    let mut watch = other.watch();
    let mut leak = stage.leak(Program::C("close_wait"), &[]);
    let mine = watch.expect("finding", FOUND, |line| leak.is_open(line));
    let mut shared = leak.watch();
    let theirs = shared.expect("finding", FOUND, |line| leak.is_open(line));
    let id = |line| text(line, "socktrace.leak.id").to_owned();
    assert_eq!(id(&mine.value), id(&theirs.value));
    other.stop(Signal::Int);
    // The end of one agent is nothing to the other.
    leak.resolves_when_told_to_close();
}

fn many_leaks(stage: &Stage) {
    let mut watch = stage.running().watch();
    let mut workload = Workload::start(Program::C("many_leaks"), &[&MANY.to_string()]);
    let pid = u64::from(workload.pid());
    let mut open = BTreeSet::new();
    while open.len() < MANY {
        let line = watch.expect("one more finding", FOUND, |line| {
            mentions(line, pid) && text(line, "socktrace.leak.phase") == "open"
        });
        assert!(
            open.insert(text(&line.value, "socktrace.leak.id").to_owned()),
            "{}",
            line.raw
        );
    }
    workload.say("close");
    while !open.is_empty() {
        let line = watch.expect("one more end", FOUND, |line| {
            mentions(line, pid) && text(line, "socktrace.leak.phase") == "resolved"
        });
        check(&line.value, &[("socktrace.leak.cause", json!("closed"))]);
        assert!(
            open.remove(text(&line.value, "socktrace.leak.id")),
            "{}",
            line.raw
        );
    }
}

/// Of two programs that leak, one later than the other, only the later one is asked for.
fn filtered(stage: &Stage, flag: &str) {
    let mut first = Workload::start(Program::C("close_wait"), &[]);
    let unwanted = number(&first.step("leaked"), "pid");
    let mut second = Workload::start(Program::C("close_wait"), &[]);
    let step = second.step("leaked");
    let port = text(&step, "local")
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    let pid = second.pid().to_string();
    let agent = stage.agent("run", &[flag, if flag == "--port" { &port } else { &pid }]);
    agent.watch_from_start().never_until(
        "finding that was filtered out",
        FOUND,
        |line| mentions(line, unwanted),
        |line| mentions(line, u64::from(second.pid())),
    );
}

/// The end of the agent is not the end of the leak.
fn stopped(stage: &Stage, signal: Signal) {
    let mut workload = Workload::gated(Program::C("close_wait"), &[]);
    let agent = stage.agent("run", &["--pid", &workload.pid().to_string()]);
    workload.go();
    let mut leak = Leak::of(Hooks::of(agent.started()), agent.watch(), workload);
    let tid = leak.tid();
    leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    let lines = agent.stop(signal);
    let phases: Vec<&str> = lines
        .iter()
        .filter(|line| has(&line.value, "socktrace.leak"))
        .map(|line| text(&line.value, "socktrace.leak.phase"))
        .collect();
    assert_eq!(phases, ["open"]);
    let last = &lines.last().expect("a line").value;
    check(last, &[("socktrace.status.reason", json!("stopped"))]);
}

/// `--output` may be given several times; each has all lines.
fn output_file(stage: &Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.json");
    let file = file.to_str().expect("a name");
    let mut workload = Workload::gated(Program::C("close_wait"), &[]);
    let pid = workload.pid().to_string();
    let agent: Agent = stage.agent("run", &["--pid", &pid, "--output", "-", "--output", file]);
    let mut watch = agent.watch();
    workload.go();
    workload.step("leaked");
    watch.expect("finding", FOUND, |line| has(line, "socktrace.leak"));
    let lines = agent.stop(Signal::Term);
    let written = fs::read_to_string(file).expect("the file");
    assert_eq!(written.lines().count(), lines.len(), "{written}");
    for (written, line) in written.lines().zip(lines) {
        let written: serde_json::Value = serde_json::from_str(written).expect("JSON");
        assert_eq!(
            text(&written, "event.action"),
            text(&line.value, "event.action")
        );
        assert_eq!(
            text(&written, "socktrace.leak.id"),
            text(&line.value, "socktrace.leak.id")
        );
    }
}

/// It is noticed at once, not when the first leak is found.
fn bad_output(stage: &Stage) {
    for flag in ["--output", "--record"] {
        let args = stage.agent_args("run", &[flag, "/no/such/folder/file"]);
        let outcome = Outcome::of(&mut socktrace(&args), ATTACH);
        outcome.check_code(1);
        let line = outcome.one_error_line();
        assert!(
            line.contains("/no/such/folder/file: No such file"),
            "{line}"
        );
    }
}

/// `socktrace run | head -0` ends quietly.
fn closed_stdout(stage: &Stage) {
    let mut agent =
        Running::spawn(&mut socktrace(&stage.agent_args("run", &[]))).expect("an agent");
    drop(agent.take_stdout());
    let status = agent.wait(ATTACH).expect("the agent ends");
    assert_eq!((status.code(), agent.stderr().as_str()), (Some(0), ""));
}

fn doctor(_: &Stage) {
    let text = Outcome::of(&mut socktrace(&["doctor", "--format", "text"]), ATTACH);
    text.check_code(0);
    for purpose in PURPOSES {
        let lines: Vec<&str> = text
            .stdout
            .lines()
            .filter(|line| line.split_whitespace().nth(1) == Some(purpose))
            .collect();
        let [line] = lines[..] else {
            panic!("one line on {purpose}, not {lines:?}")
        };
        let word = line.split_whitespace().next().unwrap_or_default();
        assert!(["ok", "fallback", "missing"].contains(&word), "{line:?}");
    }
    let json = Outcome::of(&mut socktrace(&["doctor", "--format", "json"]), ATTACH);
    json.check_code(0);
    for line in json.stdout.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
}
