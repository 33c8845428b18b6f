//! One of each kind of line.

use super::incidents::{first_incident, half_closed_incident, incident, nobodys_incident};
use super::samples::{
    addr, at, bare_finding, bare_summary, change, connect, finding, groups, holder, hooks,
    lifecycle, release, scanned, socket, status, summary, task, unaccepted, uses,
};
use crate::model::{
    Accept, Blame, Cause, Diagnosis, Family, Finding, IncidentPhase, Kind, LifecycleEvent, Phase,
    Role, StatusReason, TcpState,
};
use crate::schema::Encoder;

/// All there is, each kind of line after the other.
pub(in crate::schema) fn everything(encoder: &mut Encoder, out: &mut Vec<u8>) {
    statuses(encoder, out);
    findings(encoder, out);
    encoder.encode_finding(&used(), out);
    incidents(encoder, out);
    life(encoder, out);
    scan(encoder, out);
    encoder.finish_scan(&bare_summary(), out);
    scan_groups(encoder, out);
    doctor(encoder, out);
}

/// A finding with the threads that used its socket.
pub(in crate::schema) fn used() -> Finding {
    let mut used = finding();
    used.leak.uses = uses();
    used.user_names = vec![Some(b"worker-2".to_vec()), None];
    used
}

/// Every phase and kind of finding.
pub(in crate::schema) fn findings(encoder: &mut Encoder, out: &mut Vec<u8>) {
    let mut encode = |change: &dyn Fn(&mut Finding)| {
        let mut finding = finding();
        change(&mut finding);
        encoder.encode_finding(&finding, out);
    };
    encode(&|_| {});
    encode(&|finding| {
        finding.leak.phase = Phase::Update;
        finding.leak.kind = Kind::ClosedHeld;
        finding.leak.diagnosis = Some(Diagnosis::Reset);
        finding.leak.socket.state = TcpState::Close;
        finding.leak.at = at(5500);
        finding.leak.holders = (812..823).map(|pid| holder(pid, 37)).collect();
    });
    encode(&|finding| {
        let cause = Cause::Closed(Some(task(816, "worker-3")));
        finding.leak.phase = Phase::Resolved(cause);
        finding.leak.at = at(12_600);
    });
    encode(&|finding| {
        finding.leak.phase = Phase::Resolved(Cause::Exited(Some(task(812, "orders"))));
        finding.process = None;
        finding.thread = None;
    });
    encode(&|finding| finding.leak.phase = Phase::Resolved(Cause::Progress));
    encode(&|finding| {
        finding.leak.phase = Phase::Resolved(Cause::Closed(None));
        finding.leak.blame = finding.leak.blame.map(|blame| Blame { tid: None, ..blame });
    });
    encode(&|finding| {
        finding.leak.kind = Kind::HalfClosed;
        finding.leak.diagnosis = None;
        finding.leak.role = Role::Connected;
        finding.leak.socket.state = TcpState::FinWait2;
        finding.leak.socket.local = addr("[2001:db8::5]:40312");
        finding.leak.socket.peer = addr("[2001:db8::9]:443");
        finding.leak.socket.family = Family::V6;
    });
    encoder.encode_finding(&unaccepted(), out);
    encoder.encode_finding(&bare_finding(), out);
}

/// An incident in every phase, and what may be in it.
pub(in crate::schema) fn incidents(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for named in [
        first_incident(),
        incident(IncidentPhase::Open),
        incident(IncidentPhase::Update),
        half_closed_incident(),
        nobodys_incident(),
        incident(IncidentPhase::Resolved),
    ] {
        encoder.encode_incident(&named, out);
    }
}

/// A life from connect to release, and a connect that failed.
pub(in crate::schema) fn life(encoder: &mut Encoder, out: &mut Vec<u8>) {
    use TcpState::{Close, CloseWait, Established, LastAck, SynRecv};
    let mut encode = |what, role| encoder.encode_lifecycle(&lifecycle(what, role), out);
    encode(connect(Established), Role::Connected);
    encode(connect(Close), Role::Connected);
    let accept = Accept {
        socket: socket(Established),
        task: task(815, "worker-2"),
    };
    encode(LifecycleEvent::Accept(accept), Role::Accepted);
    encode(change(Established, CloseWait, None), Role::Accepted);
    encode(change(LastAck, Close, None), Role::Connected);
    encode(change(Established, Close, Some(104)), Role::Accepted);
    encode(release(), Role::Accepted);
    let mut early = lifecycle(change(TcpState::Listen, SynRecv, None), Role::Unknown);
    early.owner = None;
    early.in_state = None;
    encoder.encode_lifecycle(&early, out);
}

pub(in crate::schema) fn statuses(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for reason in [
        StatusReason::Started,
        StatusReason::Gap,
        StatusReason::Unproven,
        StatusReason::Reloaded,
        StatusReason::ReloadFailed,
        StatusReason::Stopped,
    ] {
        encoder.encode_status(&status(reason), out);
    }
}

pub(in crate::schema) fn scan(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for kind in [Kind::CloseWait, Kind::Unaccepted] {
        encoder.encode_scanned(&scanned(kind), out);
    }
    let mut bare = scanned(Kind::ClosedHeld);
    bare.socket.state = TcpState::Close;
    bare.diagnosis = None;
    bare.idle = None;
    bare.holders.clear();
    bare.process = None;
    encoder.encode_scanned(&bare, out);
    encoder.finish_scan(&summary(), out);
}

pub(in crate::schema) fn scan_groups(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for group in groups() {
        encoder.encode_group(at(5200), "process", &group, out);
    }
    encoder.finish_scan(&summary(), out);
}

pub(in crate::schema) fn doctor(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for hook in hooks() {
        encoder.encode_hook(at(5200), &hook, out);
    }
}
