//! What `scan` sees.

use std::collections::BTreeMap;

use super::super::escape::escape;
use super::super::moments::duration;
use super::super::words::{count, oldest, push, push_holder, whereabouts, why};
use crate::model::{Closed, Kind, ScanGroup, ScanSummary, Scanned};

/// The names of the columns of [`line`].
pub(super) fn heading() -> String {
    row("KIND", "HELD BY", "IDLE", "LOCAL", "PEER", "WHY", "WHERE")
}

/// One leaked socket: its kind, the oldest holder and how many more there are, a lower bound of its
/// idleness, its ends, the diagnosis.
pub(super) fn line(scanned: &Scanned) -> String {
    let mut who = String::new();
    match oldest(&scanned.holders) {
        Some(holder) => push_holder(&mut who, scanned.kind, holder),
        None => who.push('-'),
    }
    if scanned.holders.len() > 1 {
        push(&mut who, format_args!(" +{}", scanned.holders.len() - 1));
    }
    let idle = scanned
        .idle
        .map_or_else(|| "-".to_owned(), |idle| format!("≥{}", duration(idle)));
    row(
        scanned.kind.name(),
        &who,
        &idle,
        &scanned.socket.local.to_string(),
        &scanned.socket.peer.to_string(),
        &why(scanned.kind, scanned.diagnosis, scanned.seqs).unwrap_or_default(),
        &whereabouts(scanned.process.as_deref(), scanned.netns_name.as_deref()),
    )
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

fn row(
    kind: &str,
    who: &str,
    idle: &str,
    local: &str,
    peer: &str,
    why: &str,
    place: &str,
) -> String {
    format!("{kind:<11}  {who:<32}  {idle:>8}  {local:<21}  {peer:<21}  {why:<30}  {place}")
}
