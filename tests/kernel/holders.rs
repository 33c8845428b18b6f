//! Everybody who holds a socket is told, and only the last close is a release.

use serde_json::{Value, json};
use socktrace_tests::json::{check, number, text};
use socktrace_tests::rung::Deed;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::Leak;
use crate::lines::is_between;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("holders::three_children", three_children),
    ("holders::duplicates", duplicates),
    ("holders::receiver_of_a_message", receiver),
    ("holders::in_flight_is_no_leak", in_flight),
];

/// A parent and three children hold one socket; they let go of it one after the other.
fn three_children(stage: &Stage) {
    let mut leak = stage.leak(Program::C("fork_holders"), &["3"]);
    let (parent, fd) = (leak.pid(), number(&leak.step.value, "fd"));
    let mut holders = leak.holders();
    assert_eq!(holders.len(), 4);
    let pids = leak.step.value["holders"]
        .as_array()
        .expect("holders")
        .clone();
    let child = |n: usize| number(&pids[n], "pid");
    leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(parent)]);

    leak.workload.say("close 1");
    leak.workload.step("closed");
    holders.remove(&(child(1), fd));
    let line = leak.is_held_by(&holders);
    check(&line.value, &[("process.pid", json!(parent))]);

    // Without the one that accepted, the oldest holder stands for all; no thread is guessed.
    leak.workload.say("close");
    leak.workload.step("closed");
    holders.remove(&(parent, fd));
    let line = leak.is_held_by(&holders);
    check(
        &line.value,
        &[
            ("process.pid", json!(child(2))),
            ("socktrace.leak.owner_via", json!("holder")),
            ("process.thread", Value::Null),
        ],
    );

    leak.workload.say("kill 2");
    leak.workload.step("exited");
    leak.workload.say("close 3");
    leak.workload.step("closed");
    let line = leak.resolves("closed");
    check(
        &line.value,
        &[("socktrace.leak.closed_by.pid", json!(child(3)))],
    );
}

fn duplicates(stage: &Stage) {
    let mut leak = stage.leak(Program::C("dup_holders"), &[]);
    let (pid, tid) = (leak.pid(), leak.tid());
    let mut holders = leak.holders();
    assert_eq!(holders.len(), 4);
    leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);

    leak.workload.say("close");
    let closed = leak.workload.step("closed");
    holders.remove(&(pid, number(&closed, "fd")));
    leak.is_held_by(&holders);

    for _ in 0..2 {
        leak.workload.say("close");
        leak.workload.step("closed");
    }
    leak.resolves_when_told_to_close();
}

/// The one that accepted has sent the socket away: the receiver is the only holder.
fn receiver(stage: &Stage) {
    let mut leak = stage.leak(Program::C("scm_rights"), &[]);
    let sender = number(&leak.step.value, "sender_pid");
    let deeds = [Deed::AcceptedAndLeft(sender)];
    let line = leak.opens("close_wait", Some("eof_unread"), &deeds);
    assert_ne!(line.value["process"]["pid"], leak.step.value["sender_pid"]);
    leak.resolves_when_told_to_close();
}

/// A socket that sits in a message has no holder; once it is received it has one, and leaks.
fn in_flight(stage: &Stage) {
    let mut watch = stage.running().watch();
    let mut workload = Workload::start(Program::C("scm_rights"), &["--in-flight"]);
    let sent = workload.step("sent");
    let (local, peer) = (
        text(&sent, "local").to_owned(),
        text(&sent, "peer").to_owned(),
    );
    stage.never_before_next_leak("socket in flight", &mut watch, |line| {
        is_between(line, &local, &peer)
    });
    workload.say("receive");
    let mut leak = Leak::of(stage.hooks(), watch, workload);
    let sender = number(&leak.step.value, "sender_pid");
    let deeds = [Deed::AcceptedAndLeft(sender)];
    leak.opens("close_wait", Some("eof_unread"), &deeds);
    leak.resolves_when_told_to_close();
}
