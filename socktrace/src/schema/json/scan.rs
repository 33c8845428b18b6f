//! What `scan` sees.

use serde::Serialize;

use super::super::container::container_id;
use super::super::ids::Ids;
use super::super::words::{role, scan_message};
use super::line::{
    Container, Endpoint, Event, Line, QueuedSocket, SocketFields, Sort, Traffic, Untrusted, nanos,
};
use super::process::{HolderFields, Process, holders};
use crate::model::{BootTime, Diagnosis, Host, Kind, OwnerVia, Role, ScanGroup, Scanned};

const SORT: Sort = Sort {
    kind: "state",
    category: &["network", "process"],
    types: &["info"],
    action: "socket.scan",
    dataset: "socktrace.scan",
};

#[derive(Serialize)]
struct Socktrace<'a> {
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
    let process = Process::oldest_holder(host, ids, scanned);
    let via = match scanned.kind {
        Kind::Unaccepted => OwnerVia::Listener,
        Kind::CloseWait | Kind::ClosedHeld | Kind::HalfClosed => OwnerVia::Holder,
    };
    let role = role(scanned.kind, Role::Unknown);
    let socktrace = Socktrace {
        leak: Leak {
            kind: scanned.kind.name(),
            diagnosis: scanned.diagnosis.map(Diagnosis::name),
            idle: scanned.idle.map(nanos),
            holders: holders(&scanned.holders),
            owner_via: process.is_some().then_some(via.name()),
        },
        socket: QueuedSocket {
            socket: SocketFields::new(&scanned.socket, role),
            rx_queue: scanned.seqs.rx_queue(),
            tx_queue: scanned.seqs.tx_queue(),
        },
        local: scanned.socket.local.into(),
        peer: scanned.socket.peer.into(),
    };
    let mut line = Line::new(
        host,
        scanned.at,
        Event::new(&SORT, ids, sequence),
        socktrace,
    );
    line.message = Some(scan_message(scanned));
    line.process = process;
    line.traffic = Some(Traffic::new(&scanned.socket, role, None));
    let cgroup = scanned
        .process
        .as_ref()
        .and_then(|process| process.cgroup.as_deref());
    line.container = cgroup.and_then(container_id).map(|id| Container { id });
    line.write(out);
}

#[derive(Serialize)]
struct Grouped<'a> {
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
    let grouped = Grouped {
        group: Group {
            by,
            key: Untrusted(&group.key),
            count: group.count,
        },
    };
    Line::new(host, at, Event::new(&SORT, ids, sequence), grouped).write(out);
}
