//! When walks and readings are asked for.

use std::time::Duration;

use super::script::{CONFIG, EPOCH, Script};
use crate::model::{BootTime, Event, Gap, GapPlace, Mark, Record};
use crate::tracker::{Action, Tracker, TrackerConfig};

/// Runs a tracker against a kernel without sockets and notes what it wants, with the time in
/// milliseconds. Walks and readings take no time; `oldest_young` is what every walk answers.
fn wishes(config: TrackerConfig, until_ms: u64, oldest_young: Option<u64>) -> Vec<(u64, char)> {
    let at = |ms: u64| BootTime(EPOCH + ms * 1_000_000);
    let mut tracker = Tracker::new(config);
    let mut wishes = Vec::new();
    let mut now = at(0);
    tracker.handle_timeout(now);
    for _ in 0..10_000 {
        while let Some(action) = tracker.poll_action() {
            let oldest_young = oldest_young.map(at);
            let (name, begin, end) = match action {
                Action::Walk => ('w', Mark::WalkBegin, Mark::WalkEnd { oldest_young }),
                Action::Prove(_) => ('p', Mark::TruthBegin, Mark::TruthEnd { complete: true }),
                other => panic!("unexpected {other:?}"),
            };
            wishes.push(((now.0 - EPOCH) / 1_000_000, name));
            for mark in [begin, end] {
                tracker.handle_event(&Record {
                    at: now,
                    event: Event::Mark(mark),
                });
            }
        }
        let next = tracker.poll_timeout().expect("there is always a next walk");
        assert!(next > now, "woken at {now:?} for {next:?}");
        if next > at(until_ms) {
            return wishes;
        }
        now = next;
        tracker.handle_timeout(now);
    }
    panic!("no end: {:?}", &wishes[wishes.len() - 10..]);
}

fn config(leak_after_ms: u64, reproof_ms: u64) -> TrackerConfig {
    TrackerConfig {
        leak_after: Duration::from_millis(leak_after_ms),
        reproof_every: Duration::from_millis(reproof_ms),
        max_tracked: 10,
    }
}

#[test]
fn the_start_and_the_quiet_path() {
    let wished = wishes(config(60_000, 30_000), 190_000, None);
    assert_eq!(
        wished,
        [
            (0, 'p'),
            (0, 'w'),
            (60_250, 'w'),
            (120_500, 'w'),
            (180_750, 'w')
        ]
    );
}

/// A machine that loses records all the time is not read all the time.
#[test]
fn losses_that_do_not_cease_are_answered_ever_more_rarely() {
    let mut tracker = Tracker::new(config(60_000, 10_000));
    let mut readings = Vec::new();
    for half_seconds in 0..200 {
        let now = BootTime(EPOCH + half_seconds * 500_000_000);
        let is_losing = half_seconds < 80 || half_seconds == 160;
        if is_losing {
            let gap = Gap {
                place: GapPlace::Missed,
                lost: 1,
            };
            tracker.handle_event(&Record {
                at: now,
                event: Event::Gap(gap),
            });
        }
        tracker.handle_timeout(now);
        while let Some(action) = tracker.poll_action() {
            let [begin, end] = match action {
                Action::Walk => [Mark::WalkBegin, Mark::WalkEnd { oldest_young: None }],
                Action::Prove(_) => {
                    readings.push(half_seconds);
                    [Mark::TruthBegin, Mark::TruthEnd { complete: true }]
                }
                other => panic!("unexpected {other:?}"),
            };
            for mark in [begin, end] {
                tracker.handle_event(&Record {
                    at: now,
                    event: Event::Mark(mark),
                });
            }
        }
    }
    // At once, after a second, two, four, eight, then with the slow timer; and anew after a time without.
    assert_eq!(readings, [0, 2, 6, 14, 30, 50, 70, 90, 160]);
}

#[test]
fn short_thresholds_do_not_spin() {
    for (leak_after, oldest_young) in [
        (0, None),
        (0, Some(0)),
        (1, None),
        (10, Some(0)),
        (50, None),
    ] {
        for reproof in [0, 1, 1_000] {
            let wished = wishes(config(leak_after, reproof), 10_000, oldest_young);
            let walks = wished.iter().filter(|(_, job)| *job == 'w').count();
            let readings = wished.len() - walks;
            assert!(
                walks <= 205 && readings <= 205,
                "{leak_after} ms: {walks}, {readings}"
            );
        }
    }
}

#[test]
fn the_truth_is_read_now_and_then_even_if_nothing_is_tracked() {
    let wished = wishes(config(60_000, 30_000), 1_000_000, None);
    let readings: Vec<_> = wished.into_iter().filter(|(_, job)| *job == 'p').collect();
    assert_eq!(
        readings,
        [(0, 'p'), (300_000, 'p'), (600_000, 'p'), (900_000, 'p')]
    );
}

#[test]
fn a_young_suspect_is_awaited() {
    let mut run = Script::started(CONFIG);
    let feed = |run: &mut Script, ms: u64, mark| {
        let at = BootTime(EPOCH + ms * 1_000_000);
        run.tracker.handle_event(&Record {
            at,
            event: Event::Mark(mark),
        });
    };
    feed(&mut run, 10_250, Mark::WalkBegin);
    let oldest_young = Some(BootTime(EPOCH + 4_000_000_000));
    feed(&mut run, 10_250, Mark::WalkEnd { oldest_young });
    let due = run
        .tracker
        .poll_timeout()
        .map(|at| (at.0 - EPOCH) / 1_000_000);
    assert_eq!(due, Some(14_250));
}

/// Whenever a socket becomes a suspect, a walk that begins after it is ripe, and less than a second
/// after, is planned: by the socket itself if the last walk saw it, else by the walk's own time.
#[test]
fn no_suspect_waits_for_a_second() {
    for leak_after in [10, 100, 400, 1_000, 5_000, 60_000] {
        let walks: Vec<_> = wishes(
            config(leak_after, 30_000),
            (leak_after * 8).max(1_000),
            None,
        )
        .into_iter()
        .filter_map(|(at, job)| (job == 'w').then_some(at))
        .collect();
        for pair in walks.windows(2) {
            // The worst case is a socket that became a suspect just after the walk began.
            let delay = pair[1].saturating_sub(pair[0] + leak_after);
            assert!(delay < 500, "{leak_after}: {delay}");
        }
        assert!(walks.len() > 4, "{leak_after}: {walks:?}");
    }
}

#[track_caller]
fn check(script: &str, expected: &str) {
    let mut run = Script::started(CONFIG);
    run.run(script);
    assert_eq!(run.wishes.join("; "), expected);
}

#[test]
fn told_then_proven_then_walked() {
    check("10.2 tick; 10.3 tick; 10.3 walk c1@0", "walk; prove c1");
    check(
        "10.3 tick; 10.3 walk c1@0 c2@0; 10.4 truth c1:10/3",
        "walk; prove c1 c2; walk",
    );
    check("10.3 tick; 10.3 walk", "walk");
    // What is told again, or is no suspect yet, needs no proof.
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3; 11 walk c1@0",
        "prove c1; walk",
    );
    check("10.3 walk c1@10.3,prog,ep=1", "");
}

#[test]
fn the_slow_timer() {
    let open = "10.3 walk c1@0; 10.4 truth c1:10/3; 10.4 walk; ";
    check(
        &format!("{open}20 tick; 20.65 tick; 20.65 walk; 30 tick"),
        "prove c1; walk; walk",
    );
    check(
        &format!("{open}20.65 tick; 20.65 walk; 40.4 tick"),
        "prove c1; walk; walk; prove c1",
    );
    // With nothing tracked there is nothing to prove.
    check(
        &format!("{open}15 release c1; 40.4 tick"),
        "prove c1; walk; walk",
    );
    check("45 tick", "walk");
}

#[test]
fn what_was_found_is_proven_when_it_is_ripe() {
    check("1 walk c1@1,found c2@2,found; 10.9 tick", "");
    check("1 walk c1@1,found c2@2,found; 11 tick", "prove c1 c2");
    check(
        "1 walk c1@1,found c2@2,found; 11 truth c1:10/3 c2:10/4; 11 walk; 11.9 tick; 12 tick",
        "prove c1 c2; walk; prove c1 c2",
    );
    // A busy one is told of again by the kernel, once it is quiet.
    check(
        "1 walk c1@1,found; 11 truth c1:10/3,w=5; 11 walk; 21 walk; 22 tick",
        "prove c1; walk",
    );
}

#[test]
fn the_deferred_are_proven_again_less_and_less_often() {
    check(
        "10.3 walk c1@0; 10.4 truth c1:?; 10.4 walk; 11.3 tick; 11.4 tick; 11.4 truth c1:?; 11.4 walk; \
         13.3 tick; 13.4 tick",
        "prove c1; walk; prove c1; walk; prove c1",
    );
}

#[test]
fn long_readings_are_followed_by_long_pauses() {
    check(
        "10.3 walk c1@0; 10.4 begin; 12.4 see c1:10/3; 12.4 end; 12.4 walk c2@2; 13 tick; 18 tick; 18.4 tick",
        "prove c1; walk; prove c1 c2",
    );
}

#[test]
fn one_thing_at_a_time() {
    check("10.3 tick; 10.4 ring; 20 ring; 30 tick", "walk");
    check("10.3 ring; 10.4 tick; 50 tick", "prove");
}

#[test]
fn time_does_not_go_back() {
    let mut tracker = Tracker::new(CONFIG);
    tracker.handle_timeout(BootTime(EPOCH));
    assert!(tracker.poll_action().is_some());
    tracker.handle_timeout(BootTime(0));
    let due = tracker.poll_timeout().expect("a reading is in flight");
    assert!(due > BootTime(EPOCH));
}

#[test]
fn the_end_of_time() {
    let mut tracker = Tracker::new(CONFIG);
    for at in [0, u64::MAX, 1, u64::MAX] {
        for mark in [
            Mark::WalkBegin,
            Mark::WalkEnd { oldest_young: None },
            Mark::TruthBegin,
        ] {
            tracker.handle_event(&Record {
                at: BootTime(at),
                event: Event::Mark(mark),
            });
            let wishes = std::iter::from_fn(|| tracker.poll_action())
                .take(10)
                .count();
            assert!(wishes < 10);
        }
    }
}
