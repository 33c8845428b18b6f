//! Phrases about the agent's own health, shared by the formats.

use super::words::{count, push};
use crate::model::{Status, Support};

/// The sentence of a status: `started: hooks 5 ok, 1 fallback (accept); tracking 0 sockets, 0 leaks open`.
pub(super) fn status_message(status: &Status) -> String {
    let mut out = status.reason.name().to_owned();
    let mut separator = ": hooks ";
    for support in [Support::Ok, Support::Fallback, Support::Missing] {
        let served = status.hooks.iter().filter(|hook| hook.support == support);
        let purposes: Vec<_> = served.map(|hook| hook.purpose).collect();
        if purposes.is_empty() {
            continue;
        }
        push(
            &mut out,
            format_args!("{separator}{} {}", purposes.len(), support.name()),
        );
        if support != Support::Ok {
            push(&mut out, format_args!(" ({})", purposes.join(", ")));
        }
        separator = ", ";
    }
    let separator = if status.hooks.is_empty() { ": " } else { "; " };
    let (tracked, open) = (status.tracked, status.open);
    push(
        &mut out,
        format_args!(
            "{separator}tracking {}",
            count(tracked, "socket", "sockets")
        ),
    );
    push(
        &mut out,
        format_args!(", {} open", count(open, "leak", "leaks")),
    );
    if status.untracked > 0 {
        push(
            &mut out,
            format_args!(", {} not tracked for lack of room", status.untracked),
        );
    }
    for (what, number) in [
        ("unproven", status.unproven),
        ("lines held back", status.held_back),
        ("without an incident", status.without_incident),
    ] {
        if number > 0 {
            push(&mut out, format_args!(", {number} {what}"));
        }
    }
    let lost = status.lost.iter().filter(|(_, lost)| **lost > 0);
    for (n, (place, lost)) in lost.enumerate() {
        out.push_str(if n == 0 { "; lost " } else { ", " });
        push(&mut out, format_args!("{} {lost}", place.name()));
    }
    out
}
