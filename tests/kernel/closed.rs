//! Sockets whose connection is over and whose descriptor is still held.

use serde_json::{Value, json};
use socktrace_tests::json::check;
use socktrace_tests::rung::Deed;
use socktrace_tests::workload::Program;

use crate::Case;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("closed::by_reset", |stage| {
        closed(stage, "closed_by_reset", "reset");
    }),
    ("closed::after_fin", |stage| {
        closed(stage, "closed_after_fin", "after_fin");
    }),
    (
        "closed::a_close_wait_that_closes_is_the_same_leak",
        same_leak,
    ),
];

/// The addresses are still told, as they were before the end.
fn closed(stage: &Stage, workload: &'static str, diagnosis: &str) {
    let mut leak = stage.leak(Program::C(workload), &[]);
    let tid = leak.tid();
    let line = leak.opens("closed_held", Some(diagnosis), &[Deed::Accepted(tid)]);
    leak.came_in_time(&line);
    check(&line.value, &[("socktrace.socket.state", json!("CLOSE"))]);
    leak.resolves_when_told_to_close();
}

/// The program finishes a leaked connection without another byte of data: that makes it another kind
/// of leak, but not another leak.
fn same_leak(stage: &Stage) {
    let mut leak = stage.leak(Program::C("close_wait"), &[]);
    let tid = leak.tid();
    let open = leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    let same: [(&str, Value); 2] = [
        (
            "socktrace.leak.id",
            open.value["socktrace"]["leak"]["id"].clone(),
        ),
        ("event.start", open.value["event"]["start"].clone()),
    ];

    leak.workload.say("shutdown");
    leak.workload.step("shut_down");
    let update = leak.becomes("closed_held");
    check(&update.value, &same);
    check(
        &update.value,
        &[
            ("socktrace.socket.state", json!("CLOSE")),
            ("socktrace.leak.diagnosis", json!("after_fin")),
        ],
    );

    let end = leak.resolves_when_told_to_close();
    check(&end.value, &same);
}
