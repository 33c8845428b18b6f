//! Findings from their first wanted line to their last.

use super::super::{Filter, FindingGate};
use super::filters::finding;
use crate::model::{Cause, Cookie, Finding, Kind, Phase};

const RESOLVED: Phase = Phase::Resolved(Cause::Closed(None));

fn line(cookie: u64, phase: Phase, kind: Kind) -> Finding {
    let mut finding = finding();
    finding.leak.socket.cookie = Cookie(cookie);
    finding.leak.phase = phase;
    finding.leak.kind = kind;
    finding
}

/// What a gate for `close_wait` says to each line.
#[track_caller]
fn check(lines: &[(u64, Phase, Kind, bool)]) {
    let mut gate = FindingGate::new(Filter {
        kinds: vec![Kind::CloseWait],
        ..Filter::default()
    });
    for (n, (cookie, phase, kind, expected)) in lines.iter().enumerate() {
        assert_eq!(
            gate.admits(&line(*cookie, *phase, *kind)),
            *expected,
            "line {n}"
        );
    }
    assert_eq!(gate.open(), 0);
}

#[test]
fn a_wanted_leak_is_told_to_its_end() {
    check(&[
        (1, Phase::Open, Kind::CloseWait, true),
        (1, Phase::Update, Kind::ClosedHeld, true),
        (1, RESOLVED, Kind::ClosedHeld, true),
    ]);
}

#[test]
fn an_unwanted_leak_has_no_end() {
    check(&[
        (1, Phase::Open, Kind::ClosedHeld, false),
        (1, RESOLVED, Kind::ClosedHeld, false),
        (2, Phase::Open, Kind::HalfClosed, false),
        (2, RESOLVED, Kind::CloseWait, false),
    ]);
}

#[test]
fn a_leak_can_become_wanted() {
    check(&[
        (1, Phase::Open, Kind::Unaccepted, false),
        (1, Phase::Update, Kind::CloseWait, true),
        (1, RESOLVED, Kind::CloseWait, true),
    ]);
}

#[test]
fn an_end_is_told_once_and_forgotten() {
    check(&[
        (1, Phase::Open, Kind::CloseWait, true),
        (2, Phase::Open, Kind::ClosedHeld, false),
        (1, RESOLVED, Kind::CloseWait, true),
        (1, RESOLVED, Kind::CloseWait, false),
        (1, Phase::Open, Kind::ClosedHeld, false),
    ]);
}

#[test]
fn the_end_needs_no_process() {
    let wanted = Filter {
        cgroups: vec![b"/system.slice".to_vec()],
        ..Filter::default()
    };
    let mut gate = FindingGate::new(wanted);
    assert!(gate.admits(&finding()));
    let mut end = finding();
    end.process = None;
    end.leak.phase = RESOLVED;
    assert!(gate.admits(&end));
}
