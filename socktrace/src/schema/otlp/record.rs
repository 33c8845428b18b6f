//! A log record and its attributes.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};

use super::super::escape::escape;
use super::super::ids::Ids;
use crate::model::{self, BootTime, Host, Role, Socket, Task, Tgid};

/// `severity_number` (opentelemetry/proto/logs/v1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Info = 9,
    Warn = 13,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
        }
    }
}

/// `AnyValue`, as far as it is used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
}

/// One log record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) at: BootTime,
    pub(super) severity: Severity,
    pub(super) event_name: &'static str,
    pub(super) body: String,
    pub(super) attributes: Vec<(&'static str, Value)>,
}

impl Record {
    /// The record of the event with number `sequence`.
    pub(super) fn new(
        event_name: &'static str,
        severity: Severity,
        at: BootTime,
        ids: &Ids,
        (dataset, sequence): (&str, u64),
    ) -> Self {
        let mut record = Self {
            at,
            severity,
            event_name,
            body: String::new(),
            attributes: Vec::with_capacity(32),
        };
        record.show("log.record.uid", ids.event(dataset));
        record.number("socktrace.sequence", sequence);
        record
    }

    pub(super) fn text(&mut self, key: &'static str, value: &str) {
        self.attributes.push((key, Value::Text(value.to_owned())));
    }

    pub(super) fn show(&mut self, key: &'static str, value: impl Display) {
        self.attributes.push((key, Value::Text(value.to_string())));
    }

    /// Bytes that somebody chose; nothing where there are none.
    pub(super) fn bytes(&mut self, key: &'static str, value: Option<&[u8]>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.text(key, &escape(value));
        }
    }

    pub(super) fn number(&mut self, key: &'static str, value: impl Into<u64>) {
        self.attributes.push((key, Value::Number(value.into())));
    }

    pub(super) fn flag(&mut self, key: &'static str, value: bool) {
        self.attributes.push((key, Value::Flag(value)));
    }

    /// The connection and its socket.
    pub(super) fn socket(&mut self, socket: &Socket, role: Role) {
        let ends = [
            ("network.local.address", "network.local.port", socket.local),
            ("network.peer.address", "network.peer.port", socket.peer),
        ];
        for (address, port, end) in ends {
            self.end(address, port, end);
        }
        self.text("network.transport", "tcp");
        let version = match socket.local.ip().to_canonical() {
            IpAddr::V4(_) => "ipv4",
            IpAddr::V6(_) => "ipv6",
        };
        self.text("network.type", version);
        let state = socket.state.name().to_ascii_lowercase();
        self.text("network.connection.state", &state);
        match role {
            Role::Accepted => self.text("socktrace.socket.role", "accepted"),
            Role::Connected => self.text("socktrace.socket.role", "connected"),
            Role::Unknown => {}
        }
        self.show("socktrace.socket.cookie", socket.cookie.0);
        self.number("socktrace.socket.netns", socket.netns);
        if let Some(inode) = socket.inode {
            self.number("socktrace.socket.inode", inode);
        }
    }

    fn end(&mut self, address: &'static str, port: &'static str, end: SocketAddr) {
        self.show(address, end.ip().to_canonical());
        if end.port() != 0 {
            self.number(port, end.port());
        }
    }

    /// A process of which the kernel told the pid, the start and the name.
    pub(super) fn process(&mut self, ids: &Ids, tgid: Tgid, started: BootTime, name: &[u8]) {
        self.number("process.pid", tgid.0);
        self.bytes("process.executable.name", Some(name));
        self.show("socktrace.process.entity_id", ids.process(tgid, started));
    }

    /// What /proc told of it besides.
    pub(super) fn facts(&mut self, process: &model::Process) {
        self.bytes("process.executable.path", process.executable.as_deref());
        self.bytes("process.command_line", process.command_line.as_deref());
        if let Some(parent) = process.parent {
            self.number("process.parent_pid", parent.0);
        }
        if let Some(uid) = process.uid {
            self.number("process.user.id", uid);
        }
    }

    /// A thread whose name, as it was then, is all that is known.
    pub(super) fn task(&mut self, task: &Task) {
        self.number("process.pid", task.tgid.0);
        self.number("thread.id", task.tid.0);
        self.bytes("thread.name", Some(task.comm.as_bytes()));
    }
}

/// Attributes of the resource: the agent and its host.
pub(super) fn resource(host: &Host) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::Text(escape(text.as_bytes()).into_owned());
    let mut attributes = vec![
        ("service.name", text("socktrace")),
        ("service.version", text(env!("CARGO_PKG_VERSION"))),
    ];
    for (key, value) in [("host.name", &host.name), ("host.id", &host.id)] {
        if !value.is_empty() {
            attributes.push((key, text(value)));
        }
    }
    attributes
}
