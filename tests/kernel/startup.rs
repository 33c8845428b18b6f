//! What was there before the agent.

use std::time::Duration;

use serde_json::{Value, json};
use socktrace_tests::agent::Agent;
use socktrace_tests::json::{check, number, text};
use socktrace_tests::log::Line;
use socktrace_tests::rung::{Deed, Hooks};
use socktrace_tests::wait::{now, stretched};
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, Leak};
use crate::lines::{check_holders, is_between};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("startup::leaked_long_ago_is_found_at_once", long_ago),
    ("startup::leaked_with_unread_data_or_closed", unknown_age),
    ("startup::leaked_in_the_accept_queue", in_the_queue),
    ("startup::opened_before_and_leaked_later", |stage| {
        opened_before(stage, &[]);
    }),
    ("startup::opened_before_and_read_later", |stage| {
        opened_before(stage, &["--read-data"]);
    }),
];

/// How long after its first line an agent may take for what it need not wait for.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The network's idleness is counted in ticks of the kernel's timer, of which there are 100 a second at least.
const TICK: Duration = Duration::from_millis(10);

/// The network shows how long a connection without anything to read has been idle: it is found as soon as
/// the agent is there, with every holder, whatever leak-after is.
fn long_ago(stage: &Stage) {
    let leak_after = stretched(Duration::from_secs(3));
    let before = now();
    let mut workload = Workload::start(Program::C("fork_holders"), &["2"]);
    let step = workload.step_line("leaked");
    let leaked_for = || now().since(step.read_at);
    assert!(socktrace_tests::wait::until(2 * leak_after, || leaked_for(
    ) > leak_after
        + AT_ONCE));
    let after = format!("{}ms", leak_after.as_millis());
    let pid = workload.pid().to_string();
    let agent = Agent::start(&stage.agent_args(
        "run",
        &[
            "--pid",
            &pid,
            "--leak-after",
            &after,
            "--max-lines-per-process",
            "1000000",
        ],
    ));
    let started = now();
    let line = found(&agent, &step.value);
    let took = line.read_at.since(started);
    assert!(took < stretched(AT_ONCE), "found only after {took:?}");
    let age = Duration::from_nanos(number(&line.value, "event.duration"));
    assert!(
        age <= now().since(before) + TICK && age >= leak_after,
        "{age:?}: {}",
        line.raw
    );
    check_unowned(&line, "close_wait", &json!("eof_unread"));
    let mut holders: Vec<Value> = step.value["holders"].as_array().expect("holders").clone();
    let pairs = holders
        .drain(..)
        .map(|h| (number(&h, "pid"), number(&h, "fd")));
    check_holders(&line.value, &pairs.collect());
}

/// Nothing shows how long bytes have been lying there, or how long TCP has been over: that counts from the
/// start of the agent, which is said. What the kernel keeps of the reason is the errno of a reset.
fn unknown_age(stage: &Stage) {
    for (program, args, kind, diagnosis) in [
        (
            "close_wait",
            &["--unread-data"][..],
            "close_wait",
            json!("unread_data"),
        ),
        ("closed_after_fin", &[], "closed_held", Value::Null),
        ("closed_by_reset", &[], "closed_held", json!("reset")),
    ] {
        let mut workload = Workload::start(Program::C(program), args);
        let step = workload.step_line("leaked");
        let agent = stage.agent("run", &["--pid", &workload.pid().to_string()]);
        let line = found(&agent, &step.value);
        let age = Duration::from_nanos(number(&line.value, "event.duration"));
        let truth = line.read_at.since(step.read_at);
        assert!(age <= truth, "{age:?} of {truth:?}: {}", line.raw);
        check_holders(
            &line.value,
            &[(number(&step.value, "pid"), number(&step.value, "fd"))].into(),
        );
        check_unowned(&line, kind, &diagnosis);
    }
}

/// Nobody has accepted them, and nobody saw them come.
fn in_the_queue(stage: &Stage) {
    let mut workload = Workload::start(Program::C("unaccepted"), &["2"]);
    let step = workload.step("leaked");
    let agent = stage.agent("run", &["--pid", &workload.pid().to_string()]);
    let mut watch = agent.watch_from_start();
    for _ in 0..2 {
        let line = watch.expect("finding", FOUND, |line| {
            text(line, "socktrace.leak.phase") == "open"
        });
        check(
            &line.value,
            &[
                ("socktrace.leak.kind", json!("unaccepted")),
                ("socktrace.leak.owner_via", json!("listener")),
                ("socktrace.leak.since_seen", json!(false)),
                ("process.pid", step["pid"].clone()),
            ],
        );
        check_holders(
            &line.value,
            &[(number(&step, "pid"), number(&step, "fd"))].into(),
        );
    }
}

/// Nobody saw who accepted it, but from then on it is a socket like any other.
fn opened_before(stage: &Stage, more: &[&str]) {
    let args = [&["--later"], more].concat();
    let mut workload = Workload::start(Program::C("close_wait"), &args);
    workload.step("connected");
    let agent = stage.agent("run", &["--pid", &workload.pid().to_string()]);
    let watch = agent.watch();
    workload.say("leak");
    // Without an accept that was seen the direction is not known either.
    let hooks = Hooks {
        accept: socktrace_tests::rung::AcceptHook::None,
        ..Hooks::of(agent.started())
    };
    let mut leak = Leak::of(hooks, watch, workload);
    let deeds: Vec<Deed> = (!more.is_empty())
        .then(|| Deed::Read(leak.tid()))
        .into_iter()
        .collect();
    let line = leak.opens("close_wait", Some("eof_unread"), &deeds);
    leak.came_in_time(&line);
    check(&line.value, &[("socktrace.leak.since_seen", json!(true))]);
    leak.resolves_when_told_to_close();
}

/// The finding on the socket of a `leaked` step.
#[track_caller]
fn found(agent: &Agent, step: &Value) -> Line {
    let is_mine = |line: &Value| is_between(line, text(step, "local"), text(step, "peer"));
    agent
        .watch_from_start()
        .expect_among("finding", FOUND, is_mine, |_| true)
}

/// Its age is a lower bound, and no thread is named.
#[track_caller]
fn check_unowned(line: &Line, kind: &str, diagnosis: &Value) {
    check(
        &line.value,
        &[
            ("socktrace.leak.phase", json!("open")),
            ("socktrace.leak.kind", json!(kind)),
            ("socktrace.leak.diagnosis", diagnosis.clone()),
            ("socktrace.leak.since_seen", json!(false)),
            ("socktrace.leak.owner_via", json!("holder")),
            ("process.thread", Value::Null),
        ],
    );
}
