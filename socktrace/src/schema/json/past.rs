//! What `history` tells: findings as they were last told, counts of minutes, groups.

use serde::Serialize;
use uuid::Uuid;

use super::super::ids::Ids;
use super::super::past::{at, past_message, role, socket};
use super::super::values::{Shown, Untrusted};
use super::line::{
    Endpoint, Event, Line, PlaceFields, QueuedSocket, SocketFields, Sort, Time, Traffic, time,
};
use super::process::{HolderFields, Process, ProcessFields, TaskFields, past_holders};
use crate::model::{Host, Past, PastGroup, PastLosses, PastMinute, Task, Tgid, Tid, WallMicros};

const FINDING: Sort = Sort {
    kind: "state",
    category: &["network", "process"],
    types: &["info"],
    action: "socktrace.history",
    dataset: "socktrace.history",
};

const COUNT: Sort = Sort {
    kind: "metric",
    ..FINDING
};

const SUMMARY: Sort = Sort {
    kind: "metric",
    category: &[],
    types: &[],
    action: "socktrace.history_summary",
    dataset: "socktrace.history_summary",
};

/// Microseconds, as nanoseconds.
fn nanos(micros: WallMicros) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1000)
}

/// A word of ours, unless somebody else wrote it into the database.
fn word(word: Option<&str>) -> Option<Untrusted<'_>> {
    word.map(|word| Untrusted(word.as_bytes()))
}

#[derive(Serialize)]
struct Finding<'a> {
    leak: Leak<'a>,
    socket: QueuedSocket,
    local: Endpoint,
    peer: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceFields<'a>>,
    history: Told,
}

/// When the finding was first and last told.
#[derive(Serialize)]
struct Told {
    first: Time,
    last: Time,
}

#[derive(Serialize)]
struct Leak<'a> {
    id: Shown<Uuid>,
    kind: &'static str,
    phase: Untrusted<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnosis: Option<Untrusted<'a>>,
    cause: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<TaskFields>,
    holders: Vec<HolderFields<'a>>,
    holders_total: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_via: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fd: Option<u32>,
    since_seen: bool,
    episode: u32,
}

/// Appends the line of a finding. `host` counts from 1970.
pub(in super::super) fn past(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    past: &Past,
    out: &mut Vec<u8>,
) {
    let socket = socket(past);
    let role = role(&past.socket.role);
    let end = past.end.as_ref();
    let closed_by = end.and_then(|end| end.by).map(|(pid, tid, comm)| Task {
        tgid: Tgid(pid),
        tid: Tid(tid),
        comm,
    });
    let process = past.process.as_ref();
    let details = Finding {
        leak: Leak {
            id: Shown(Uuid::from_bytes(past.id)),
            kind: past.kind.name(),
            phase: Untrusted(past.phase.as_bytes()),
            diagnosis: word(past.diagnosis.as_deref()),
            cause: end.map(|end| Untrusted(end.cause.as_bytes())),
            closed_by: closed_by.map(TaskFields::from),
            holders: past_holders(&past.holders),
            holders_total: past.holders_total,
            owner_via: word(past.via.as_deref()),
            fd: past.fd,
            since_seen: past.since_seen,
            episode: past.episode,
        },
        socket: QueuedSocket {
            socket: SocketFields::new(&socket, role),
            rx_queue: past.socket.rx_queue,
            tx_queue: past.socket.tx_queue,
        },
        local: socket.local.into(),
        peer: socket.peer.into(),
        place: PlaceFields::past(process, past.socket.netns_name.as_deref()),
        history: Told {
            first: time(host, at(past.told)),
            last: time(host, at(past.updated)),
        },
    };
    let mut event = Event::new(&FINDING, ids, sequence);
    event.start = Some(time(host, at(past.started)));
    event.end = end.map(|end| time(host, at(end.at)));
    let until = end.map_or(past.updated, |end| end.at);
    event.duration = Some(nanos(until.saturating_sub(past.started)));
    let mut line = Line::new(host, at(past.updated), event, details);
    line.message = Some(past_message(past));
    line.process = process
        .map(|process| ProcessFields::Made(Process::past(host, process, past.thread.as_ref())));
    line.traffic = Some(Traffic::new(&socket, role, None));
    line.set_past_place(process);
    line.write(out);
}

#[derive(Serialize)]
struct Minute {
    minute: Counts,
}

#[derive(Serialize)]
struct Counts {
    kind: &'static str,
    state: &'static str,
    /// Open at the minute's end.
    open: u64,
    opened: u64,
    resolved: u64,
}

/// Appends the line of a minute.
pub(in super::super) fn past_minute(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    minute: &PastMinute,
    out: &mut Vec<u8>,
) {
    const MINUTE: WallMicros = 60_000_000;
    let details = Minute {
        minute: Counts {
            kind: minute.kind.name(),
            state: minute.state.name(),
            open: minute.open,
            opened: minute.opened,
            resolved: minute.resolved,
        },
    };
    let mut event = Event::new(&COUNT, ids, sequence);
    event.start = Some(time(host, at(minute.begin)));
    event.end = Some(time(host, at(minute.begin.saturating_add(MINUTE))));
    let mut line = Line::new(host, at(minute.begin), event, details);
    line.process = minute
        .process
        .as_ref()
        .map(|(pid, name)| ProcessFields::Made(Process::named(*pid, name)));
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
    open: u64,
    first: Time,
    last: Time,
}

/// Appends the line of a group.
pub(in super::super) fn past_group(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    by: &str,
    group: &PastGroup,
    out: &mut Vec<u8>,
) {
    let details = Grouped {
        group: Group {
            by,
            key: Untrusted(&group.key),
            count: group.count,
            open: group.open,
            first: time(host, at(group.first)),
            last: time(host, at(group.last)),
        },
    };
    let event = Event::new(&FINDING, ids, sequence);
    Line::new(host, at(group.last), event, details).write(out);
}

#[derive(Serialize)]
struct Summarised {
    history: Summary,
}

#[derive(Serialize)]
struct Summary {
    shown: u64,
    expired: u64,
    displaced: u64,
    unwritten: u64,
}

/// Appends the line of what was shown and what was not kept, as of `now`.
pub(in super::super) fn past_summary(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    (now, shown): (WallMicros, u64),
    losses: &PastLosses,
    out: &mut Vec<u8>,
) {
    let details = Summarised {
        history: Summary {
            shown,
            expired: losses.expired,
            displaced: losses.displaced,
            unwritten: losses.unwritten,
        },
    };
    let event = Event::new(&SUMMARY, ids, sequence);
    Line::new(host, at(now), event, details).write(out);
}
