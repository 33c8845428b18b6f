//! The parts every line has, and how values are written.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use uuid::Uuid;

use super::super::ids::Ids;
use super::super::moments::wall;
use super::super::values::{Ip, Shown, Untrusted};
use super::super::words::source_and_destination;
use super::process::ProcessFields;
use super::writer;
use crate::model::{self, BootTime, Host, Role, Socket};

/// RFC 3339, microseconds, UTC.
pub(super) type Time = Shown<humantime::Rfc3339Timestamp>;

/// The wall-clock time of `at`, rounded down to microseconds.
pub(super) fn time(host: &Host, at: BootTime) -> Time {
    Shown(humantime::format_rfc3339_micros(wall(host, at)))
}

/// A whole line; `T` is what stands under `socktrace`.
#[derive(Serialize)]
pub(super) struct Line<'a, T> {
    #[serde(rename = "@timestamp")]
    pub(super) timestamp: Time,
    pub(super) ecs: Ecs,
    pub(super) event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<ErrorCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<ProcessFields<'a>>,
    #[serde(flatten)]
    pub(super) traffic: Option<Traffic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Container<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orchestrator: Option<Orchestrator<'a>>,
    #[serde(skip_serializing_if = "HostFields::is_empty")]
    pub(super) host: HostFields<'a>,
    pub(super) socktrace: T,
}

impl<'a, T> Line<'a, T> {
    /// A line with what every line has.
    pub(super) fn new(host: &'a Host, at: BootTime, event: Event, socktrace: T) -> Self {
        Self {
            timestamp: time(host, at),
            ecs: Ecs { version: "9.4.0" },
            event,
            message: None,
            error: None,
            process: None,
            traffic: None,
            container: None,
            orchestrator: None,
            host: HostFields::new(host),
            socktrace,
        }
    }

    /// Says where `process` lives.
    pub(super) fn set_place(&mut self, process: Option<&'a model::Process>) {
        let Some(place) = process.map(|process| &process.place) else {
            return;
        };
        self.container = place.container.as_ref().map(|container| Container {
            id: &container.id,
            runtime: container.runtime,
        });
        self.orchestrator = place.pod_uid.as_deref().map(|id| Orchestrator {
            kind: "kubernetes",
            resource: Resource { kind: "pod", id },
        });
    }

    /// Says where a process of the past lived.
    #[cfg(feature = "history")]
    pub(super) fn set_past_place(&mut self, process: Option<&'a model::PastProcess>) {
        let container = process.and_then(|process| process.container.as_deref());
        self.container = container.map(|id| Container {
            id,
            runtime: process.and_then(|process| process.runtime.as_deref()),
        });
        let pod = process.and_then(|process| process.pod.as_deref());
        self.orchestrator = pod.map(|id| Orchestrator {
            kind: "kubernetes",
            resource: Resource { kind: "pod", id },
        });
    }

    /// Appends the line and its newline.
    pub(super) fn write(&self, out: &mut Vec<u8>)
    where
        T: Serialize,
    {
        let written = writer::write(out, self);
        // It fails where a map has keys that are no strings, or an enumeration has fields: there are none such.
        debug_assert!(written.is_ok(), "{written:?}");
        out.push(b'\n');
    }
}

/// `ecs`.
#[derive(Serialize)]
pub(super) struct Ecs {
    version: &'static str,
}

/// `event`.
#[derive(Serialize)]
pub(super) struct Event {
    kind: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    category: &'static [&'static str],
    #[serde(rename = "type", skip_serializing_if = "<[_]>::is_empty")]
    types: &'static [&'static str],
    action: &'static str,
    dataset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    id: Shown<Uuid>,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<Time>,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<u64>,
}

/// What all lines of one sort have in common under `event`.
pub(super) struct Sort {
    pub(super) kind: &'static str,
    pub(super) category: &'static [&'static str],
    pub(super) types: &'static [&'static str],
    pub(super) action: &'static str,
    pub(super) dataset: &'static str,
}

impl Event {
    /// The event with number `sequence`.
    pub(super) fn new(sort: &Sort, ids: &Ids, sequence: u64) -> Self {
        Self {
            kind: sort.kind,
            category: sort.category,
            types: sort.types,
            action: sort.action,
            dataset: sort.dataset,
            outcome: None,
            id: Shown(ids.event(sort.dataset)),
            sequence,
            start: None,
            end: None,
            duration: None,
        }
    }
}

/// `error`.
#[derive(Serialize)]
pub(super) struct ErrorCode {
    pub(super) code: Cow<'static, str>,
}

/// `container`.
#[derive(Serialize)]
pub(super) struct Container<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<&'a str>,
}

/// `orchestrator`: the pod.
#[derive(Serialize)]
pub(super) struct Orchestrator<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    resource: Resource<'a>,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
}

/// `socktrace.place`: what the Elastic Common Schema has no fields for.
#[derive(Serialize)]
pub(super) struct PlaceFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    systemd_unit: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns_name: Option<Untrusted<'a>>,
}

impl<'a> PlaceFields<'a> {
    /// Where `process` and the socket's namespace are; `None` where nothing is known of it.
    pub(super) fn new(
        process: Option<&'a model::Process>,
        netns_name: Option<&'a [u8]>,
    ) -> Option<Self> {
        let cgroup = process.and_then(|process| process.cgroup.as_deref());
        let unit = process.and_then(|process| process.place.unit.as_deref());
        Self::of(cgroup, unit, netns_name)
    }

    /// The same of a process of the past.
    #[cfg(feature = "history")]
    pub(super) fn past(
        process: Option<&'a model::PastProcess>,
        netns_name: Option<&'a [u8]>,
    ) -> Option<Self> {
        let cgroup = process.and_then(|process| process.cgroup.as_deref());
        let unit = process.and_then(|process| process.unit.as_deref());
        Self::of(cgroup, unit, netns_name)
    }

    fn of(
        cgroup: Option<&'a [u8]>,
        unit: Option<&'a [u8]>,
        netns_name: Option<&'a [u8]>,
    ) -> Option<Self> {
        let known = cgroup.is_some() || unit.is_some() || netns_name.is_some();
        known.then(|| Self {
            cgroup: cgroup.map(Untrusted),
            systemd_unit: unit.map(Untrusted),
            netns_name: netns_name.map(Untrusted),
        })
    }
}

/// `host`.
#[derive(Serialize)]
pub(super) struct HostFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Untrusted<'a>>,
}

impl<'a> HostFields<'a> {
    fn new(host: &'a Host) -> Self {
        let field = |text: &'a str| (!text.is_empty()).then_some(Untrusted(text.as_bytes()));
        Self {
            name: field(&host.name),
            id: field(&host.id),
        }
    }

    fn is_empty(&self) -> bool {
        self.name.is_none() && self.id.is_none()
    }
}

/// An address and a port.
#[derive(Serialize)]
pub(super) struct Endpoint {
    ip: Ip,
    port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self {
            ip: Ip(addr.ip()),
            port: addr.port(),
        }
    }
}

/// `source`, `destination` and `network`.
#[derive(Serialize)]
pub(super) struct Traffic {
    source: End,
    destination: End,
    network: Network,
}

#[derive(Serialize)]
struct End {
    #[serde(flatten)]
    at: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

#[derive(Serialize)]
struct Network {
    transport: &'static str,
    #[serde(rename = "type")]
    version: &'static str,
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// Bytes that have crossed a connection, as the local end counts them.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    pub(super) received: u64,
    pub(super) acked: u64,
}

impl Traffic {
    /// The connection of `socket`, and what has crossed it where that is known.
    pub(super) fn new(socket: &Socket, role: Role, bytes: Option<Bytes>) -> Self {
        let (source, destination) = source_and_destination(socket, role);
        // What the local end had acknowledged is what it sent.
        let (from_source, from_destination) = match role {
            Role::Accepted => (bytes.map(|b| b.received), bytes.map(|b| b.acked)),
            Role::Connected | Role::Unknown => (bytes.map(|b| b.acked), bytes.map(|b| b.received)),
        };
        Self {
            source: End {
                at: source.into(),
                bytes: from_source,
            },
            destination: End {
                at: destination.into(),
                bytes: from_destination,
            },
            network: Network {
                transport: "tcp",
                version: match socket.local.ip().to_canonical() {
                    IpAddr::V4(_) => "ipv4",
                    IpAddr::V6(_) => "ipv6",
                },
                direction: match role {
                    Role::Accepted => "ingress",
                    Role::Connected => "egress",
                    Role::Unknown => "unknown",
                },
                bytes: bytes.map(|b| b.received.saturating_add(b.acked)),
            },
        }
    }
}

/// What `socktrace.socket` begins with on every line.
#[derive(Serialize)]
pub(super) struct SocketFields {
    cookie: u64,
    /// Only where the kernel gives no cookies: this one names the socket for one run of the agent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cookie_synthetic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<u32>,
    netns: u32,
    state: &'static str,
    role: &'static str,
}

impl SocketFields {
    /// `socket`, which came to be as `role` says.
    pub(super) fn new(socket: &Socket, role: Role) -> Self {
        Self {
            cookie: socket.cookie.0,
            cookie_synthetic: socket.cookie_synthetic,
            inode: socket.inode,
            netns: socket.netns,
            state: socket.state.name(),
            role: match role {
                Role::Unknown => "unknown",
                Role::Connected => "connected",
                Role::Accepted => "accepted",
            },
        }
    }
}

/// `socktrace.socket` with its queues.
#[derive(Serialize)]
pub(super) struct QueuedSocket {
    #[serde(flatten)]
    pub(super) socket: SocketFields,
    pub(super) rx_queue: u32,
    pub(super) tx_queue: u32,
}
