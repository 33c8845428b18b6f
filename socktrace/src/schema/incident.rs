//! Phrases about incidents, shared by the formats.

use super::escape::escape_into;
use super::moments::duration;
use super::words::{count, push};
use crate::model::{
    Culprit, Growth, Incident, IncidentPhase, Kind, NamedIncident, Process, Remote,
};

/// The sentence of an incident: `orders[812] leaks sockets: 200 close_wait open, +12.5 a minute, …`.
pub(super) fn incident_message(named: &NamedIncident) -> String {
    let incident = &named.incident;
    let mut out = String::new();
    push_culprit(&mut out, named);
    if incident.phase == IncidentPhase::Resolved {
        let (opened, kind) = (incident.opened_total, incident.kind);
        push(
            &mut out,
            format_args!(" no longer leaks sockets: {opened} {kind} resolved"),
        );
    } else {
        let (open, kind) = (incident.open, incident.kind);
        push(&mut out, format_args!(" leaks sockets: {open} {kind} open"));
    }
    push_details(&mut out, named);
    out
}

/// What follows the count: growth, descriptors, forecast, remote ends, what was held back.
pub(super) fn push_details(out: &mut String, named: &NamedIncident) {
    let incident = &named.incident;
    if incident.phase == IncidentPhase::Resolved {
        let ended = incident.ended.unwrap_or(incident.at);
        let lasted = ended.since(incident.first);
        push(out, format_args!(" after {}", duration(lasted)));
    } else {
        if let Some(growth) = incident.growth {
            push(out, format_args!(", {} a minute", per_minute(growth)));
        }
        if let (Some(open), Some(limit)) = (named.descriptors.open, named.descriptors.limit) {
            push(out, format_args!(", {open} of {limit} descriptors"));
        }
        if let Some(at) = named.exhausted_at() {
            let left = duration(at.since(incident.at));
            push(out, format_args!(", none left in {left}"));
        }
        for (n, remote) in incident.remotes.iter().enumerate() {
            out.push_str(if n == 0 { ", never closed by " } else { ", " });
            push_remote(out, *remote);
        }
    }
    if incident.suppressed > 0 {
        let lines = count(incident.suppressed, "line", "lines");
        push(out, format_args!("; {lines} held back"));
    }
}

/// `orders[812]`: the process's own name, or what the kernel knew it by.
pub(super) fn push_culprit(out: &mut String, named: &NamedIncident) {
    let Some(culprit) = &named.incident.culprit else {
        out.push_str("unknown process");
        return;
    };
    escape_into(culprit_name(named, culprit), out);
    push(out, format_args!("[{}]", culprit.tgid.0));
}

/// The process's own name, or what the kernel knew it by.
pub(super) fn culprit_name<'a>(named: &'a NamedIncident, culprit: &'a Culprit) -> &'a [u8] {
    match facts(named, culprit) {
        Some(process) if !process.name.is_empty() => &process.name,
        _ => culprit.comm.as_bytes(),
    }
}

/// What was read of the process, if it was this one.
pub(super) fn facts<'a>(named: &'a NamedIncident, culprit: &Culprit) -> Option<&'a Process> {
    let process = named.process.as_ref()?;
    let same = (process.tgid, process.started) == (culprit.tgid, culprit.started);
    same.then_some(process)
}

/// The facts of the process, if they are those of this one.
pub(super) fn incident_process(named: &NamedIncident) -> Option<&Process> {
    facts(named, named.incident.culprit.as_ref()?)
}

/// The container that the process lives in.
pub(super) fn incident_container(named: &NamedIncident) -> Option<&str> {
    let container = incident_process(named)?.place.container.as_ref();
    container.map(|container| &container.id[..])
}

/// The number of findings a minute, exactly: thousandths have a place in any float that holds them.
pub(super) fn growth_number(growth: Growth) -> f64 {
    // Beyond this the thousandths are noise.
    let milli = i32::try_from(growth.milli_per_minute).unwrap_or(if growth.milli_per_minute < 0 {
        i32::MIN
    } else {
        i32::MAX
    });
    f64::from(milli) / 1000.0
}

/// `+12.5`.
fn per_minute(growth: Growth) -> String {
    format!("{:+.1}", growth_number(growth))
}

/// `10.0.0.9:443 (12)`, without a port where any is meant.
fn push_remote(out: &mut String, remote: Remote) {
    if remote.addr.port() == 0 {
        push(out, format_args!("{}", remote.addr.ip()));
    } else {
        push(out, format_args!("{}", remote.addr));
    }
    push(out, format_args!(" ({})", remote.open));
}

/// Whether a line for people adds anything to those of the single findings: an incident of one finding
/// that was told says nothing new.
pub(super) fn says_more(incident: &Incident) -> bool {
    incident.opened_total > 1 || incident.suppressed > 0
}

/// The name of an incident as a rule's.
pub(super) fn title(kind: Kind) -> String {
    format!("Process leaks TCP sockets: {kind}")
}
