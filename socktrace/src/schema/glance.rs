//! What a counterpart has to be told of a line besides the line.

use std::time::UNIX_EPOCH;

use serde::Deserialize;

use super::values::nanos;

/// Facts of a line of [`super::Format::Json`] or [`super::Format::Ocsf`].
///
/// They are read from the line itself, so that a line needs nothing beside it while it waits, be it in memory or
/// on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// `event.id`.
    pub id: Option<String>,
    /// When it happened: nanoseconds since 1970.
    pub at: Option<u64>,
    /// `socktrace.leak.id`, or that of the incident, where it is about one.
    pub subject: Option<String>,
    /// For people.
    pub message: Option<String>,
    /// `event.action`.
    pub action: Option<String>,
    /// The kind of leak it is about.
    pub kind: Option<String>,
    /// `host.name`.
    pub host: Option<String>,
}

/// The fields of both formats that are of interest.
#[derive(Deserialize)]
struct Line {
    message: Option<String>,
    finding_info: Option<Metadata>,
    #[serde(rename = "@timestamp")]
    timestamp: Option<String>,
    event: Option<Event>,
    host: Option<Host>,
    socktrace: Option<Own>,
    /// OCSF: milliseconds since 1970.
    time: Option<u64>,
    metadata: Option<Metadata>,
    device: Option<Device>,
    unmapped: Option<Unmapped>,
}

#[derive(Deserialize)]
struct Event {
    id: Option<String>,
    action: Option<String>,
}

#[derive(Deserialize)]
struct Host {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Own {
    leak: Option<Kinded>,
    incident: Option<Kinded>,
}

#[derive(Deserialize)]
struct Kinded {
    id: Option<String>,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    uid: Option<String>,
    event_code: Option<String>,
}

#[derive(Deserialize)]
struct Device {
    hostname: Option<String>,
}

#[derive(Deserialize)]
struct Unmapped {
    socktrace: Option<Own>,
}

impl Glance {
    /// What `line` tells; nothing if it is of another format.
    #[must_use]
    pub fn of(line: &[u8]) -> Self {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            return Self::default();
        };
        let (event_id, event_action) = line.event.map_or((None, None), |e| (e.id, e.action));
        let (uid, code) = line
            .metadata
            .map_or((None, None), |m| (m.uid, m.event_code));
        let own = line.socktrace.or(line.unmapped.and_then(|u| u.socktrace));
        let kinded = own.and_then(|own| own.leak.or(own.incident));
        let (subject, kind) = kinded.map_or((None, None), |kinded| (kinded.id, kinded.kind));
        let wall = line.timestamp.and_then(|text| {
            let time = humantime::parse_rfc3339(&text).ok()?;
            Some(nanos(time.duration_since(UNIX_EPOCH).ok()?))
        });
        Self {
            id: event_id.or(uid),
            at: wall.or(line.time.and_then(|millis| millis.checked_mul(1_000_000))),
            action: event_action.or(code),
            subject: subject.or(line.finding_info.and_then(|info| info.uid)),
            message: line.message,
            kind,
            host: line
                .host
                .and_then(|host| host.name)
                .or(line.device.and_then(|device| device.hostname)),
        }
    }
}
