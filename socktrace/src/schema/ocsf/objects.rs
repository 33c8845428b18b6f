//! Processes, endpoints and connections.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use uuid::Uuid;

use super::super::ids::Ids;
use super::super::incident::{facts, incident_container};
use super::super::values::{Shown, Untrusted, unix_millis};
use super::super::words::{finding_container, finding_process, oldest, source_and_destination};
use crate::model::{
    self, BootTime, Finding, Host, NamedIncident, Role, Scanned, Socket, Task, Tgid,
};

/// `process`.
#[derive(Serialize)]
pub(super) struct Process<'a> {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cmd_line: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<u64>,
    /// The native format's `process.entity_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<Shown<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "parent_process")]
    parent: Option<Parent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<Container<'a>>,
}

/// The executable; 1 is a regular file.
#[derive(Serialize)]
struct File<'a> {
    name: Untrusted<'a>,
    path: Untrusted<'a>,
    type_id: u32,
}

#[derive(Serialize)]
struct User {
    uid: Shown<u32>,
}

#[derive(Serialize)]
struct Parent {
    pid: u32,
}

#[derive(Serialize)]
struct Container<'a> {
    uid: &'a str,
}

impl<'a> Process<'a> {
    /// The blamed process of a finding.
    pub(super) fn blamed(host: &Host, ids: &Ids, finding: &'a Finding) -> Option<Self> {
        let blame = finding.leak.blame.as_ref()?;
        let mut process = match finding_process(finding) {
            Some(facts) => Self::read(host, ids, facts),
            None => Self::known(host, ids, blame.tgid, blame.started, blame.comm.as_bytes()),
        };
        process.tid = blame.tid.map(|tid| tid.0);
        process.container = finding_container(finding).map(|uid| Container { uid });
        Some(process)
    }

    /// The process of an incident.
    pub(super) fn culprit(host: &Host, ids: &Ids, named: &'a NamedIncident) -> Option<Self> {
        let culprit = named.incident.culprit.as_ref()?;
        let mut process = if let Some(facts) = facts(named, culprit) {
            Self::read(host, ids, facts)
        } else {
            let comm = culprit.comm.as_bytes();
            Self::known(host, ids, culprit.tgid, culprit.started, comm)
        };
        process.container = incident_container(named).map(|uid| Container { uid });
        Some(process)
    }

    /// The oldest holder of a scanned socket.
    pub(super) fn oldest_holder(host: &Host, ids: &Ids, scanned: &'a Scanned) -> Option<Self> {
        if let Some(facts) = &scanned.process {
            return Some(Self::read(host, ids, facts));
        }
        let oldest = oldest(&scanned.holders)?;
        let comm = oldest.comm.as_bytes();
        Some(Self::known(host, ids, oldest.tgid, oldest.started, comm))
    }

    /// The process of a thread whose name, as it was then, is all that is known.
    pub(super) fn of_task(task: &'a Task) -> Self {
        let leads = task.tid.0 == task.tgid.0;
        Self {
            tid: Some(task.tid.0),
            name: leads.then_some(Untrusted(task.comm.as_bytes())),
            ..Self::unknown(task.tgid)
        }
    }

    fn read(host: &Host, ids: &Ids, facts: &'a model::Process) -> Self {
        Self {
            cmd_line: facts.command_line.as_deref().map(Untrusted),
            file: facts.executable.as_deref().map(File::at),
            user: facts.uid.map(|uid| User { uid: Shown(uid) }),
            parent: facts.parent.map(|parent| Parent { pid: parent.0 }),
            ..Self::known(host, ids, facts.tgid, facts.started, &facts.name)
        }
    }

    fn known(host: &Host, ids: &Ids, tgid: Tgid, started: BootTime, name: &'a [u8]) -> Self {
        Self {
            name: (!name.is_empty()).then_some(Untrusted(name)),
            created_time: Some(unix_millis(host, started)),
            uid: Some(Shown(ids.process(tgid, started))),
            ..Self::unknown(tgid)
        }
    }

    fn unknown(tgid: Tgid) -> Self {
        Self {
            pid: tgid.0,
            tid: None,
            name: None,
            cmd_line: None,
            created_time: None,
            uid: None,
            file: None,
            user: None,
            parent: None,
            container: None,
        }
    }
}

impl<'a> File<'a> {
    fn at(path: &'a [u8]) -> Self {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        Self {
            name: Untrusted(name),
            path: Untrusted(path),
            type_id: 1,
        }
    }
}

/// `src_endpoint`, `dst_endpoint` and `connection_info`.
#[derive(Serialize)]
pub(super) struct Connection {
    src_endpoint: Endpoint,
    dst_endpoint: Endpoint,
    #[serde(rename = "connection_info")]
    info: ConnectionInfo,
}

#[derive(Serialize)]
struct Endpoint {
    ip: Shown<IpAddr>,
    /// OCSF has no port 0: until the kernel has chosen one there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
struct ConnectionInfo {
    direction_id: u32,
    protocol_num: u32,
    protocol_name: &'static str,
    protocol_ver_id: u32,
    uid: Shown<u64>,
}

impl Connection {
    /// The connection of `socket`.
    pub(super) fn new(socket: &Socket, role: Role) -> Self {
        let (source, destination) = source_and_destination(socket, role);
        Self {
            src_endpoint: source.into(),
            dst_endpoint: destination.into(),
            info: ConnectionInfo {
                direction_id: match role {
                    Role::Unknown => 0,
                    Role::Accepted => 1,
                    Role::Connected => 2,
                },
                protocol_num: 6,
                protocol_name: "tcp",
                protocol_ver_id: match socket.local.ip().to_canonical() {
                    IpAddr::V4(_) => 4,
                    IpAddr::V6(_) => 6,
                },
                uid: Shown(socket.cookie.0),
            },
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            ip: Shown(address.ip().to_canonical()),
            port: Some(address.port()).filter(|port| *port != 0),
        }
    }
}
