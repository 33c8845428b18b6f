//! What `scan` sees.

use std::collections::BTreeMap;

use super::super::escape::escape;
use super::super::moments::duration;
use super::super::words::{count, oldest, push, push_holder, why};
use crate::model::{Kind, ScanGroup, Scanned};

/// The names of the columns of [`line`].
pub(super) fn heading() -> String {
    row("KIND", "HELD BY", "IDLE", "LOCAL", "PEER", "WHY")
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

fn row(kind: &str, who: &str, idle: &str, local: &str, peer: &str, why: &str) -> String {
    format!("{kind:<11}  {who:<28}  {idle:>8}  {local:<21}  {peer:<21}  {why}")
}
