//! Which threads used a socket, as a finding tells it.

use serde_json::Value;
use socktrace_tests::json::{field, number, text};
use socktrace_tests::rung::{AcceptHook, Deed, Hooks, IoHook};

/// How many distinct threads that moved bytes are remembered.
const REMEMBERED: usize = 3;

/// Asserts that a finding tells of everybody who used its socket, as far as these hooks can see it: the last
/// ones that moved bytes, newest first, then the one that opened it, each with a time that fits.
#[track_caller]
pub(crate) fn check_users(hooks: &Hooks, line: &Value, deeds: &[Deed]) {
    let threads = field(line, "socktrace.leak.threads").as_array();
    let threads: Vec<&Value> = threads.into_iter().flatten().collect();
    let told: Vec<(u64, &str)> = threads
        .iter()
        .map(|used| (number(used, "tid"), text(used, "op")))
        .collect();
    assert_eq!(told, seen(hooks, deeds), "threads in {line}");
    let times: Vec<&str> = threads.iter().map(|used| text(used, "at")).collect();
    // They are all of one form, so that their order is that of the texts.
    let is_past = |at: &&str| !at.is_empty() && **at <= *text(line, "@timestamp");
    assert!(times.iter().all(is_past), "times in {line}");
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first in {line}");
}

/// What these hooks see of what was done, oldest first.
fn seen(hooks: &Hooks, deeds: &[Deed]) -> Vec<(u64, &'static str)> {
    let mut used: Vec<(u64, &str)> = Vec::new();
    let mut opened = None;
    for deed in deeds {
        let (tid, op, is_seen) = match *deed {
            Deed::Connected(tid) => {
                opened = Some((tid, "connect"));
                continue;
            }
            Deed::Accepted(tid) | Deed::AcceptedAndLeft(tid) => {
                opened = (hooks.accept != AcceptHook::None).then_some((tid, "accept"));
                continue;
            }
            Deed::Read(tid) => (tid, "recv", hooks.io != IoHook::None),
            Deed::Wrote(tid) => (tid, "send", hooks.io == IoHook::SockLength),
            Deed::ReadEnd(tid) => (tid, "eof", hooks.io == IoHook::SockLength),
        };
        if is_seen {
            used.retain(|(other, _)| *other != tid);
            used.insert(0, (tid, op));
        }
    }
    used.truncate(REMEMBERED);
    used.extend(opened);
    used
}
