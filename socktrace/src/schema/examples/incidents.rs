//! Incidents to encode.

use std::time::Duration;

use super::samples::{addr, at, process};
use crate::model::{
    Comm, Culprit, Descriptors, Growth, Incident, IncidentPhase, Kind, NamedIncident, Remote, Tgid,
};

/// Two hundred findings of process 812 within a minute, most lines held back.
pub(in crate::schema) fn incident(phase: IncidentPhase) -> NamedIncident {
    let ended = phase == IncidentPhase::Resolved;
    let open = if ended { 0 } else { 200 };
    NamedIncident {
        incident: Incident {
            phase,
            at: at(5200),
            kind: Kind::CloseWait,
            culprit: Some(Culprit {
                tgid: Tgid(812),
                started: at(812),
                comm: Comm::from_bytes(b"orders"),
            }),
            episode: 0,
            open,
            opened_total: 203,
            resolved_total: 203 - open,
            suppressed: 180,
            first: at(5139),
            last: at(5150),
            ended: ended.then(|| at(5190)),
            growth: Some(Growth {
                milli_per_minute: 12_500,
                window: Duration::from_secs(504),
                samples: 64,
            }),
            remotes: Vec::new(),
            held_back: 1180,
        },
        process: Some(process()),
        descriptors: if ended {
            Descriptors::default()
        } else {
            Descriptors {
                limit: Some(1024),
                open: Some(231),
            }
        },
    }
}

/// What is told as soon as a process leaks its first socket.
pub(in crate::schema) fn first_incident() -> NamedIncident {
    let mut named = incident(IncidentPhase::Open);
    named.incident.open = 1;
    named.incident.opened_total = 1;
    named.incident.resolved_total = 0;
    named.incident.suppressed = 0;
    named.incident.held_back = 0;
    named.incident.last = named.incident.first;
    named.incident.growth = None;
    named
}

/// Connections that two services never close.
pub(in crate::schema) fn half_closed_incident() -> NamedIncident {
    let mut named = incident(IncidentPhase::Update);
    named.incident.kind = Kind::HalfClosed;
    named.incident.suppressed = 0;
    named.incident.growth = named.incident.growth.map(|growth| Growth {
        milli_per_minute: -500,
        ..growth
    });
    named.incident.remotes = vec![
        Remote {
            addr: addr("10.0.0.9:443"),
            open: 150,
        },
        Remote {
            addr: addr("[2001:db8::9]:0"),
            open: 50,
        },
    ];
    named
}

/// Findings that nobody is blamed for.
pub(in crate::schema) fn nobodys_incident() -> NamedIncident {
    let mut named = incident(IncidentPhase::Update);
    named.incident.kind = Kind::Unaccepted;
    named.incident.culprit = None;
    named.process = None;
    named.descriptors = Descriptors::default();
    named
}
