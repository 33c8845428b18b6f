//! The events of `trace`: what tcpstates and tcplife print together.

use std::time::Duration;

use super::super::escape::escape_into;
use super::super::moments::wall;
use super::super::numbers::{push_addr, push_number};
use super::super::words::push;
use super::column::column;
use crate::model::{Host, Lifecycle, LifecycleEvent, TcpState};

/// The columns' names and how many characters they have at least.
const COLUMNS: [(&str, usize); 11] = [
    ("TIME(UTC)", 16),
    ("EVENT", 7),
    ("PID/TID", 13),
    ("COMM", 15),
    ("NETNS", 10),
    ("LOCAL", 21),
    ("REMOTE", 21),
    ("OLD→NEW", 22),
    ("MS", 10),
    ("TX_KB", 7),
    ("RX_KB", 7),
];

/// From this one on they are numbers, which stand at the right.
const NUMBERS: usize = 8;

/// What stands in each of [`COLUMNS`].
const FILLS: [fn(&mut String, &Host, &Lifecycle); COLUMNS.len()] = [
    push_time,
    |out, _, event| {
        out.push_str(match event.what {
            LifecycleEvent::Connect(_) => "connect",
            LifecycleEvent::Accept(_) => "accept",
            LifecycleEvent::StateChange(_) => "state",
            LifecycleEvent::Release(_) => "release",
        });
    },
    |out, _, event| match &event.owner {
        Some(task) => {
            push_number(out, task.tgid.0);
            out.push('/');
            push_number(out, task.tid.0);
        }
        None => out.push('-'),
    },
    |out, _, event| match &event.owner {
        Some(task) => escape_into(task.comm.as_bytes(), out),
        None => out.push('-'),
    },
    |out, _, event| push_number(out, event.what.socket().netns),
    |out, _, event| push_addr(out, event.what.socket().local),
    |out, _, event| push_addr(out, event.what.socket().peer),
    push_states,
    |out, _, event| match took(event) {
        Some(took) => push_millis(out, took),
        None => out.push('-'),
    },
    |out, _, event| push_kilobytes(out, bytes(event).map(|(sent, _)| sent)),
    |out, _, event| push_kilobytes(out, bytes(event).map(|(_, received)| received)),
];

/// The names of the columns.
pub(super) fn heading() -> String {
    let mut out = String::new();
    for (index, (name, width)) in COLUMNS.into_iter().enumerate() {
        column(&mut out, width, index >= NUMBERS, |out| out.push_str(name));
    }
    out
}

/// One event.
///
/// MS is the time spent in the old state, for `connect` the time it took, for `release` the age of the
/// connection. The kilobytes (of 1024 bytes) are those the peer has acknowledged and those received,
/// told when a connection is over. `-` stands for what is not known.
pub(super) fn push_line(out: &mut String, host: &Host, event: &Lifecycle) {
    for (index, ((_, width), fill)) in COLUMNS.into_iter().zip(FILLS).enumerate() {
        column(out, width, index >= NUMBERS, |out| fill(out, host, event));
    }
}

/// `15:04:05.123456Z`.
fn push_time(out: &mut String, host: &Host, event: &Lifecycle) {
    let begin = out.len();
    let time = humantime::format_rfc3339_micros(wall(host, event.at));
    push(out, format_args!("{time}"));
    let date = out
        .get(begin..)
        .and_then(|text| text.find('T'))
        .map_or(0, |at| at + 1);
    out.replace_range(begin..begin + date, "");
}

fn push_states(out: &mut String, _: &Host, event: &Lifecycle) {
    if let LifecycleEvent::StateChange(change) = &event.what {
        out.push_str(change.old.name());
        out.push('→');
    }
    out.push_str(event.what.socket().state.name());
}

fn took(event: &Lifecycle) -> Option<Duration> {
    match &event.what {
        LifecycleEvent::Connect(connect) => Some(event.at.since(connect.started)),
        LifecycleEvent::Accept(_) => None,
        LifecycleEvent::StateChange(_) => event.in_state,
        LifecycleEvent::Release(_) => event.lifetime,
    }
}

/// Sent and acknowledged, and received.
fn bytes(event: &Lifecycle) -> Option<(u64, u64)> {
    match &event.what {
        LifecycleEvent::Connect(_) | LifecycleEvent::Accept(_) => None,
        LifecycleEvent::StateChange(change) => {
            let over = change.socket.state == TcpState::Close;
            over.then_some((change.bytes_acked, change.bytes_received))
        }
        LifecycleEvent::Release(release) => Some((release.bytes_acked, release.bytes_received)),
    }
}

fn push_millis(out: &mut String, d: Duration) {
    push(
        out,
        format_args!("{}.{:03}", d.as_millis(), d.subsec_micros() % 1000),
    );
}

/// Rounded to the nearest tenth.
fn push_kilobytes(out: &mut String, bytes: Option<u64>) {
    let Some(bytes) = bytes else {
        return out.push('-');
    };
    let tenths = (u128::from(bytes) * 10 + 512) / 1024;
    push(out, format_args!("{}.{}", tenths / 10, tenths % 10));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_as_documented() {
        let check = |push: &dyn Fn(&mut String), text: &str| {
            let mut out = String::new();
            push(&mut out);
            assert_eq!(out, text);
        };
        let millis = |ns, text| check(&|out| push_millis(out, Duration::from_nanos(ns)), text);
        millis(61_000_499_999, "61000.499");
        millis(0, "0.000");
        let kilobytes = |bytes, text| check(&|out| push_kilobytes(out, bytes), text);
        kilobytes(Some(0), "0.0");
        kilobytes(Some(51), "0.0");
        kilobytes(Some(52), "0.1");
        kilobytes(Some(1024), "1.0");
        kilobytes(Some(u64::MAX), "18014398509481984.0");
        kilobytes(None, "-");
    }
}
