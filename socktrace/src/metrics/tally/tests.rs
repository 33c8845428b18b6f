use super::samples::line;
use super::*;
use crate::model::{Culprit, Descriptors, Growth, Incident};

const CLOSED: Phase = Phase::Resolved(Cause::Closed(None));

fn s(n: u64) -> BootTime {
    BootTime(n * 1_000_000_000)
}

fn of<'a>(leaks: &'a Leaks, name: &str) -> &'a OfName {
    let mut all = leaks.processes.iter().filter(|of| of.name == name);
    let found = all.next().unwrap_or_else(|| panic!("{name}: {leaks:#?}"));
    assert!(all.next().is_none(), "{name} is there twice: {leaks:#?}");
    found
}

#[test]
fn a_leak_is_counted_from_its_beginning_to_its_end() {
    let mut tally = Tally::new();
    tally.leak(&line(100, 1, b"orders", Phase::Open));
    tally.leak(&line(130, 2, b"orders", Phase::Open));
    tally.leak(&line(150, 1, b"orders", Phase::Update));
    let leaks = tally.leaks(0, 0);
    assert_eq!(of(&leaks, "orders").open, [2, 0, 0, 0]);
    assert_eq!(of(&leaks, "orders").detected, [2, 0, 0, 0]);
    assert_eq!(leaks.oldest, Some(s(70)));
    let mut last = line(200, 1, b"orders", CLOSED);
    last.since = s(40);
    tally.leak(&last);
    let leaks = tally.leaks(3, 4);
    assert_eq!(of(&leaks, "orders").open, [1, 0, 0, 0]);
    assert_eq!(of(&leaks, "orders").detected, [2, 0, 0, 0]);
    let resolved = [("closed", 1), ("exited", 0), ("progress", 0), ("reset", 0)];
    assert_eq!(leaks.resolved, resolved);
    assert_eq!((leaks.held_back, leaks.without_incident), (3, 4));
    assert_eq!(leaks.close_wait.sum, Duration::from_secs(160));
    let filled: Vec<_> = leaks.close_wait.buckets().filter(|(_, n)| *n > 0).collect();
    assert_eq!(filled, [(300.0, 1)]);
    // Told twice, or of a leak that nobody has heard of: nothing.
    tally.leak(&last);
    assert_eq!(tally.leaks(0, 0).resolved, resolved);
}

#[test]
fn a_leak_moves_to_another_kind_and_process() {
    let mut tally = Tally::new();
    tally.leak(&line(100, 1, b"parent", Phase::Open));
    let mut moved = line(110, 1, b"child", Phase::Update);
    moved.kind = Kind::ClosedHeld;
    tally.leak(&moved);
    let leaks = tally.leaks(0, 0);
    assert_eq!(of(&leaks, "parent").open, [0; 4]);
    assert_eq!(of(&leaks, "parent").detected, [1, 0, 0, 0]);
    assert_eq!(of(&leaks, "child").open, [0, 1, 0, 0]);
    assert_eq!(of(&leaks, "child").detected, [0; 4]);
    moved.phase = CLOSED;
    tally.leak(&moved);
    assert_eq!(tally.leaks(0, 0).close_wait.count(), 0);
}

#[test]
fn no_two_names_become_the_same_label() {
    let mut tally = Tally::new();
    let mut garbage = line(100, 1, b"orders", Phase::Open);
    if let Some(blame) = &mut garbage.blame {
        blame.comm.0[10] = b'x';
    }
    tally.leak(&garbage);
    let mut nobody = line(100, 2, b"", Phase::Open);
    nobody.blame = None;
    tally.leak(&nobody);
    for (cookie, name) in (3..).zip([&b"orders"[..], b"", b"unknown", b"other", b"a\n\"\xff\\"]) {
        tally.leak(&line(100, cookie, name, Phase::Open));
    }
    let leaks = tally.leaks(0, 0);
    assert_eq!(of(&leaks, "orders").open[0], 2);
    assert_eq!(of(&leaks, "unknown").open[0], 3);
    assert_eq!(of(&leaks, "other").open[0], 1);
    assert_eq!(of(&leaks, "a\\n\"\\xff\\\\").open[0], 1);
    assert_eq!(leaks.processes.len(), 4);
}

#[test]
fn only_so_many_names_are_told_apart_and_idle_ones_make_room() {
    let mut tally = Tally::new();
    let name = |n: usize| format!("name-{n}").into_bytes();
    for n in 0..NAMES + 10 {
        tally.leak(&line(100, n as u64, &name(n), Phase::Open));
    }
    let leaks = tally.leaks(0, 0);
    assert_eq!(leaks.processes.len(), NAMES + 1);
    assert_eq!(of(&leaks, "other").open[0], 10);
    // Two are resolved, and one of them is idle for long enough when another name comes.
    tally.leak(&line(200, 5, &name(5), CLOSED));
    tally.leak(&line(300, 6, &name(6), CLOSED));
    tally.leak(&line(400, 5, &name(5), Phase::Open));
    tally.leak(&line(410, 5, &name(5), CLOSED));
    tally.leak(&line(3_700, 1001, b"too-early", Phase::Open));
    tally.leak(&line(3_950, 1002, b"in-time", Phase::Open));
    tally.leak(&line(3_950, 1003, b"too-many", Phase::Open));
    let leaks = tally.leaks(0, 0);
    assert_eq!(leaks.processes.len(), NAMES + 1);
    assert_eq!(of(&leaks, "other").open[0], 12);
    assert_eq!(of(&leaks, "in-time").detected[0], 1);
    assert!(leaks.processes.iter().all(|of| of.name != "name-6"));
    assert_eq!(of(&leaks, "name-5").detected[0], 2);
}

#[test]
fn the_earliest_forecast_of_a_name_is_told() {
    let mut tally = Tally::new();
    let incident = |pid: u32, phase, growth| NamedIncident {
        incident: Incident {
            phase,
            at: s(1000),
            kind: Kind::CloseWait,
            culprit: Some(Culprit {
                tgid: Tgid(pid),
                started: s(1),
                comm: Comm::from_bytes(b"orders"),
            }),
            episode: 0,
            open: 10,
            opened_total: 10,
            resolved_total: 0,
            suppressed: 0,
            first: s(900),
            last: s(990),
            ended: None,
            growth: Some(Growth {
                milli_per_minute: growth,
                window: Duration::from_mins(1),
                samples: 5,
            }),
            remotes: Vec::new(),
            held_back: 0,
        },
        process: None,
        descriptors: Descriptors {
            limit: Some(100),
            open: Some(40),
        },
    };
    tally.incident(&incident(1, IncidentPhase::Open, 1000));
    tally.incident(&incident(2, IncidentPhase::Open, 2000));
    let leaks = tally.leaks(0, 0);
    assert_eq!(leaks.incidents, 2);
    assert_eq!(of(&leaks, "orders").exhausted, Some(s(1000 + 30 * 60)));
    tally.incident(&incident(2, IncidentPhase::Resolved, 2000));
    tally.incident(&incident(1, IncidentPhase::Update, 500));
    let leaks = tally.leaks(0, 0);
    assert_eq!(leaks.incidents, 1);
    assert_eq!(of(&leaks, "orders").exhausted, Some(s(1000 + 120 * 60)));
    tally.incident(&incident(1, IncidentPhase::Update, 0));
    assert_eq!(of(&tally.leaks(0, 0), "orders").exhausted, None);
}
