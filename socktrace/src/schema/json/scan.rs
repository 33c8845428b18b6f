//! What `scan` sees.

use std::net::IpAddr;

use serde::Serialize;

use super::super::ids::Ids;
use super::super::values::{Shown, Untrusted, nanos};
use super::super::words::{role, scan_message};
use super::line::{Endpoint, Event, Line, PlaceFields, QueuedSocket, SocketFields, Sort, Traffic};
use super::process::{HolderFields, LastProcess, holders};
use crate::model::{
    BootTime, Closed, Diagnosis, Host, Kind, OwnerVia, Role, ScanGroup, ScanSummary, Scanned,
};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceFields<'a>>,
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
    last: &mut LastProcess,
    sequence: u64,
    scanned: &Scanned,
    out: &mut Vec<u8>,
) {
    let event = Event::new(&SORT, ids, sequence);
    let mut line = Line::new(host, scanned.at, event, details(scanned));
    line.message = Some(scan_message(scanned));
    line.process = last.oldest_holder(host, ids, scanned);
    let role = role(scanned.kind, Role::Unknown);
    line.traffic = Some(Traffic::new(&scanned.socket, role, None));
    line.set_place(scanned.process.as_deref());
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
        place: PlaceFields::new(scanned.process.as_deref(), scanned.netns_name.as_deref()),
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

const SUMMARY: Sort = Sort {
    kind: "metric",
    category: &["network"],
    types: &["info"],
    action: "socket.scan_summary",
    dataset: "socktrace.scan_summary",
};

#[derive(Serialize)]
struct Summarised<'a> {
    summary: Summary<'a>,
}

/// `socktrace.summary`.
#[derive(Serialize)]
struct Summary<'a> {
    source: &'static str,
    closed: ClosedFields,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fin_wait2: Vec<Remote>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

/// `socktrace.summary.closed`: held sockets, and the kernel's counts that `ss -s` reckons with.
#[derive(Serialize)]
struct ClosedFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    never_connected: Option<u64>,
    /// Either of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    printed_by_ss: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocated: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_use: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_wait: Option<u64>,
}

#[derive(Serialize)]
struct Remote {
    ip: Shown<IpAddr>,
    count: u64,
}

/// Appends the line of a summary.
pub(in super::super) fn scan_summary(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    summary: &ScanSummary,
    out: &mut Vec<u8>,
) {
    let counts = summary.counts;
    let (held, never_connected, unlisted) = match summary.closed {
        Closed::Seen {
            over,
            never_connected,
        } => (Some(over), Some(never_connected), None),
        Closed::Unlisted(count) => (None, None, Some(count)),
    };
    let remote = |(ip, count): &(IpAddr, u64)| Remote {
        ip: Shown(*ip),
        count: *count,
    };
    let summarised = Summarised {
        summary: Summary {
            source: summary.source,
            closed: ClosedFields {
                held,
                never_connected,
                unlisted,
                printed_by_ss: counts.map(crate::model::SocketCounts::closed_in_ss),
                allocated: counts.map(|counts| counts.allocated),
                in_use: counts.map(|counts| counts.in_use),
                time_wait: counts.map(|counts| counts.time_wait),
            },
            fin_wait2: summary.fin_wait2.iter().map(remote).collect(),
            missing: &summary.missing,
        },
    };
    Line::new(
        host,
        summary.at,
        Event::new(&SUMMARY, ids, sequence),
        summarised,
    )
    .write(out);
}
