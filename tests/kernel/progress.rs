//! Bytes that trickle keep a connection from being a leak, and its age counts from the last of them.

use std::time::Duration;

use serde_json::Value;
use socktrace_tests::json::{number, text};
use socktrace_tests::log::Line;
use socktrace_tests::rung::{Deed, IoHook};
use socktrace_tests::wait::stretched;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::Leak;
use crate::lines::is_between;
use crate::stage::{LEAK_AFTER, Stage};

pub(crate) const CASES: &[Case] = &[
    ("progress::what_the_peer_left_is_read_slowly", |stage| {
        trickle(stage, "read", "close_wait", Some("unread_data"));
    }),
    ("progress::the_other_half_still_streams", |stage| {
        trickle(stage, "half-closed", "half_closed", None);
    }),
];

/// How exactly the time of the last byte is known where threads are seen moving bytes.
const EXACT: Duration = Duration::from_millis(100);

fn trickle(stage: &Stage, way: &str, kind: &str, diagnosis: Option<&str>) {
    let mut watch = stage.running().watch();
    let mut workload = Workload::start(Program::C("trickle"), &[way]);
    let step = workload.step("trickling");
    let is_mine = |line: &Value| is_between(line, text(&step, "local"), text(&step, "peer"));
    watch.never("connection that moves", 2 * LEAK_AFTER, is_mine);
    stage.never_before_next_leak("connection that moves", &mut watch, is_mine);
    workload.say("stop");
    let mut leak = Leak::of(stage.hooks(), watch, workload);
    let deeds = [Deed::Accepted(leak.pid()), Deed::Read(leak.tid())];
    let line = leak.opens(kind, diagnosis, &deeds);
    since_the_last_byte(stage, &leak, &line);
    leak.resolves_when_told_to_close();
}

/// The age is that since the last byte; where no thread is seen moving bytes, it is less by the time the
/// agent took to see it.
#[track_caller]
fn since_the_last_byte(stage: &Stage, leak: &Leak, line: &Line) {
    let idle = Duration::from_millis(number(&leak.step.value, "idle_ms"));
    let truth = line.read_at.since(leak.step.read_at) + idle;
    let age = Duration::from_nanos(number(&line.value, "event.duration"));
    let less = if stage.hooks().io == IoHook::None {
        2 * LEAK_AFTER
    } else {
        stretched(EXACT)
    };
    assert!(
        age <= truth + stretched(EXACT) && truth <= age + less + stretched(EXACT),
        "told to be idle for {age:?}, is for {truth:?}: {}",
        line.raw
    );
}
