//! A leak: opened, updated, resolved.

use serde::Serialize;
use uuid::Uuid;

use super::super::ids::Ids;
use super::super::values::{Shown, nanos};
use super::super::words::{finding_process, message, role};
use super::line::{
    Endpoint, Event, Line, PlaceFields, QueuedSocket, SocketFields, Sort, Traffic, time,
};
use super::process::{
    HolderFields, Process, ProcessFields, TaskFields, UserFields, holders, users,
};
use crate::model::{Finding, Host, Phase};

const SORT: Sort = Sort {
    kind: "alert",
    category: &["network", "process"],
    types: &["info"],
    action: "socket.leak",
    dataset: "socktrace.leak",
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
    /// Of a connection in an accept queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<Listener>,
    /// Lines held back since the agent began, before this one: a consumer that finds this number grown and
    /// `event.sequence` without a gap has lost nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back: Option<u64>,
}

/// The accept queue that a connection waits in.
#[derive(Serialize)]
struct Listener {
    /// How many wait.
    queue: u32,
    /// How many may.
    backlog: u32,
}

#[derive(Serialize)]
struct Leak<'a> {
    id: Shown<Uuid>,
    kind: &'static str,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnosis: Option<&'static str>,
    /// `null` until it is resolved.
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<TaskFields>,
    holders: Vec<HolderFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_via: Option<&'static str>,
    /// The descriptor of the blamed process: for `unaccepted`, its listener's.
    #[serde(skip_serializing_if = "Option::is_none")]
    fd: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    threads: Vec<UserFields<'a>>,
    /// False: it was there before anybody looked, and `event.start` is the latest it can have begun.
    since_seen: bool,
    episode: u32,
    /// The incident it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<Shown<Uuid>>,
}

/// Appends the line of a finding.
pub(in super::super) fn finding(
    host: &Host,
    ids: &mut Ids,
    sequence: u64,
    finding: &Finding,
    out: &mut Vec<u8>,
) {
    let leak = &finding.leak;
    let role = role(leak.kind, leak.role);
    let socktrace = details(host, ids, finding);
    let mut event = Event::new(&SORT, ids, sequence);
    event.start = Some(time(host, leak.since));
    event.end = matches!(leak.phase, Phase::Resolved(_)).then(|| time(host, leak.at));
    event.duration = Some(nanos(leak.age()));

    let mut line = Line::new(host, leak.at, event, socktrace);
    line.message = Some(message(finding));
    line.process = Process::blamed(host, ids, finding).map(ProcessFields::Made);
    line.traffic = Some(Traffic::new(&leak.socket, role, None));
    line.set_place(finding_process(finding));
    line.write(out);
}

/// What the native format says of a finding beyond the Elastic Common Schema.
pub(in super::super) fn details<'a>(
    host: &Host,
    ids: &mut Ids,
    finding: &'a Finding,
) -> Socktrace<'a> {
    let leak = &finding.leak;
    let id = ids.leak(leak);
    let (cause, closed_by) = match leak.phase {
        Phase::Resolved(cause) => (Some(cause.name()), cause.released_by()),
        Phase::Open | Phase::Update => (None, None),
    };
    let role = role(leak.kind, leak.role);
    Socktrace {
        leak: Leak {
            id: Shown(id),
            kind: leak.kind.name(),
            phase: leak.phase.name(),
            diagnosis: leak.diagnosis.map(crate::model::Diagnosis::name),
            cause,
            closed_by: closed_by.map(TaskFields::from),
            holders: holders(&leak.holders),
            owner_via: leak.blame.map(|blame| blame.via.name()),
            fd: leak.blame.map(|blame| blame.fd),
            threads: users(host, finding),
            since_seen: leak.since_seen,
            episode: leak.episode,
            incident: ids.incident_of(finding).map(Shown),
        },
        socket: QueuedSocket {
            socket: SocketFields::new(&leak.socket, role),
            rx_queue: leak.seqs.rx_queue(),
            tx_queue: leak.seqs.tx_queue(),
        },
        local: leak.socket.local.into(),
        peer: leak.socket.peer.into(),
        place: PlaceFields::new(finding_process(finding), finding.netns_name.as_deref()),
        listener: leak.queue.map(|queue| Listener {
            queue: queue.waiting,
            backlog: queue.backlog,
        }),
        held_back: finding.membership.map(|membership| membership.held_back),
    }
}
