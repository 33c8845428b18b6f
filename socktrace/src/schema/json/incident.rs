//! All findings of a process and kind: opened, updated, resolved.

use std::net::IpAddr;

use serde::Serialize;
use uuid::Uuid;

use super::super::ids::Ids;
use super::super::incident::{growth_number, incident_message, incident_process};
use super::super::values::{Shown, nanos};
use super::line::{Event, Line, Sort, Time, time};
use super::process::{Process, ProcessFields};
use crate::model::{Host, IncidentPhase, NamedIncident, Remote};

const SORT: Sort = Sort {
    kind: "alert",
    category: &["network", "process"],
    types: &["info"],
    action: "process.leak",
    dataset: "socktrace.incident",
};

/// What stands under `socktrace`; other formats carry it as it is.
#[derive(Serialize)]
pub(in super::super) struct Socktrace {
    incident: Fields,
    /// Lines held back since the agent began, by all incidents.
    held_back: u64,
}

#[derive(Serialize)]
struct Fields {
    id: Shown<Uuid>,
    kind: &'static str,
    phase: &'static str,
    episode: u32,
    open: u64,
    opened_total: u64,
    resolved_total: u64,
    suppressed: u64,
    first: Time,
    last: Time,
    /// Of what is unknown there is a `null`.
    growth_per_minute: Option<f64>,
    nofile_limit: Option<u64>,
    open_fds: Option<u64>,
    exhausted_at: Option<Time>,
    basis: Option<Basis>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remotes: Vec<RemoteFields>,
}

/// What growth and forecast rest on.
#[derive(Serialize)]
struct Basis {
    method: &'static str,
    /// Nanoseconds.
    window: u64,
    samples: u32,
}

#[derive(Serialize)]
struct RemoteFields {
    ip: Shown<IpAddr>,
    /// Absent where any port is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    open: u32,
}

/// Appends the line of an incident.
pub(in super::super) fn incident(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    named: &NamedIncident,
    out: &mut Vec<u8>,
) {
    let incident = &named.incident;
    let mut event = Event::new(&SORT, ids, sequence);
    event.start = Some(time(host, incident.first));
    if incident.phase == IncidentPhase::Resolved {
        event.end = incident.ended.map(|ended| time(host, ended));
    }
    let until = incident.ended.unwrap_or(incident.at);
    event.duration = Some(nanos(until.since(incident.first)));
    let mut line = Line::new(host, incident.at, event, details(host, ids, named));
    line.message = Some(incident_message(named));
    line.process = Process::culprit(host, ids, named).map(ProcessFields::Made);
    line.set_place(incident_process(named));
    line.write(out);
}

/// What the native format says of an incident beyond the Elastic Common Schema.
pub(in super::super) fn details(host: &Host, ids: &Ids, named: &NamedIncident) -> Socktrace {
    let incident = &named.incident;
    let fields = Fields {
        id: Shown(ids.incident(incident)),
        kind: incident.kind.name(),
        phase: incident.phase.name(),
        episode: incident.episode,
        open: incident.open,
        opened_total: incident.opened_total,
        resolved_total: incident.resolved_total,
        suppressed: incident.suppressed,
        first: time(host, incident.first),
        last: time(host, incident.last),
        growth_per_minute: incident.growth.map(growth_number),
        nofile_limit: named.descriptors.limit,
        open_fds: named.descriptors.open,
        exhausted_at: named.exhausted_at().map(|at| time(host, at)),
        basis: incident.growth.map(|growth| Basis {
            method: "theil_sen",
            window: nanos(growth.window),
            samples: growth.samples,
        }),
        remotes: incident.remotes.iter().map(RemoteFields::from).collect(),
    };
    Socktrace {
        incident: fields,
        held_back: incident.held_back,
    }
}

impl From<&Remote> for RemoteFields {
    fn from(remote: &Remote) -> Self {
        Self {
            ip: Shown(remote.addr.ip().to_canonical()),
            port: Some(remote.addr.port()).filter(|port| *port != 0),
            open: remote.open,
        }
    }
}
