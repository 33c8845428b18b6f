//! The agent's own health, and what `doctor` finds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::health::status_message;
use super::super::ids::Ids;
use super::super::values::Untrusted;
use super::line::{Event, Line, Sort};
use crate::model::{BootTime, HookReport, Host, Status};

/// ECS has no category for the health of the observer itself: an empty one is what it asks for then.
const STATUS: Sort = Sort {
    kind: "state",
    category: &[],
    types: &[],
    action: "socktrace.status",
    dataset: "socktrace.status",
};

const DOCTOR: Sort = Sort {
    action: "socktrace.doctor",
    dataset: "socktrace.doctor",
    ..STATUS
};

/// What stands under `socktrace`; other formats carry it as it is.
#[derive(Serialize)]
pub(in super::super) struct Socktrace<'a> {
    status: StatusFields<'a>,
}

#[derive(Serialize)]
struct StatusFields<'a> {
    reason: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<Hook<'a>>,
    /// Records lost since the start, by place; a place without losses may be absent.
    lost: BTreeMap<&'static str, u64>,
    tracked: u64,
    open: u64,
    /// Possible leaks that there was no room to track; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    untracked: Option<u64>,
    /// Old suspects that no descriptor was seen to refer to.
    unproven: u64,
    /// Lines held back since the start.
    held_back: u64,
    /// Findings that no incident had room for, since the start.
    without_incident: u64,
}

#[derive(Serialize)]
struct Hook<'a> {
    purpose: &'static str,
    support: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<Untrusted<'a>>,
}

impl<'a> From<&'a HookReport> for Hook<'a> {
    fn from(hook: &'a HookReport) -> Self {
        // They may quote the kernel's own words on why it refused something.
        let text = |text: &'a str| (!text.is_empty()).then_some(Untrusted(text.as_bytes()));
        Self {
            purpose: hook.purpose,
            support: hook.support.name(),
            used: text(&hook.used),
            lost: text(&hook.lost),
            cure: text(&hook.cure),
        }
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
    let event = Event::new(&STATUS, ids, sequence);
    let mut line = Line::new(host, status.at, event, details(status));
    line.message = Some(status_message(status));
    line.write(out);
}

/// What the native format says of a status beyond the Elastic Common Schema.
pub(in super::super) fn details(status: &Status) -> Socktrace<'_> {
    let fields = StatusFields {
        reason: status.reason.name(),
        hooks: status.hooks.iter().map(Hook::from).collect(),
        lost: status
            .lost
            .iter()
            .map(|(place, lost)| (place.name(), *lost))
            .collect(),
        tracked: status.tracked,
        open: status.open,
        untracked: (status.untracked > 0).then_some(status.untracked),
        unproven: status.unproven,
        held_back: status.held_back,
        without_incident: status.without_incident,
    };
    Socktrace { status: fields }
}

/// What stands under `socktrace`.
#[derive(Serialize)]
pub(in super::super) struct Doctor<'a> {
    hook: Hook<'a>,
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
    let event = Event::new(&DOCTOR, ids, sequence);
    Line::new(host, at, event, hook_details(hook)).write(out);
}

/// What the native format says of a hook beyond the Elastic Common Schema.
pub(in super::super) fn hook_details(hook: &HookReport) -> Doctor<'_> {
    Doctor { hook: hook.into() }
}
