//! A leak: opened, updated, resolved.

use super::super::words::{
    age, finding_process, push, push_blame, push_cause, push_fd, push_holder, push_queue, role,
    source_and_destination, whereabouts, why,
};
use super::paint::{Colour, Paint};
use crate::model::{Finding, Phase, Role};

/// How many holders are named; a leak inherited by a thousand children stays one readable line.
const MAX_HOLDERS: usize = 8;

/// `15:04:05Z  LEAK      close_wait   orders[812/815] fd 37  61s  10.0.0.9:52114 → 10.0.0.5:8080  EOF never read`.
///
/// The arrow points from the end that began the connection; `↔` where that was not seen.
pub(super) fn line(paint: Paint, time: &str, finding: &Finding) -> String {
    let leak = &finding.leak;
    let (colour, word) = match leak.phase {
        Phase::Open => (Colour::Red, "LEAK"),
        Phase::Update => (Colour::Yellow, "UPDATE"),
        Phase::Resolved(_) => (Colour::Green, "RESOLVED"),
    };
    let mut who = String::new();
    match &leak.blame {
        Some(blame) => {
            push_blame(&mut who, finding, blame);
            push_fd(&mut who, leak.kind, blame.fd);
        }
        None => who.push_str("unknown process"),
    }
    let role = role(leak.kind, leak.role);
    let (source, destination) = source_and_destination(&leak.socket, role);
    let arrow = if role == Role::Unknown { '↔' } else { '→' };
    let ends = format!("{source} {arrow} {destination}");
    let mut line = format!("{time}  {}  ", paint.word(colour, word, 8));
    push(
        &mut line,
        format_args!("{:<11}  {who:<28}  {:>7}  {ends:<45}", leak.kind, age(leak)),
    );
    line.push_str("  ");
    let mut separator = "";
    if let Phase::Resolved(cause) = leak.phase {
        push_cause(&mut line, cause);
    } else {
        if let Some(why) = why(leak.kind, leak.diagnosis, leak.seqs) {
            line.push_str(&why);
            push_queue(&mut line, leak);
            separator = "; ";
        }
        if leak.holders.len() > 1 {
            line.push_str(separator);
            separator = "; ";
            push_holders(&mut line, finding);
        }
        let place = whereabouts(finding_process(finding), finding.netns_name.as_deref());
        if !place.is_empty() {
            push(&mut line, format_args!("{separator}in {place}"));
        }
    }
    line
}

/// `held by 3: orders[812] fd 37, orders[813] fd 37, orders[814] fd 37`.
fn push_holders(line: &mut String, finding: &Finding) {
    let holders = &finding.leak.holders;
    push(line, format_args!("held by {}: ", holders.len()));
    for (n, holder) in holders.iter().take(MAX_HOLDERS).enumerate() {
        if n > 0 {
            line.push_str(", ");
        }
        push_holder(line, finding.leak.kind, holder);
    }
    if let Some(more) = holders
        .len()
        .checked_sub(MAX_HOLDERS)
        .filter(|more| *more > 0)
    {
        push(line, format_args!(" and {more} more"));
    }
}
