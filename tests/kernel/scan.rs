//! `scan` tells what there is now, without waiting.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use socktrace_tests::agent::ATTACH;
use socktrace_tests::child::Outcome;
use socktrace_tests::json::{check, number, text};
use socktrace_tests::program::socktrace;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::lines::{holders_in, is_between};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("scan::finds_what_is_leaked_now", leaked_now),
    ("scan::finds_what_is_closed_and_held", closed_held),
    ("scan::finds_what_is_not_accepted", unaccepted),
    ("scan::finds_all_holders", holders),
    ("scan::finds_nothing_where_nothing_is", nothing),
    ("scan::counts_by_process", by_process),
    ("scan::counts_by_kind", by_kind),
    ("scan::counts_by_several", by_several),
    ("scan::is_for_people_too", as_text),
];

/// Exit status of a scan that found leaks.
pub(crate) const FOUND: i32 = 10;

/// How many leaks [`by_process`] makes.
const MANY: u64 = 7;

/// One leak, one line; and none through a filter for another kind.
fn leaked_now(_: &Stage) {
    let mut workload = Workload::start(Program::C("close_wait"), &[]);
    let leaked = workload.step("leaked");
    let line = one_leak(&leaked, "close_wait");
    check(&line, &[("socktrace.leak.diagnosis", json!("eof_unread"))]);
    let pid = leaked["pid"].to_string();
    let (outcome, lines) = scan(&["--pid", &pid, "--kind", "closed_held"]);
    outcome.check_code(0);
    assert_eq!(lines, Vec::<Value>::new());
}

/// Without the errno of its end, one look cannot tell why it is over.
fn closed_held(_: &Stage) {
    let mut workload = Workload::start(Program::C("closed_by_reset"), &[]);
    let leaked = workload.step("leaked");
    let line = one_leak(&leaked, "closed_held");
    check(&line, &[("socktrace.socket.state", json!("CLOSE"))]);
}

/// The line on the only leak of a process.
#[track_caller]
fn one_leak(leaked: &Value, kind: &str) -> Value {
    let (outcome, lines) = scan(&["--pid", &leaked["pid"].to_string()]);
    outcome.check_code(FOUND);
    let [line] = &lines[..] else {
        panic!("one leak, not {lines:?}")
    };
    check(
        line,
        &[
            ("event.kind", json!("state")),
            ("event.dataset", json!("socktrace.scan")),
            ("socktrace.leak.kind", json!(kind)),
            ("socktrace.socket.state", leaked["state"].clone()),
            ("process.pid", leaked["pid"].clone()),
            ("process.thread", Value::Null),
        ],
    );
    assert!(
        is_between(line, text(leaked, "local"), text(leaked, "peer")),
        "its ends: {line}"
    );
    assert_eq!(holders_in(line), pairs(&[leaked]), "{line}");
    line.clone()
}

/// A connection that nobody has is told with the holder of its listener.
fn unaccepted(_: &Stage) {
    let mut workload = Workload::start(Program::C("unaccepted"), &["2"]);
    let leaked = workload.step("leaked");
    let (outcome, lines) = scan(&["--pid", &leaked["pid"].to_string()]);
    outcome.check_code(FOUND);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in &lines {
        check(line, &[("socktrace.leak.kind", json!("unaccepted"))]);
        assert_eq!(holders_in(line), pairs(&[&leaked]), "{line}");
    }
}

fn holders(_: &Stage) {
    let mut workload = Workload::start(Program::C("fork_holders"), &["3"]);
    let leaked = workload.step("leaked");
    let (outcome, lines) = scan(&["--pid", &leaked["pid"].to_string()]);
    outcome.check_code(FOUND);
    let [line] = &lines[..] else {
        panic!("one leak, not {lines:?}")
    };
    let expected: Vec<&Value> = leaked["holders"]
        .as_array()
        .expect("holders")
        .iter()
        .collect();
    assert_eq!(holders_in(line), pairs(&expected), "{line}");
}

fn nothing(_: &Stage) {
    let workload = Workload::gated(Program::C("close_wait"), &[]);
    let (outcome, lines) = scan(&["--pid", &workload.pid().to_string()]);
    outcome.check_code(0);
    assert_eq!(lines, Vec::<Value>::new());
}

fn by_process(_: &Stage) {
    let mut many = Workload::start(Program::C("many_leaks"), &[&MANY.to_string()]);
    let mut one = Workload::start(Program::C("close_wait"), &[]);
    let [many, one] = [many.step("leaked"), one.step("leaked")].map(|step| step["pid"].to_string());
    let (outcome, lines) = scan(&["--by", "process", "--pid", &many, "--pid", &one]);
    outcome.check_code(FOUND);
    let count = |pid: &str| {
        let is_it = |line: &&Value| text(line, "socktrace.group.key").contains(&format!("[{pid}]"));
        lines
            .iter()
            .find(is_it)
            .map(|line| line["socktrace"]["group"]["count"].clone())
    };
    assert_eq!(
        (count(&many), count(&one)),
        (Some(json!(MANY)), Some(json!(1))),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2);
}

fn by_kind(_: &Stage) {
    let mut waiting = Workload::start(Program::C("close_wait"), &[]);
    let mut closed = Workload::start(Program::C("closed_after_fin"), &[]);
    let [a, b] = [&mut waiting, &mut closed].map(|w| w.step("leaked")["pid"].to_string());
    let (outcome, lines) = scan(&["--by", "kind", "--pid", &a, "--pid", &b]);
    outcome.check_code(FOUND);
    let groups: BTreeSet<(String, Option<u64>)> = lines
        .iter()
        .map(|line| &line["socktrace"]["group"])
        .map(|group| (text(group, "key").to_owned(), group["count"].as_u64()))
        .collect();
    let expected = ["close_wait", "closed_held"].map(|kind| (kind.to_owned(), Some(1)));
    assert_eq!(groups, BTreeSet::from(expected));
}

fn by_several(_: &Stage) {
    let mut waiting = Workload::start(Program::C("close_wait"), &[]);
    let mut half = Workload::start(Program::C("half_closed"), &[]);
    let [a, b] = [&mut waiting, &mut half].map(|w| w.step("leaked")["pid"].to_string());
    let groups = scan_by("process,state", &["--pid", &a, "--pid", &b]);
    let has = |pid: &str, state: &str| {
        let key = format!("[{pid}], {state}");
        let is_it = |(found, count): &&(String, u64)| found.ends_with(&key) && *count == 1;
        groups.iter().find(is_it).is_some()
    };
    assert!(has(&a, "CLOSE_WAIT") && has(&b, "FIN_WAIT2"), "{groups:?}");
    assert_eq!(groups.len(), 2, "{groups:?}");
}

fn as_text(_: &Stage) {
    let mut workload = Workload::start(Program::C("close_wait"), &[]);
    let leaked = workload.step("leaked");
    let pid = leaked["pid"].to_string();
    let mut command = socktrace(&["scan", "--pid", &pid, "--format", "text"]);
    let outcome = Outcome::of(&mut command, ATTACH);
    outcome.check_code(FOUND);
    let about: Vec<&str> = outcome
        .stdout
        .lines()
        .filter(|line| line.contains(&pid))
        .collect();
    let [line] = about[..] else {
        panic!("one line on the process; {outcome:#?}")
    };
    for word in ["close_wait", text(&leaked, "local"), text(&leaked, "peer")] {
        assert!(line.contains(word), "no {word} in {line:?}");
    }
    assert!(!outcome.stdout.contains('\x1b'), "colour in a pipe");
}

/// What `scan --by` counts: keys and numbers, in its order.
#[track_caller]
pub(crate) fn scan_by(what: &str, more: &[&str]) -> Vec<(String, u64)> {
    let (_, lines) = scan(&[&["--by", what], more].concat());
    let groups = lines.iter().map(|line| &line["socktrace"]["group"]);
    groups
        .map(|group| (text(group, "key").to_owned(), number(group, "count")))
        .collect()
}

/// The row of a scan on the socket of a `leaked` step.
#[track_caller]
pub(crate) fn scan_of(leaked: &Value) -> Value {
    let (local, peer) = (text(leaked, "local"), text(leaked, "peer"));
    let port = peer.rsplit(':').next().unwrap_or_default();
    let (_, lines) = scan(&["--port", port]);
    let row = lines.iter().find(|line| is_between(line, local, peer));
    row.unwrap_or_else(|| panic!("no row on {local} {peer} in {lines:?}"))
        .clone()
}

/// Runs a scan, which must not complain, and reads its lines but the last.
#[track_caller]
pub(crate) fn scan(args: &[&str]) -> (Outcome, Vec<Value>) {
    let mut command = socktrace(&["scan", "--format", "json"]);
    let outcome = Outcome::of(command.args(args), ATTACH);
    assert_eq!(outcome.stderr, "", "{outcome:#?}");
    let (lines, _) = lines_and_summary(&outcome);
    (outcome, lines)
}

/// What a scan as JSON has written: a line a socket or a group, and the summary.
#[track_caller]
pub(crate) fn lines_and_summary(outcome: &Outcome) -> (Vec<Value>, Value) {
    let line = |line| serde_json::from_str(line).unwrap_or_else(|err| panic!("{err} in {line}"));
    let mut lines: Vec<Value> = outcome.stdout.lines().map(line).collect();
    let summary = lines.pop().expect("a summary");
    check(&summary, &[("event.action", json!("socket.scan_summary"))]);
    (lines, summary)
}

fn pairs(holders: &[&Value]) -> BTreeSet<(u64, u64)> {
    holders
        .iter()
        .map(|holder| (number(holder, "pid"), number(holder, "fd")))
        .collect()
}
