//! Base Event (0): what no other class has a place for.

use serde::Serialize;

use super::super::health::status_message;
use super::super::ids::Ids;
use super::super::json;
use super::event::{Activity, Event, Place, Severity, Sort};
use crate::model::{BootTime, HookReport, Host, ScanGroup, Status};

/// Nothing beyond what every class has.
#[derive(Serialize)]
struct Nothing {}

fn sort(dataset: &'static str, action: &'static str) -> Sort {
    Sort {
        class_uid: 0,
        category_uid: 0,
        dataset,
        action,
    }
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
    let severity = if lost {
        Severity::Low
    } else {
        Severity::Informational
    };
    let place = Place {
        host,
        at: status.at,
        sequence,
    };
    let mut event = Event::new(
        &sort("socktrace.status", "socktrace.status"),
        Activity::other("Status"),
        severity,
        place,
        ids,
        Nothing {},
        json::status_details(status),
    );
    event.message = Some(status_message(status));
    event.write(out);
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
    let sort = sort("socktrace.doctor", "socktrace.doctor");
    let place = Place { host, at, sequence };
    plain(&sort, "Doctor", place, ids, json::hook_details(hook), out);
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
    let sort = sort("socktrace.scan", "socket.scan");
    let place = Place { host, at, sequence };
    let details = json::group_details(by, group);
    plain(&sort, "Count", place, ids, details, out);
}

fn plain<U: Serialize>(
    sort: &Sort,
    activity: &'static str,
    place: Place<'_>,
    ids: &Ids,
    details: U,
    out: &mut Vec<u8>,
) {
    let severity = Severity::Informational;
    let activity = Activity::other(activity);
    Event::new(sort, activity, severity, place, ids, Nothing {}, details).write(out);
}
