//! Questions that cases ask of a line.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::json::{field, number, text};

use crate::stage::LEAK_AFTER;

/// Whether a line is about the socket with these ends, as `address:port`.
pub(crate) fn is_between(line: &Value, local: &str, peer: &str) -> bool {
    end_in(line, "socktrace.local").as_deref() == Some(local)
        && end_in(line, "socktrace.peer").as_deref() == Some(peer)
}

/// Whether a line speaks of a process, as the blamed one, as a holder or as the one that closed.
pub(crate) fn mentions(line: &Value, pid: u64) -> bool {
    let is = |path: &str| field(line, path).as_u64() == Some(pid);
    is("process.pid")
        || is("socktrace.leak.closed_by.pid")
        || holders_in(line).iter().any(|(holder, _)| *holder == pid)
}

/// `socktrace.leak.holders` as pairs of pid and fd.
pub(crate) fn holders_in(line: &Value) -> BTreeSet<(u64, u64)> {
    let holders = field(line, "socktrace.leak.holders")
        .as_array()
        .into_iter()
        .flatten();
    holders
        .map(|holder| (number(holder, "pid"), number(holder, "fd")))
        .collect()
}

/// Asserts who holds the socket.
#[track_caller]
pub(crate) fn check_holders(line: &Value, expected: &BTreeSet<(u64, u64)>) {
    assert_eq!(&holders_in(line), expected, "holders in {line}");
}

/// An `{ip, port}` as `address:port`.
pub(crate) fn end_in(line: &Value, path: &str) -> Option<String> {
    let ip = text(line, &format!("{path}.ip")).parse().ok()?;
    let port = u16::try_from(field(line, &format!("{path}.port")).as_u64()?).ok()?;
    Some(SocketAddr::new(ip, port).to_string())
}

/// Asserts an `{ip, port}`.
#[track_caller]
pub(crate) fn check_end(line: &Value, path: &str, expected: SocketAddr) {
    assert_eq!(
        end_in(line, path),
        Some(expected.to_string()),
        "{path} in {line}"
    );
}

/// Asserts that the start, the duration and the time of a finding agree, and that it is older than
/// leak-after.
#[track_caller]
pub(crate) fn check_age(line: &Value) {
    let duration = Duration::from_nanos(number(line, "event.duration"));
    assert!(duration >= LEAK_AFTER, "reported before leak-after: {line}");
    let [start, at] = ["event.start", "@timestamp"].map(|path| {
        let when = humantime::parse_rfc3339(text(line, path));
        when.unwrap_or_else(|err| panic!("{path}: {err} in {line}"))
    });
    let between = at.duration_since(start).expect("a start before the line");
    let error = between.abs_diff(duration);
    assert!(
        error < Duration::from_millis(1),
        "start, duration and time differ by {error:?}: {line}"
    );
}
