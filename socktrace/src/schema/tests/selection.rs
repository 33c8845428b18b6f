//! Streams that have some of the events.

use serde_json::Value;

use super::samples::*;
use crate::model::*;
use crate::schema::{Encoder, Format, Selection, Severity};

/// A leak of its own cookie in some phase.
fn leak(cookie: u64, kind: Kind, phase: Phase) -> Finding {
    let mut finding = finding();
    finding.leak.socket.cookie = Cookie(cookie);
    finding.leak.kind = kind;
    finding.leak.phase = phase;
    finding
}

/// One event of each action, and several leaks.
fn encode(encoder: &mut Encoder, out: &mut Vec<u8>) {
    use Kind::{CloseWait, ClosedHeld, Unaccepted};
    let resolved = Phase::Resolved(Cause::Progress);
    encoder.encode_status(&status(StatusReason::Started), out);
    encoder.encode_finding(&leak(1, CloseWait, Phase::Open), out);
    encoder.encode_incident(&incident(IncidentPhase::Open), out);
    encoder.encode_finding(&leak(2, Unaccepted, Phase::Open), out);
    encoder.encode_finding(&leak(3, Unaccepted, Phase::Open), out);
    encoder.encode_lifecycle(&lifecycle(release(), Role::Accepted), out);
    encoder.encode_finding(&leak(1, ClosedHeld, Phase::Update), out);
    encoder.encode_finding(&leak(2, CloseWait, Phase::Update), out);
    encoder.encode_scanned(&scanned(ClosedHeld), out);
    encoder.encode_finding(&leak(1, ClosedHeld, resolved), out);
    encoder.encode_finding(&leak(2, CloseWait, resolved), out);
    encoder.encode_finding(&leak(3, Unaccepted, resolved), out);
    encoder.finish_scan(&summary(), out);
    encoder.encode_hook(at(1), &hooks()[0], out);
}

fn values(selection: Selection) -> Vec<Value> {
    let mut encoder = Encoder::new(Format::Json, host(), false).with_selection(selection);
    let mut out = Vec::new();
    encode(&mut encoder, &mut out);
    assert_eq!(encoder.events(), 14);
    let text = String::from_utf8(out).unwrap();
    let values: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<_> = values
        .iter()
        .map(|value| value["event"]["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..values.len() as u64).collect::<Vec<_>>());
    values
}

/// The places in [`encode`] of the events that are left.
#[track_caller]
fn check(selection: Selection, expected: &[usize]) {
    let id = |value: &Value| value["event"]["id"].clone();
    let all: Vec<_> = values(Selection::default()).iter().map(id).collect();
    let left: Vec<_> = values(selection)
        .iter()
        .map(|value| all.iter().position(|known| *known == id(value)))
        .collect();
    let expected: Vec<_> = expected.iter().copied().map(Some).collect();
    assert_eq!(left, expected);
}

#[test]
fn what_is_not_selected_is_not_numbered_and_names_stay_the_same() {
    let all = Selection::default;
    check(all(), &(0..14).collect::<Vec<_>>());
    let actions = |names: &[&str]| Selection {
        actions: names.iter().map(|name| name.parse().unwrap()).collect(),
        ..all()
    };
    check(actions(&["process.leak"]), &[2]);
    check(actions(&["socktrace.status", "socket.release"]), &[0, 5]);
    check(
        actions(&["socket.scan_summary", "socktrace.doctor"]),
        &[12, 13],
    );
    let least = |severity| Selection {
        min_severity: Some(severity),
        ..all()
    };
    check(least(Severity::Informational), &(0..14).collect::<Vec<_>>());
    check(least(Severity::Notice), &[1, 2, 3, 4, 6, 7, 8]);
    check(least(Severity::Warning), &[1, 2, 3, 4]);
}

#[test]
fn who_was_told_of_a_leak_is_told_of_its_end() {
    let kinds = |kinds: &[Kind]| Selection {
        kinds: kinds.to_vec(),
        ..Selection::default()
    };
    // What is about no kind of leak is not held back.
    check(
        kinds(&[Kind::CloseWait]),
        &[0, 1, 2, 5, 6, 7, 9, 10, 12, 13],
    );
    check(kinds(&[Kind::Unaccepted]), &[0, 3, 4, 5, 7, 10, 11, 12, 13]);
    check(kinds(&[Kind::HalfClosed]), &[0, 5, 12, 13]);
    let mut both = kinds(&[Kind::CloseWait]);
    both.actions.push("socket.leak".parse().unwrap());
    check(both, &[1, 6, 7, 9, 10]);
}
