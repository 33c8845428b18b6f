//! All findings of a process and kind: opened, updated, resolved.

use super::super::incident::{push_culprit, push_details};
use super::super::words::push;
use super::paint::{Colour, Paint};
use crate::model::{IncidentPhase, NamedIncident};

/// `15:04:05Z  INCIDENT  close_wait   orders[812]                   200 open, +12.5 a minute, 231 of 1024 descriptors, none left in 63m26s; 180 lines held back`.
pub(super) fn line(paint: Paint, time: &str, named: &NamedIncident) -> String {
    let incident = &named.incident;
    let colour = match incident.phase {
        IncidentPhase::Open | IncidentPhase::Update => Colour::Red,
        IncidentPhase::Resolved => Colour::Green,
    };
    let mut who = String::new();
    push_culprit(&mut who, named);
    let mut line = format!("{time}  {}  ", paint.word(colour, "INCIDENT", 8));
    push(
        &mut line,
        format_args!("{:<11}  {who:<28}  ", incident.kind),
    );
    if incident.phase == IncidentPhase::Resolved {
        push(
            &mut line,
            format_args!("all {} resolved", incident.opened_total),
        );
    } else {
        push(&mut line, format_args!("{} open", incident.open));
    }
    push_details(&mut line, named);
    line
}
