//! What each event says.

use super::super::health::status_message;
use super::super::ids::Ids;
use super::super::incident::{
    culprit_name, facts, growth_number, incident_container, incident_message,
};
use super::super::moments::wall;
use super::super::values::nanos;
use super::super::words::{
    errno_name, finding_container, finding_process, hook_message, message, oldest, role,
    scan_message,
};
use super::encode::write;
use super::record::{Record, Severity};
use crate::model::{
    BootTime, Diagnosis, Finding, HookReport, Host, IncidentPhase, Lifecycle, LifecycleEvent,
    NamedIncident, Phase, Role, ScanGroup, Scanned, Status, TcpState,
};

/// Appends the line of a finding.
pub(in super::super) fn finding(
    host: &Host,
    ids: &mut Ids,
    sequence: u64,
    finding: &Finding,
    out: &mut Vec<u8>,
) {
    let leak = &finding.leak;
    let id = ids.leak(leak);
    let cause = match leak.phase {
        Phase::Resolved(cause) => Some(cause),
        Phase::Open | Phase::Update => None,
    };
    let severity = cause.map_or(Severity::Warn, |_| Severity::Info);
    let number = ("socktrace.leak", sequence);
    let mut record = Record::new("socket.leak", severity, leak.at, ids, number);
    record.body = message(finding);
    record.show("socktrace.leak.id", id);
    record.text("socktrace.leak.kind", leak.kind.name());
    record.text("socktrace.leak.phase", leak.phase.name());
    if let Some(diagnosis) = leak.diagnosis {
        record.text("socktrace.leak.diagnosis", diagnosis.name());
    }
    if let Some(cause) = cause {
        record.text("socktrace.leak.cause", cause.name());
        if let Some(task) = cause.released_by() {
            record.number("socktrace.leak.closed_by.pid", task.tgid.0);
            record.number("socktrace.leak.closed_by.tid", task.tid.0);
        }
    }
    record.number("socktrace.leak.age", nanos(leak.age()));
    record.flag("socktrace.leak.since_seen", leak.since_seen);
    let holders = u64::try_from(leak.holders.len()).unwrap_or(u64::MAX);
    record.number("socktrace.leak.holders", holders);
    record.socket(&leak.socket, role(leak.kind, leak.role));
    record.number("socktrace.socket.rx_queue", leak.seqs.rx_queue());
    record.number("socktrace.socket.tx_queue", leak.seqs.tx_queue());
    if let Some(blame) = &leak.blame {
        let facts = finding_process(finding);
        let name = facts.map_or(blame.comm.as_bytes(), |process| &process.name);
        record.process(ids, blame.tgid, blame.started, name);
        if let Some(facts) = facts {
            record.facts(facts);
        }
        if let Some(tid) = blame.tid {
            record.number("thread.id", tid.0);
            let named = finding.thread.as_ref().filter(|thread| thread.tid == tid);
            record.bytes(
                "thread.name",
                named.and_then(|thread| thread.name.as_deref()),
            );
        }
        record.text("socktrace.leak.owner_via", blame.via.name());
        record.number("socktrace.leak.fd", blame.fd);
    }
    if let Some(container) = finding_container(finding) {
        record.text("container.id", container);
    }
    if let Some(queue) = leak.queue {
        record.number("socktrace.listener.queue", queue.waiting);
        record.number("socktrace.listener.backlog", queue.backlog);
    }
    if let Some(incident) = ids.incident_of(finding) {
        record.show("socktrace.leak.incident", incident);
    }
    if let Some(membership) = finding.membership {
        record.number("socktrace.held_back", membership.held_back);
    }
    write(host, &record, out);
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
    let severity = match incident.phase {
        IncidentPhase::Open | IncidentPhase::Update => Severity::Warn,
        IncidentPhase::Resolved => Severity::Info,
    };
    let number = ("socktrace.incident", sequence);
    let mut record = Record::new("process.leak", severity, incident.at, ids, number);
    record.body = incident_message(named);
    record.show("socktrace.incident.id", ids.incident(incident));
    record.text("socktrace.incident.kind", incident.kind.name());
    record.text("socktrace.incident.phase", incident.phase.name());
    record.number("socktrace.incident.episode", incident.episode);
    record.number("socktrace.incident.open", incident.open);
    record.number("socktrace.incident.opened_total", incident.opened_total);
    record.number("socktrace.incident.resolved_total", incident.resolved_total);
    record.number("socktrace.incident.suppressed", incident.suppressed);
    record.number("socktrace.held_back", incident.held_back);
    let times = [
        ("socktrace.incident.first", Some(incident.first)),
        ("socktrace.incident.last", Some(incident.last)),
        ("socktrace.incident.exhausted_at", named.exhausted_at()),
    ];
    for (key, at) in times {
        if let Some(at) = at {
            record.show(key, humantime::format_rfc3339_micros(wall(host, at)));
        }
    }
    if let Some(growth) = incident.growth {
        record.show(
            "socktrace.incident.growth_per_minute",
            growth_number(growth),
        );
        record.number("socktrace.incident.basis.window", nanos(growth.window));
        record.number("socktrace.incident.basis.samples", growth.samples);
    }
    if let Some(limit) = named.descriptors.limit {
        record.number("socktrace.incident.nofile_limit", limit);
    }
    if let Some(open) = named.descriptors.open {
        record.number("socktrace.incident.open_fds", open);
    }
    if let Some(culprit) = &incident.culprit {
        let name = culprit_name(named, culprit);
        record.process(ids, culprit.tgid, culprit.started, name);
        if let Some(facts) = facts(named, culprit) {
            record.facts(facts);
        }
    }
    if let Some(container) = incident_container(named) {
        record.text("container.id", container);
    }
    write(host, &record, out);
}

/// Appends the line of a lifecycle event.
pub(in super::super) fn lifecycle(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    lifecycle: &Lifecycle,
    out: &mut Vec<u8>,
) {
    let name = lifecycle.what.action();
    let number = ("socktrace.trace", sequence);
    let mut record = Record::new(name, Severity::Info, lifecycle.at, ids, number);
    record.socket(lifecycle.what.socket(), lifecycle.role);
    if let Some(task) = &lifecycle.owner {
        record.task(task);
    }
    if let Some(lifetime) = lifecycle.lifetime {
        record.number("socktrace.socket.lifetime", nanos(lifetime));
    }
    match &lifecycle.what {
        LifecycleEvent::Connect(connect) => {
            let failed = connect.socket.state == TcpState::Close;
            record.flag("socktrace.connect.failed", failed);
        }
        LifecycleEvent::Accept(_) => {}
        LifecycleEvent::StateChange(change) => {
            record.text("socktrace.socket.old_state", change.old.name());
            if let Some(time) = lifecycle.in_state {
                record.number("socktrace.socket.old_state_duration", nanos(time));
            }
            if let Some(error) = change.error {
                record.text("error.type", &errno_name(error));
            }
        }
        LifecycleEvent::Release(release) => {
            record.number("socktrace.socket.bytes_received", release.bytes_received);
            record.number("socktrace.socket.bytes_acked", release.bytes_acked);
        }
    }
    write(host, &record, out);
}

/// Appends the line of a scanned socket.
pub(in super::super) fn scanned(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    scanned: &Scanned,
    out: &mut Vec<u8>,
) {
    let number = ("socktrace.scan", sequence);
    let mut record = Record::new("socket.scan", Severity::Info, scanned.at, ids, number);
    record.body = scan_message(scanned);
    record.text("socktrace.leak.kind", scanned.kind.name());
    if let Some(diagnosis) = scanned.diagnosis.map(Diagnosis::name) {
        record.text("socktrace.leak.diagnosis", diagnosis);
    }
    if let Some(idle) = scanned.idle {
        record.number("socktrace.leak.idle", nanos(idle));
    }
    record.socket(&scanned.socket, role(scanned.kind, Role::Unknown));
    if let Some(holder) = oldest(&scanned.holders) {
        let name = holder.comm.as_bytes();
        record.process(ids, holder.tgid, holder.started, name);
        record.number("socktrace.leak.fd", holder.fd);
    }
    if let Some(facts) = &scanned.process {
        record.facts(facts);
    }
    write(host, &record, out);
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
    let number = ("socktrace.scan", sequence);
    let mut record = Record::new("socket.scan", Severity::Info, at, ids, number);
    record.text("socktrace.group.by", by);
    record.bytes("socktrace.group.key", Some(&group.key));
    record.number("socktrace.group.count", group.count);
    write(host, &record, out);
}

/// Appends the line of a status.
pub(in super::super) fn status(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    status: &Status,
    out: &mut Vec<u8>,
) {
    let lost = status.lost.values().any(|lost| *lost > 0);
    let severity = if lost { Severity::Warn } else { Severity::Info };
    let number = ("socktrace.status", sequence);
    let mut record = Record::new("socktrace.status", severity, status.at, ids, number);
    record.body = status_message(status);
    record.text("socktrace.status.reason", status.reason.name());
    record.number("socktrace.status.tracked", status.tracked);
    record.number("socktrace.status.open", status.open);
    record.number("socktrace.status.unproven", status.unproven);
    record.number("socktrace.status.held_back", status.held_back);
    record.number("socktrace.status.lost", status.lost.values().sum::<u64>());
    write(host, &record, out);
}

/// Appends a line of `doctor`.
pub(in super::super) fn hook(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    at: BootTime,
    hook: &HookReport,
    out: &mut Vec<u8>,
) {
    let number = ("socktrace.doctor", sequence);
    let mut record = Record::new("socktrace.doctor", Severity::Info, at, ids, number);
    record.body = hook_message(hook);
    record.text("socktrace.hook.purpose", hook.purpose);
    record.text("socktrace.hook.support", hook.support.name());
    write(host, &record, out);
}
