//! What was kept, in columns for people.

use super::super::escape::{escape, escape_into};
use super::super::moments::{duration, wall};
use super::super::words::push;
use super::{at, past_outcome};
use crate::model::{Host, Past, PastGroup, PastLosses, PastMinute, WallMicros};

/// The names of the columns of [`finding`].
pub(super) fn heading() -> String {
    row([
        "STARTED",
        "LASTED",
        "KIND",
        "PROCESS",
        "LOCAL",
        "PEER",
        "WHAT BECAME OF IT",
        "WHERE",
    ])
}

/// One finding: its begin, how long it lasted, whom it is put down to, its ends, and how it ended.
pub(super) fn finding(host: &Host, past: &Past) -> String {
    let mut who = String::new();
    match &past.process {
        Some(process) => {
            escape_into(&process.name, &mut who);
            push(&mut who, format_args!("[{}", process.pid));
            if let Some((tid, _)) = &past.thread {
                push(&mut who, format_args!("/{tid}"));
            }
            who.push(']');
        }
        None => who.push('-'),
    }
    if let Some(fd) = past.fd {
        push(&mut who, format_args!(" fd {fd}"));
    }
    let until = past.end.as_ref().map_or(past.updated, |end| end.at);
    let lasted = u64::try_from(until.saturating_sub(past.started)).unwrap_or(0);
    let lasted = duration(std::time::Duration::from_micros(lasted));
    let lasted = match (past.since_seen, &past.end) {
        (true, Some(_)) => lasted,
        _ => format!("≥{lasted}"),
    };
    row([
        &time(host, past.started),
        &lasted,
        past.kind.name(),
        &who,
        &past.socket.local.to_string(),
        &past.socket.peer.to_string(),
        &past_outcome(past),
        &place(past),
    ])
}

fn row([started, lasted, kind, who, local, peer, outcome, place]: [&str; 8]) -> String {
    format!(
        "{started:<20}  {lasted:>8}  {kind:<11}  {who:<28}  {local:<21}  {peer:<21}  {outcome:<34}  {place}"
    )
}

/// `docker 0123456789ab`, else the unit; then the network namespace's name.
fn place(past: &Past) -> String {
    let mut out = String::new();
    if let Some(process) = &past.process {
        match (&process.container, &process.unit) {
            (Some(container), _) => {
                let runtime = process.runtime.as_deref().unwrap_or("container");
                let short = container.get(..12).unwrap_or(container);
                out.push_str(&escape(runtime.as_bytes()));
                out.push(' ');
                out.push_str(&escape(short.as_bytes()));
            }
            (None, Some(unit)) => escape_into(unit, &mut out),
            (None, None) => {}
        }
    }
    if let Some(name) = &past.socket.netns_name {
        out.push_str(if out.is_empty() { "netns " } else { ", netns " });
        escape_into(name, &mut out);
    }
    out
}

/// The names of the columns of [`minute`].
pub(super) fn minute_heading() -> String {
    format!(
        "{:<20}  {:>7}  {:>7}  {:>8}  {:<11}  {:<11}  PROCESS",
        "MINUTE", "OPEN", "OPENED", "RESOLVED", "KIND", "STATE"
    )
}

/// The counts of a minute.
pub(super) fn minute(host: &Host, minute: &PastMinute) -> String {
    let mut who = String::new();
    match &minute.process {
        Some((pid, name)) => {
            escape_into(name, &mut who);
            push(&mut who, format_args!("[{pid}]"));
        }
        None => who.push('-'),
    }
    format!(
        "{:<20}  {:>7}  {:>7}  {:>8}  {:<11}  {:<11}  {who}",
        time(host, minute.begin),
        minute.open,
        minute.opened,
        minute.resolved,
        minute.kind.name(),
        minute.state.name(),
    )
}

/// The names of the columns of [`group`].
pub(super) fn group_heading(by: &str) -> String {
    format!(
        "{:>7}  {:>7}  {:<20}  {:<20}  {}",
        "COUNT",
        "OPEN",
        "FIRST",
        "LAST",
        by.to_uppercase()
    )
}

/// Findings that were counted together.
pub(super) fn group(host: &Host, group: &PastGroup) -> String {
    format!(
        "{:>7}  {:>7}  {:<20}  {:<20}  {}",
        group.count,
        group.open,
        time(host, group.first),
        time(host, group.last),
        escape(&group.key)
    )
}

/// What was not kept; empty if everything was.
pub(super) fn losses(losses: &PastLosses) -> String {
    let mut out = String::new();
    for (what, number) in [
        ("were too old", losses.expired),
        ("had no room", losses.displaced),
        ("could not be written", losses.unwritten),
    ] {
        if number > 0 {
            out.push_str(if out.is_empty() { "not kept: " } else { ", " });
            push(&mut out, format_args!("{number} that {what}"));
        }
    }
    out
}

/// `2026-11-22T15:04:05Z`.
fn time(host: &Host, micros: WallMicros) -> String {
    humantime::format_rfc3339_seconds(wall(host, at(micros))).to_string()
}
