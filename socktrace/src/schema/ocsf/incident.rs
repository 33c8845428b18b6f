//! Detection Finding (2004): all findings of a process and kind.

use serde::Serialize;

use super::super::ids::Ids;
use super::super::incident::{incident_message, title};
use super::super::json;
use super::super::values::{millis, unix_millis};
use super::event::{Activity, Event, Place, Severity, Sort};
use super::finding::{FindingInfo, HIGH, LEAK};
use super::objects::Process;
use crate::model::{Host, IncidentPhase, NamedIncident};

const INCIDENT: Sort = Sort {
    dataset: "socktrace.incident",
    action: "process.leak",
    ..LEAK
};

#[derive(Serialize)]
struct Body<'a> {
    finding_info: FindingInfo,
    confidence_id: u32,
    is_alert: bool,
    status_id: u32,
    /// How many findings are open.
    count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidences: Vec<Evidence<'a>>,
}

#[derive(Serialize)]
struct Evidence<'a> {
    process: Process<'a>,
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
    let (activity, status_id, severity) = match incident.phase {
        IncidentPhase::Open => (1, 1, Severity::Medium),
        IncidentPhase::Update => (2, 2, Severity::Medium),
        IncidentPhase::Resolved => (3, 4, Severity::Informational),
    };
    let at = unix_millis(host, incident.at);
    let mut finding_info = FindingInfo::new(ids.incident(incident), incident.kind, at);
    finding_info.title = title(incident.kind);
    finding_info.analytic.name = "Process leaks TCP sockets";
    finding_info.analytic.uid = INCIDENT.action;
    finding_info.first_seen_time = Some(unix_millis(host, incident.first));
    let process = Process::culprit(host, ids, named);
    let body = Body {
        finding_info,
        confidence_id: HIGH,
        is_alert: incident.phase != IncidentPhase::Resolved,
        status_id,
        count: incident.open.max(1),
        evidences: process
            .map(|process| Evidence { process })
            .into_iter()
            .collect(),
    };
    let place = Place {
        host,
        at: incident.at,
        sequence,
    };
    let details = json::incident_details(host, ids, named);
    let activity = Activity(activity, None);
    let mut event = Event::new(&INCIDENT, activity, severity, place, ids, body, details);
    event.start_time = Some(unix_millis(host, incident.first));
    event.end_time = incident.ended.map(|ended| unix_millis(host, ended));
    let until = incident.ended.unwrap_or(incident.at);
    event.duration = Some(millis(until.since(incident.first)));
    event.message = Some(incident_message(named));
    event.write(out);
}
