//! Holders that are easily overlooked, or easily named though they hold nothing.
//!
//! Each case compares kind, process, thread and the whole set of holders with the truth, on the agent's
//! line and on a scan's.

use std::fs;

use serde_json::json;
use socktrace_tests::json::{check, number};
use socktrace_tests::log::Line;
use socktrace_tests::rung::Deed;
use socktrace_tests::workload::Program;

use crate::Case;
use crate::expect::Leak;
use crate::lines::{check_holders, mentions};
use crate::scan::scan_of;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("held::after_exec_without_cloexec", after_exec),
    ("held::by_a_process_that_became_another_program", self_exec),
    ("held::taken_with_pidfd_getfd", taken),
    ("held::a_zombie_holds_nothing", zombie),
    ("held::in_another_pid_namespace", pid_namespace),
    ("held::in_a_threads_own_table", thread_table),
    ("held::in_a_threads_copy_of_the_table", thread_copy),
    ("held::an_epoll_holds_nothing", epoll),
];

/// Waits for the finding, compares it with what the workload says, and a scan with it.
#[track_caller]
fn found(leak: &mut Leak, deeds: &[Deed]) -> Line {
    let line = leak.opens("close_wait", Some("eof_unread"), deeds);
    let row = scan_of(&leak.step.value);
    check_holders(&row, &leak.holders());
    check(
        &row,
        &[("process.pid", line.value["process"]["pid"].clone())],
    );
    line
}

/// The same of a socket that only a child of the process that accepted it holds. Where that is seen it is
/// told, and the child is blamed all the same.
#[track_caller]
fn found_at_heir(leak: &mut Leak) -> Line {
    let accepted_by = number(&leak.step.value, "accepted_by");
    found(leak, &[Deed::AcceptedAndLeft(accepted_by)])
}

/// The child that executed another program with the descriptor open is the only one left.
fn after_exec(stage: &Stage) {
    let mut leak = stage.leak(Program::C("held"), &["exec"]);
    let line = found_at_heir(&mut leak);
    let command_line = fs::read(format!("/proc/{}/cmdline", leak.pid())).expect("cmdline");
    let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
    assert!(command_line.contains("--keep"), "{command_line}");
    check(
        &line.value,
        &[("process.command_line", json!(command_line.trim_end()))],
    );
    leak.resolves_when_told_to_close();
}

/// The process that accepted is still the same process, under its new command line.
fn self_exec(stage: &Stage) {
    let mut leak = stage.leak(Program::C("held"), &["self-exec"]);
    let tid = leak.tid();
    let line = found(&mut leak, &[Deed::Accepted(tid)]);
    let command_line = format!(
        "held-anew --resume {} {}",
        leak.step.value["fd"], leak.step.value["peer_pid"]
    );
    check(
        &line.value,
        &[("process.command_line", json!(command_line))],
    );
    leak.resolves_when_told_to_close();
}

/// Nobody sent it: another process took it. The finding goes on until that one has closed it too.
fn taken(stage: &Stage) {
    let mut leak = stage.leak(Program::C("held"), &["pidfd-getfd"]);
    let tid = leak.tid();
    assert_eq!(leak.holders().len(), 2);
    found(&mut leak, &[Deed::Accepted(tid)]);
    leak.workload.say("close");
    leak.workload.step("closed");
    let taker = leak.step.value["holders"][1].clone();
    let row = scan_of(&leak.step.value);
    check_holders(
        &row,
        &[(number(&taker, "pid"), number(&taker, "fd"))].into(),
    );
    let end = leak.resolves_when_told_to_close();
    check(
        &end.value,
        &[("socktrace.leak.closed_by.pid", taker["pid"].clone())],
    );
}

fn zombie(stage: &Stage) {
    let mut leak = stage.leak(Program::C("held"), &["zombie"]);
    let zombie = number(&leak.step.value, "zombie_pid");
    let stat = fs::read_to_string(format!("/proc/{zombie}/stat")).expect("it is still there");
    assert!(stat.contains(") Z "), "{stat}");
    let tid = leak.tid();
    let line = found(&mut leak, &[Deed::Accepted(tid)]);
    assert!(!mentions(&line.value, zombie), "{}", line.raw);
    leak.resolves_when_told_to_close();
}

/// It is process 1 to itself, and is called what the agent's namespace calls it.
fn pid_namespace(stage: &Stage) {
    let mut leak = stage.leak(Program::C("held"), &["pid-namespace"]);
    let status = fs::read_to_string(format!("/proc/{}/status", leak.pid())).expect("status");
    let inner = status.lines().find(|line| line.starts_with("NSpid:"));
    assert!(inner.is_some_and(|line| line.ends_with("\t1")), "{inner:?}");
    let tid = leak.tid();
    found(&mut leak, &[Deed::Accepted(tid)]);
    leak.resolves_when_told_to_close();
}

/// `/proc/PID/fd` does not show it: the thread has a table of its own, from before it accepted.
fn thread_table(stage: &Stage) {
    let mut leak = stage.leak(Program::C("held"), &["thread-table"]);
    own_table(&mut leak, Deed::Accepted);
}

/// The main thread has closed what it accepted; a thread still has a copy of its table.
fn thread_copy(stage: &Stage) {
    let mut leak = stage.leak(Program::C("held"), &["thread-copy"]);
    let accepted_by = number(&leak.step.value, "main_tid");
    own_table(&mut leak, |_| Deed::Accepted(accepted_by));
}

#[track_caller]
fn own_table(leak: &mut Leak, deed: impl Fn(u64) -> Deed) {
    let (pid, tid) = (leak.pid(), leak.tid());
    let shown = format!("/proc/{pid}/fd/{}", leak.step.value["fd"]);
    assert!(fs::read_link(&shown).is_err(), "{shown} is there");
    found(leak, &[deed(tid)]);
    let end = leak.resolves_when_told_to_close();
    check(
        &end.value,
        &[("socktrace.leak.closed_by.comm", json!("own-table"))],
    );
}

/// It knows the socket and reports its events, but closing the last descriptor is the release.
fn epoll(stage: &Stage) {
    let mut leak = stage.leak(Program::C("held"), &["epoll"]);
    found_at_heir(&mut leak);
    leak.resolves_when_told_to_close();
}
