//! The events of `trace`.

use std::time::Duration;

use serde::Serialize;

use super::super::ids::Ids;
use super::super::values::nanos;
use super::super::words::errno_name;
use super::line::{Bytes, Endpoint, ErrorCode, Event, Line, SocketFields, Sort, Traffic, time};
use super::process::{Process, ProcessFields};
use crate::model::{BootTime, Host, Lifecycle, LifecycleEvent, TcpState};

const DATASET: &str = "socktrace.trace";

/// What stands under `socktrace`; other formats carry it as it is.
#[derive(Serialize)]
pub(in super::super) struct Socktrace {
    socket: TracedSocket,
    local: Endpoint,
    peer: Endpoint,
}

#[derive(Serialize)]
struct TracedSocket {
    #[serde(flatten)]
    socket: SocketFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_state: Option<&'static str>,
    /// Nanoseconds spent in the state that was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_state_duration: Option<u64>,
    /// Nanoseconds since the connection was connected or accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<u64>,
}

/// What differs from event to event.
struct Facts {
    types: &'static [&'static str],
    outcome: Option<&'static str>,
    start: Option<BootTime>,
    duration: Option<Duration>,
    bytes: Option<Bytes>,
    error: Option<u32>,
}

/// Appends the line of a lifecycle event.
pub(in super::super) fn lifecycle(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    lifecycle: &Lifecycle,
    out: &mut Vec<u8>,
) {
    let facts = facts(lifecycle);
    let socket = lifecycle.what.socket();
    let socktrace = details(lifecycle);
    let sort = Sort {
        kind: "event",
        category: &["network"],
        types: facts.types,
        action: lifecycle.what.action(),
        dataset: DATASET,
    };
    let mut event = Event::new(&sort, ids, sequence);
    event.outcome = facts.outcome;
    event.start = facts.start.map(|start| time(host, start));
    event.duration = facts.duration.map(nanos);

    let mut line = Line::new(host, lifecycle.at, event, socktrace);
    line.error = facts.error.map(|errno| ErrorCode {
        code: errno_name(errno),
    });
    line.process = lifecycle
        .owner
        .as_ref()
        .map(Process::of_task)
        .map(ProcessFields::Made);
    line.traffic = Some(Traffic::new(socket, lifecycle.role, facts.bytes));
    line.write(out);
}

/// What the native format says of an event beyond the Elastic Common Schema.
pub(in super::super) fn details(lifecycle: &Lifecycle) -> Socktrace {
    let socket = lifecycle.what.socket();
    let old_state = match &lifecycle.what {
        LifecycleEvent::StateChange(change) => Some(change.old.name()),
        _ => None,
    };
    Socktrace {
        socket: TracedSocket {
            socket: SocketFields::new(socket, lifecycle.role),
            old_state,
            old_state_duration: lifecycle.in_state.map(nanos),
            lifetime: lifecycle.lifetime.map(nanos),
        },
        local: socket.local.into(),
        peer: socket.peer.into(),
    }
}

/// One `start` (connected or accepted) and one `end` (released) a connection; the rest is `info`.
fn facts(lifecycle: &Lifecycle) -> Facts {
    const START: &[&str] = &["connection", "start"];
    const INFO: &[&str] = &["connection", "info"];
    const END: &[&str] = &["connection", "end"];
    let plain = |types| Facts {
        types,
        outcome: None,
        start: None,
        duration: None,
        bytes: None,
        error: None,
    };
    match &lifecycle.what {
        LifecycleEvent::Connect(connect) => {
            let failed = connect.socket.state == TcpState::Close;
            Facts {
                outcome: Some(if failed { "failure" } else { "success" }),
                start: Some(connect.started),
                duration: Some(lifecycle.at.since(connect.started)),
                ..plain(if failed { INFO } else { START })
            }
        }
        LifecycleEvent::Accept(_) => plain(START),
        LifecycleEvent::StateChange(change) => Facts {
            error: change.error,
            // Only then do the counters stand still.
            bytes: (change.socket.state == TcpState::Close).then_some(Bytes {
                received: change.bytes_received,
                acked: change.bytes_acked,
            }),
            ..plain(INFO)
        },
        LifecycleEvent::Release(release) => Facts {
            start: release.opened,
            duration: lifecycle.lifetime,
            bytes: Some(Bytes {
                received: release.bytes_received,
                acked: release.bytes_acked,
            }),
            ..plain(END)
        },
    }
}
