//! Network Activity (4001): the events of `trace`.

use std::borrow::Cow;

use serde::Serialize;

use super::super::ids::Ids;
use super::super::json;
use super::super::values::{millis, unix_millis};
use super::super::words::errno_name;
use super::event::{Activity, Event, Place, Severity, Sort};
use super::objects::{Connection, Process};
use crate::model::{Host, Lifecycle, LifecycleEvent, TcpState};

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor<'a>>,
    #[serde(flatten)]
    connection: Connection,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<Traffic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<Cow<'static, str>>,
}

#[derive(Serialize)]
struct Actor<'a> {
    process: Process<'a>,
}

/// As the local end counts it.
#[derive(Serialize)]
struct Traffic {
    bytes_in: u64,
    bytes_out: u64,
    bytes: u64,
}

impl Traffic {
    fn new(received: u64, acked: u64) -> Self {
        Self {
            bytes_in: received,
            bytes_out: acked,
            bytes: received.saturating_add(acked),
        }
    }
}

/// `status_id`.
const SUCCESS: u32 = 1;
const FAILURE: u32 = 2;

/// Appends the line of a lifecycle event.
pub(in super::super) fn lifecycle(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    lifecycle: &Lifecycle,
    out: &mut Vec<u8>,
) {
    let activity = match &lifecycle.what {
        LifecycleEvent::Connect(connect) if connect.socket.state == TcpState::Close => {
            Activity(4, None)
        }
        LifecycleEvent::Connect(_) | LifecycleEvent::Accept(_) => Activity(1, None),
        LifecycleEvent::StateChange(_) => Activity::other("State Change"),
        LifecycleEvent::Release(_) => Activity(2, None),
    };
    let mut body = Body {
        actor: lifecycle.owner.as_ref().map(|task| Actor {
            process: Process::of_task(task),
        }),
        connection: Connection::new(lifecycle.what.socket(), lifecycle.role),
        traffic: None,
        status_id: None,
        status_code: None,
    };
    let mut start = None;
    match &lifecycle.what {
        LifecycleEvent::Connect(connect) => {
            let failed = connect.socket.state == TcpState::Close;
            body.status_id = Some(if failed { FAILURE } else { SUCCESS });
            start = Some(connect.started);
        }
        LifecycleEvent::Accept(_) => {}
        LifecycleEvent::StateChange(change) => {
            body.status_code = change.error.map(errno_name);
            body.status_id = change.error.map(|_| FAILURE);
            // Only then do the counters stand still.
            body.traffic = (change.socket.state == TcpState::Close)
                .then(|| Traffic::new(change.bytes_received, change.bytes_acked));
        }
        LifecycleEvent::Release(release) => {
            body.traffic = Some(Traffic::new(release.bytes_received, release.bytes_acked));
            start = release.opened;
        }
    }
    let sort = Sort {
        class_uid: 4001,
        category_uid: 4,
        dataset: "socktrace.trace",
        action: lifecycle.what.action(),
    };
    let place = Place {
        host,
        at: lifecycle.at,
        sequence,
    };
    let details = json::lifecycle_details(lifecycle);
    let severity = Severity::Informational;
    let mut event = Event::new(&sort, activity, severity, place, ids, body, details);
    event.start_time = start.map(|start| unix_millis(host, start));
    event.duration = start.map(|start| millis(lifecycle.at.since(start)));
    event.write(out);
}
