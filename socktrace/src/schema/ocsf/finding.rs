//! Detection Finding (2004): a leak, and what one look sees.

use serde::Serialize;
use uuid::Uuid;

use super::super::ids::Ids;
use super::super::json;
use super::super::values::{Shown, millis, unix_millis};
use super::super::words::{message, role, scan_message};
use super::event::{Activity, Event, Place, Severity, Sort};
use super::objects::{Connection, Process};
use crate::model::{Finding, Host, Kind, Phase, Role, Scanned};

pub(super) const LEAK: Sort = Sort {
    class_uid: 2004,
    category_uid: 2,
    dataset: "socktrace.leak",
    action: "socket.leak",
};

const SCAN: Sort = Sort {
    dataset: "socktrace.scan",
    action: "socket.scan",
    ..LEAK
};

/// `confidence_id`: nothing is reported without the kernel's word.
pub(super) const HIGH: u32 = 3;

#[derive(Serialize)]
struct Body<'a> {
    finding_info: FindingInfo,
    confidence_id: u32,
    is_alert: bool,
    status_id: u32,
    /// Why it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'static str>,
    evidences: [Evidence<'a>; 1],
}

#[derive(Serialize)]
pub(super) struct FindingInfo {
    uid: Shown<Uuid>,
    pub(super) title: String,
    types: [&'static str; 1],
    pub(super) analytic: Analytic,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_seen_time: Option<u64>,
    last_seen_time: u64,
}

/// The rule that found it; 1 is a rule.
#[derive(Serialize)]
pub(super) struct Analytic {
    pub(super) name: &'static str,
    pub(super) uid: &'static str,
    type_id: u32,
}

#[derive(Serialize)]
struct Evidence<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<Process<'a>>,
    #[serde(flatten)]
    connection: Connection,
}

/// Appends the line of a finding.
pub(in super::super) fn finding(
    host: &Host,
    ids: &mut Ids,
    sequence: u64,
    finding: &Finding,
    out: &mut Vec<u8>,
) {
    let leak = &finding.leak;
    let details = json::finding_details(host, ids, finding);
    let (activity, status_id, severity) = match leak.phase {
        Phase::Open => (1, 1, Severity::Medium),
        Phase::Update => (2, 2, Severity::Medium),
        Phase::Resolved(_) => (3, 4, Severity::Informational),
    };
    let cause = match leak.phase {
        Phase::Resolved(cause) => Some(cause.name()),
        Phase::Open | Phase::Update => None,
    };
    let body = Body {
        finding_info: FindingInfo {
            first_seen_time: Some(unix_millis(host, leak.since)),
            ..FindingInfo::new(ids.leak(leak), leak.kind, unix_millis(host, leak.at))
        },
        confidence_id: HIGH,
        is_alert: cause.is_none(),
        status_id,
        status_detail: cause,
        evidences: [Evidence {
            process: Process::blamed(host, ids, finding),
            connection: Connection::new(&leak.socket, role(leak.kind, leak.role)),
        }],
    };
    let place = Place {
        host,
        at: leak.at,
        sequence,
    };
    let activity = Activity(activity, None);
    let mut event = Event::new(&LEAK, activity, severity, place, ids, body, details);
    event.start_time = Some(unix_millis(host, leak.since));
    event.end_time = cause.is_some().then(|| unix_millis(host, leak.at));
    event.duration = Some(millis(leak.age()));
    event.message = Some(message(finding));
    event.write(out);
}

/// Appends the line of a scanned socket. One look has no history: every line is a finding of its own.
pub(in super::super) fn scanned(
    host: &Host,
    ids: &Ids,
    sequence: u64,
    scanned: &Scanned,
    out: &mut Vec<u8>,
) {
    let uid = ids.event(SCAN.dataset);
    let body = Body {
        finding_info: FindingInfo::new(uid, scanned.kind, unix_millis(host, scanned.at)),
        confidence_id: HIGH,
        is_alert: false,
        status_id: 1,
        status_detail: None,
        evidences: [Evidence {
            process: Process::oldest_holder(host, ids, scanned),
            connection: Connection::new(&scanned.socket, role(scanned.kind, Role::Unknown)),
        }],
    };
    let place = Place {
        host,
        at: scanned.at,
        sequence,
    };
    let details = json::scanned_details(scanned);
    let activity = Activity::other("Scan");
    let mut event = Event::new(&SCAN, activity, Severity::Low, place, ids, body, details);
    event.message = Some(scan_message(scanned));
    event.write(out);
}

impl FindingInfo {
    pub(super) fn new(uid: Uuid, kind: Kind, last_seen_time: u64) -> Self {
        Self {
            uid: Shown(uid),
            title: format!("TCP socket leaked: {kind}"),
            types: [kind.name()],
            analytic: Analytic {
                name: "TCP socket leaked",
                uid: "socket.leak",
                type_id: 1,
            },
            first_seen_time: None,
            last_seen_time,
        }
    }
}
