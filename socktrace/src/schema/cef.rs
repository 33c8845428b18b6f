//! The Common Event Format, version 0, one event a line.
//!
//! `CEF:0|socktrace|socktrace|VERSION|SIGNATURE|NAME|SEVERITY|key=value …`. Signatures are this program's
//! own and never change their meaning. Extension keys are those of the format's dictionary; what it has no
//! key for uses its custom fields (`cs1` to `cs6`, `cn1` to `cn3`) with their labels. Addresses of IPv6 are
//! in `c6a2` and `c6a3`, because `src` and `dst` take IPv4 only.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};

use super::escape::escape;
use super::health::status_message;
use super::ids::Ids;
use super::incident::{culprit_name, facts, incident_container, incident_message};
use super::values::unix_millis;
use super::words::{
    errno_name, finding_container, finding_process, hook_message, message, oldest, push, role,
    scan_message, source_and_destination,
};
use crate::model::{
    BootTime, Finding, HookReport, Host, IncidentPhase, Lifecycle, LifecycleEvent, NamedIncident,
    Phase, Role, ScanGroup, Scanned, Socket, Status, Task, TcpState,
};

/// Signature, name and severity (0 to 10).
type Signature = (&'static str, &'static str, u8);

const LEAK_OPEN: Signature = ("ST001", "TCP socket leaked", 6);
const LEAK_UPDATE: Signature = ("ST002", "TCP socket still leaked", 5);
const LEAK_RESOLVED: Signature = ("ST003", "TCP socket no longer leaked", 2);
const INCIDENT_OPEN: Signature = ("ST004", "Process leaks TCP sockets", 7);
const INCIDENT_UPDATE: Signature = ("ST005", "Process still leaks TCP sockets", 6);
const INCIDENT_RESOLVED: Signature = ("ST006", "Process no longer leaks TCP sockets", 2);
const CONNECT: Signature = ("ST010", "TCP connection made", 0);
const ACCEPT: Signature = ("ST011", "TCP connection accepted", 0);
const STATE_CHANGE: Signature = ("ST012", "TCP state changed", 0);
const RELEASE: Signature = ("ST013", "TCP socket released", 0);
const SCANNED: Signature = ("ST020", "TCP socket leaked at the time of a scan", 4);
const COUNTED: Signature = ("ST021", "Leaked TCP sockets counted", 4);
const STATUS: Signature = ("ST090", "Agent status", 1);
const LOSS: Signature = ("ST091", "Agent lost events", 4);
const HOOK: Signature = ("ST092", "Kernel support", 1);

/// Nanoseconds a millisecond, the unit of `cn2`.
const MILLI: u64 = 1_000_000;

/// A line in the making.
struct Line {
    text: String,
    separator: &'static str,
}

impl Line {
    fn new(
        (id, name, severity): Signature,
        host: &Host,
        ids: &Ids,
        at: BootTime,
        dataset: &str,
    ) -> Self {
        let mut line = Self {
            text: String::with_capacity(512),
            separator: "",
        };
        let version = env!("CARGO_PKG_VERSION");
        push(
            &mut line.text,
            format_args!("CEF:0|socktrace|socktrace|{version}|{id}|{name}|{severity}|"),
        );
        line.add("rt", unix_millis(host, at));
        line.add("externalId", ids.event(dataset));
        line.add_bytes("dvchost", host.name.as_bytes());
        line.add_bytes("deviceExternalId", host.id.as_bytes());
        line
    }

    /// A field whose value needs no escaping.
    fn add(&mut self, key: &str, value: impl Display) {
        push(
            &mut self.text,
            format_args!("{}{key}={value}", self.separator),
        );
        self.separator = " ";
    }

    /// A field of text; none where that is empty.
    fn add_text(&mut self, key: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.add(key, "");
        for c in value.chars() {
            match c {
                '\\' | '=' => self.text.extend(['\\', c]),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                c => self.text.push(c),
            }
        }
    }

    /// A field of bytes that somebody chose; none where there are none.
    fn add_bytes(&mut self, key: &str, value: &[u8]) {
        self.add_text(key, &escape(value));
    }

    /// A custom field with its label.
    fn add_custom(&mut self, key: &str, label: &str, value: &str) {
        if !value.is_empty() {
            self.add_text(key, value);
            self.add_text(&format!("{key}Label"), label);
        }
    }

    fn add_number(&mut self, key: &str, label: &str, value: u64) {
        self.add(key, value);
        self.add_text(&format!("{key}Label"), label);
    }

    /// Both ends of a connection.
    fn add_connection(&mut self, socket: &Socket, role: Role) {
        let (source, destination) = source_and_destination(socket, role);
        self.add("proto", "TCP");
        self.add_end(source, ["src", "c6a2", "spt"], "Source IPv6 Address");
        let keys = ["dst", "c6a3", "dpt"];
        self.add_end(destination, keys, "Destination IPv6 Address");
        match role {
            Role::Accepted => self.add("deviceDirection", 0),
            Role::Connected => self.add("deviceDirection", 1),
            Role::Unknown => {}
        }
        self.add_custom("cs1", "tcpState", socket.state.name());
    }

    fn add_end(&mut self, end: SocketAddr, [v4, v6, port]: [&str; 3], label: &str) {
        match end.ip().to_canonical() {
            IpAddr::V4(ip) => self.add(v4, ip),
            IpAddr::V6(ip) => self.add_custom(v6, label, &ip.to_string()),
        }
        if end.port() != 0 {
            self.add(port, end.port());
        }
    }

    /// The process at our end of the connection.
    fn add_process(&mut self, role: Role, pid: u32, name: &[u8], uid: Option<u32>) {
        let [pid_key, name_key, uid_key] = match role {
            Role::Accepted => ["dpid", "dproc", "duid"],
            Role::Connected | Role::Unknown => ["spid", "sproc", "suid"],
        };
        self.add(pid_key, pid);
        self.add_bytes(name_key, name);
        if let Some(uid) = uid {
            self.add(uid_key, uid);
        }
    }

    fn end(mut self, out: &mut Vec<u8>) {
        self.text.push('\n');
        out.extend_from_slice(self.text.as_bytes());
    }
}

/// Appends the line of a finding.
pub(super) fn finding(host: &Host, ids: &mut Ids, finding: &Finding, out: &mut Vec<u8>) {
    let leak = &finding.leak;
    let id = ids.leak(leak);
    let (signature, cause) = match leak.phase {
        Phase::Open => (LEAK_OPEN, ""),
        Phase::Update => (LEAK_UPDATE, ""),
        Phase::Resolved(cause) => (LEAK_RESOLVED, cause.name()),
    };
    let role = role(leak.kind, leak.role);
    let at = leak.at;
    let mut line = Line::new(signature, host, ids, at, "socktrace.leak");
    line.add("act", leak.phase.name());
    line.add_text("cat", leak.kind.name());
    line.add_text("outcome", cause);
    line.add_text(
        "reason",
        leak.diagnosis.map_or("", crate::model::Diagnosis::name),
    );
    line.add("start", unix_millis(host, leak.since));
    if !cause.is_empty() {
        line.add("end", unix_millis(host, leak.at));
    }
    line.add_connection(&leak.socket, role);
    if let Some(blame) = &leak.blame {
        let facts = finding_process(finding);
        let name = facts.map_or(blame.comm.as_bytes(), |process| &process.name);
        let uid = facts.and_then(|process| process.uid);
        line.add_process(role, blame.tgid.0, name, uid);
        line.add_custom("cs3", "ownerVia", blame.via.name());
        line.add_number("cn1", "fd", u64::from(blame.fd));
        if let Some(tid) = blame.tid {
            line.add_number("cn3", "threadId", u64::from(tid.0));
        }
        let executable = facts.and_then(|process| process.executable.as_deref());
        line.add_bytes("filePath", executable.unwrap_or_default());
    }
    line.add_custom("cs2", "leakId", &id.to_string());
    let container = finding_container(finding).unwrap_or_default();
    line.add_custom("cs4", "containerId", container);
    let age = u64::try_from(leak.age().as_nanos()).unwrap_or(u64::MAX);
    line.add_number("cn2", "ageMilliseconds", age / MILLI);
    line.add_text("msg", &message(finding));
    line.end(out);
}

/// Appends the line of an incident.
pub(super) fn incident(host: &Host, ids: &Ids, named: &NamedIncident, out: &mut Vec<u8>) {
    let incident = &named.incident;
    let signature = match incident.phase {
        IncidentPhase::Open => INCIDENT_OPEN,
        IncidentPhase::Update => INCIDENT_UPDATE,
        IncidentPhase::Resolved => INCIDENT_RESOLVED,
    };
    let at = incident.at;
    let mut line = Line::new(signature, host, ids, at, "socktrace.incident");
    line.add("act", incident.phase.name());
    line.add_text("cat", incident.kind.name());
    line.add("cnt", incident.open);
    line.add("start", unix_millis(host, incident.first));
    if let Some(ended) = incident.ended {
        line.add("end", unix_millis(host, ended));
    }
    if let Some(culprit) = &incident.culprit {
        let facts = facts(named, culprit);
        let uid = facts.and_then(|process| process.uid);
        let name = culprit_name(named, culprit);
        line.add_process(Role::Unknown, culprit.tgid.0, name, uid);
        let executable = facts.and_then(|process| process.executable.as_deref());
        line.add_bytes("filePath", executable.unwrap_or_default());
    }
    line.add_custom("cs2", "incidentId", &ids.incident(incident).to_string());
    let container = incident_container(named).unwrap_or_default();
    line.add_custom("cs4", "containerId", container);
    line.add_number("cn1", "openedTotal", incident.opened_total);
    line.add_number("cn2", "resolvedTotal", incident.resolved_total);
    line.add_number("cn3", "linesHeldBack", incident.suppressed);
    if let Some(exhausted) = named.exhausted_at() {
        line.add("deviceCustomDate1", unix_millis(host, exhausted));
        line.add_text("deviceCustomDate1Label", "descriptorsExhausted");
    }
    line.add_text("msg", &incident_message(named));
    line.end(out);
}

/// Appends the line of a lifecycle event.
pub(super) fn lifecycle(host: &Host, ids: &Ids, lifecycle: &Lifecycle, out: &mut Vec<u8>) {
    let signature = match &lifecycle.what {
        LifecycleEvent::Connect(_) => CONNECT,
        LifecycleEvent::Accept(_) => ACCEPT,
        LifecycleEvent::StateChange(_) => STATE_CHANGE,
        LifecycleEvent::Release(_) => RELEASE,
    };
    let at = lifecycle.at;
    let mut line = Line::new(signature, host, ids, at, "socktrace.trace");
    line.add_connection(lifecycle.what.socket(), lifecycle.role);
    if let Some(Task { tgid, tid, comm }) = &lifecycle.owner {
        line.add_process(lifecycle.role, tgid.0, comm.as_bytes(), None);
        line.add_number("cn3", "threadId", u64::from(tid.0));
    }
    match &lifecycle.what {
        LifecycleEvent::Connect(connect) => {
            let failed = connect.socket.state == TcpState::Close;
            line.add("outcome", if failed { "failure" } else { "success" });
            line.add("start", unix_millis(host, connect.started));
        }
        LifecycleEvent::Accept(_) => {}
        LifecycleEvent::StateChange(change) => {
            line.add_custom("cs2", "oldTcpState", change.old.name());
            line.add_text("reason", &change.error.map(errno_name).unwrap_or_default());
        }
        LifecycleEvent::Release(release) => {
            line.add("in", release.bytes_received);
            line.add("out", release.bytes_acked);
        }
    }
    line.end(out);
}

/// Appends the line of a scanned socket.
pub(super) fn scanned(host: &Host, ids: &Ids, scanned: &Scanned, out: &mut Vec<u8>) {
    let at = scanned.at;
    let role = role(scanned.kind, Role::Unknown);
    let mut line = Line::new(SCANNED, host, ids, at, "socktrace.scan");
    line.add_text("cat", scanned.kind.name());
    line.add_connection(&scanned.socket, role);
    if let Some(holder) = oldest(&scanned.holders) {
        let uid = scanned.process.as_ref().and_then(|process| process.uid);
        line.add_process(role, holder.tgid.0, holder.comm.as_bytes(), uid);
        line.add_number("cn1", "fd", u64::from(holder.fd));
    }
    line.add_text("msg", &scan_message(scanned));
    line.end(out);
}

/// Appends the line of a group.
pub(super) fn group(
    host: &Host,
    ids: &Ids,
    at: BootTime,
    by: &str,
    group: &ScanGroup,
    out: &mut Vec<u8>,
) {
    let mut line = Line::new(COUNTED, host, ids, at, "socktrace.scan");
    line.add("cnt", group.count);
    line.add_custom("cs1", by, &escape(&group.key));
    line.end(out);
}

/// Appends the line of a status.
pub(super) fn status(host: &Host, ids: &Ids, status: &Status, out: &mut Vec<u8>) {
    let lost = status.lost.values().any(|lost| *lost > 0);
    let signature = if lost { LOSS } else { STATUS };
    let at = status.at;
    let mut line = Line::new(signature, host, ids, at, "socktrace.status");
    line.add("act", status.reason.name());
    line.add_text("msg", &status_message(status));
    line.end(out);
}

/// Appends a line of `doctor`.
pub(super) fn hook(host: &Host, ids: &Ids, at: BootTime, hook: &HookReport, out: &mut Vec<u8>) {
    let mut line = Line::new(HOOK, host, ids, at, "socktrace.doctor");
    line.add("cat", hook.purpose);
    line.add("outcome", hook.support.name());
    line.add_text("msg", &hook_message(hook));
    line.end(out);
}
