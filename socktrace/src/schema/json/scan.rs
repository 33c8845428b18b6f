//! What `scan` sees.

use serde::Serialize;

use super::super::container::container_id;
use super::super::ids::Ids;
use super::super::values::{Untrusted, nanos};
use super::super::words::{role, scan_message};
use super::line::{Container, Endpoint, Event, Line, QueuedSocket, SocketFields, Sort, Traffic};
use super::process::{HolderFields, Process, holders};
use crate::model::{BootTime, Diagnosis, Host, Kind, OwnerVia, Role, ScanGroup, Scanned};

const SORT: Sort = Sort {
    kind: "state",
    category: &["network", "process"],
    types: &["info"],
    action: "socket.scan",
    dataset: "socktrace.scan",
};

/// What stands under `socktrace`; other formats carry it as it is.
#[derive(Serialize)]
pub(in super::super) struct Socktrace<'a> {
    leak: Leak<'a>,
    socket: QueuedSocket,
    local: Endpoint,
    peer: Endpoint,
}

/// One look has no history: no identity over time, no phase, no thread.
#[derive(Serialize)]
struct Leak<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnosis: Option<&'static str>,
    /// Nanoseconds: for at least so long nothing has moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<u64>,
    holders: Vec<HolderFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_via: Option<&'static str>,
}

/// Appends the line of a scanned socket.
pub(in super::super) fn scanned(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    scanned: &Scanned,
    out: &mut Vec<u8>,
) {
    let event = Event::new(&SORT, ids, sequence);
    let mut line = Line::new(host, scanned.at, event, details(scanned));
    line.message = Some(scan_message(scanned));
    line.process = Process::oldest_holder(host, ids, scanned);
    let role = role(scanned.kind, Role::Unknown);
    line.traffic = Some(Traffic::new(&scanned.socket, role, None));
    let cgroup = scanned
        .process
        .as_ref()
        .and_then(|process| process.cgroup.as_deref());
    line.container = cgroup.and_then(container_id).map(|id| Container { id });
    line.write(out);
}

/// What the native format says of a scanned socket beyond the Elastic Common Schema.
pub(in super::super) fn details(scanned: &Scanned) -> Socktrace<'_> {
    let via = match scanned.kind {
        Kind::Unaccepted => OwnerVia::Listener,
        Kind::CloseWait | Kind::ClosedHeld | Kind::HalfClosed => OwnerVia::Holder,
    };
    let known = scanned.process.is_some() || !scanned.holders.is_empty();
    let role = role(scanned.kind, Role::Unknown);
    Socktrace {
        leak: Leak {
            kind: scanned.kind.name(),
            diagnosis: scanned.diagnosis.map(Diagnosis::name),
            idle: scanned.idle.map(nanos),
            holders: holders(&scanned.holders),
            owner_via: known.then_some(via.name()),
        },
        socket: QueuedSocket {
            socket: SocketFields::new(&scanned.socket, role),
            rx_queue: scanned.seqs.rx_queue(),
            tx_queue: scanned.seqs.tx_queue(),
        },
        local: scanned.socket.local.into(),
        peer: scanned.socket.peer.into(),
    }
}

/// What stands under `socktrace`.
#[derive(Serialize)]
pub(in super::super) struct Grouped<'a> {
    group: Group<'a>,
}

#[derive(Serialize)]
struct Group<'a> {
    by: &'a str,
    key: Untrusted<'a>,
    count: u64,
}

/// Appends the line of a group.
pub(in super::super) fn group(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    at: BootTime,
    by: &str,
    group: &ScanGroup,
    out: &mut Vec<u8>,
) {
    let grouped = group_details(by, group);
    Line::new(host, at, Event::new(&SORT, ids, sequence), grouped).write(out);
}

/// What the native format says of a group beyond the Elastic Common Schema.
pub(in super::super) fn group_details<'a>(by: &'a str, group: &'a ScanGroup) -> Grouped<'a> {
    Grouped {
        group: Group {
            by,
            key: Untrusted(&group.key),
            count: group.count,
        },
    }
}
