//! What `scan` sees.

use std::collections::BTreeMap;

use super::super::escape::escape;
use super::super::moments::push_duration;
use super::super::numbers::push_addr;
use super::super::words::{count, oldest, push, push_holder, push_why, whereabouts};
use super::column::column;
use crate::model::{Closed, Kind, ScanGroup, ScanSummary, Scanned};

/// Columns, and how wide they are at least; the last one is as wide as it is.
const COLUMNS: [(&str, usize); 7] = [
    ("KIND", 11),
    ("HELD BY", 32),
    ("IDLE", 8),
    ("LOCAL", 21),
    ("PEER", 21),
    ("WHY", 30),
    ("WHERE", 0),
];

/// The names of the columns of [`push_line`].
pub(super) fn heading() -> String {
    let mut out = String::new();
    for (name, width) in COLUMNS {
        column(&mut out, width, name == "IDLE", |out| out.push_str(name));
    }
    out
}

/// One leaked socket: its kind, the oldest holder and how many more there are, a lower bound of its
/// idleness, its ends, the diagnosis. There may be a hundred thousand lines, so nothing is made for one only.
pub(super) fn push_line(out: &mut String, scanned: &Scanned) {
    for ((name, width), fill) in COLUMNS.into_iter().zip(FILLS) {
        column(out, width, name == "IDLE", |out| fill(out, scanned));
    }
}

/// What stands in each of [`COLUMNS`].
const FILLS: [fn(&mut String, &Scanned); 7] = [
    |out, scanned| out.push_str(scanned.kind.name()),
    push_who,
    |out, scanned| match scanned.idle {
        Some(idle) => {
            out.push('≥');
            push_duration(out, idle);
        }
        None => out.push('-'),
    },
    |out, scanned| push_addr(out, scanned.socket.local),
    |out, scanned| push_addr(out, scanned.socket.peer),
    |out, scanned| push_why(out, scanned.kind, scanned.diagnosis, scanned.seqs),
    |out, scanned| {
        let process = scanned.process.as_deref();
        out.push_str(&whereabouts(process, scanned.netns_name.as_deref()));
    },
];

fn push_who(out: &mut String, scanned: &Scanned) {
    match oldest(&scanned.holders) {
        Some(holder) => push_holder(out, scanned.kind, holder),
        None => out.push('-'),
    }
    if scanned.holders.len() > 1 {
        push(out, format_args!(" +{}", scanned.holders.len() - 1));
    }
}

/// `3 leaked sockets: 2 close_wait, 1 closed_held`.
pub(super) fn summary(by_kind: &BTreeMap<Kind, u64>) -> String {
    let total: u64 = by_kind.values().sum();
    if total == 0 {
        return "no leaked sockets".to_owned();
    }
    let kinds: Vec<_> = by_kind
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    format!(
        "{}: {}",
        count(total, "leaked socket", "leaked sockets"),
        kinds.join(", ")
    )
}

/// How many remote addresses are named.
const MAX_REMOTES: usize = 10;

/// What is to be said of the whole machine: sockets that are closed and held, and FIN_WAIT2 without an
/// owner.
pub(super) fn machine(summary: &ScanSummary) -> Vec<String> {
    let mut closed = match summary.closed {
        Closed::Seen {
            over,
            never_connected,
        } => format!("closed and still held: {over}, never connected: {never_connected}"),
        Closed::Unlisted(count) => format!("closed and still held, or never connected: {count}"),
    };
    if let Some(counts) = summary.counts {
        push(
            &mut closed,
            format_args!(
                "; `ss -s` prints \"closed {}\": {} allocated in all network namespaces, less {} in use in this one, \
                 plus {} in time-wait, which are not allocated",
                counts.closed_in_ss(),
                counts.allocated,
                counts.in_use,
                counts.time_wait,
            ),
        );
    }
    let mut lines = vec![closed];
    let total: u64 = summary.fin_wait2.iter().map(|(_, count)| count).sum();
    if total > 0 {
        let mut line =
            format!("closed here and not by the peer (FIN_WAIT2 without an owner): {total}, to ");
        for (n, (ip, count)) in summary.fin_wait2.iter().take(MAX_REMOTES).enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            push(&mut line, format_args!("{separator}{ip} {count}"));
        }
        if summary.fin_wait2.len() > MAX_REMOTES {
            push(
                &mut line,
                format_args!(" and {} more", summary.fin_wait2.len() - MAX_REMOTES),
            );
        }
        lines.push(line);
    }
    lines
}

/// The names of the columns of [`group`].
pub(super) fn group_heading(by: &str) -> String {
    format!("{:>8}  {}", "LEAKED", by.to_uppercase())
}

/// A count and what it counts.
pub(super) fn group(group: &ScanGroup) -> String {
    format!("{:>8}  {}", group.count, escape(&group.key))
}

/// `12 leaked sockets in 3 groups`.
pub(super) fn group_summary(groups: u64, sockets: u64) -> String {
    let sockets = count(sockets, "leaked socket", "leaked sockets");
    format!("{sockets} in {}", count(groups, "group", "groups"))
}
