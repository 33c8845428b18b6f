//! What holds for any records in any order, however senseless.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::records::Spec;
use super::script::EPOCH;
use crate::model::{BootTime, Event, Gap, GapPlace, Mark, Phase, Record, TcpState};
use crate::tracker::{Action, Timeline, Tracker, TrackerConfig};

const MAX: usize = 4;

fn spec() -> impl Strategy<Value = Spec> {
    let socket = (
        1..8_u64,
        prop::sample::select(TcpState::ALL.to_vec()),
        any::<[bool; 3]>(),
    );
    let seqs = any::<[u8; 4]>();
    let words = prop::sample::subsequence(
        vec![
            "found",
            "prog",
            "ep=3",
            "err=104",
            "idle=90",
            "by=10/12",
            "acc=10/12",
            "eof",
            "never",
        ],
        0..4,
    );
    let seen = prop::sample::select(vec!["10/3", "11/3", "-", "?"]);
    (socket, seqs, words, seen, 0..30_u32).prop_map(|(socket, seqs, words, seen, since)| {
        let (cookie, state, [close_wait, no_socket, dead]) = socket;
        let words: String = words.iter().map(|word| [",", word].concat()).collect();
        let mut spec = Spec::parse(&format!("c{cookie}:{seen}@{since}{words}"));
        spec.socket.state = if close_wait {
            TcpState::CloseWait
        } else {
            state
        };
        spec.socket.no_socket = no_socket;
        spec.socket.dead = dead && cookie == 1;
        let [rcv, copied, write, una] = seqs.map(u32::from);
        spec.seqs.rcv_nxt = spec.seqs.rcv_nxt.wrapping_add(rcv % 3);
        spec.seqs.copied_seq = spec.seqs.copied_seq.wrapping_add(copied % 3);
        spec.seqs.write_seq = spec.seqs.write_seq.wrapping_add(write / 250);
        spec.seqs.snd_una = spec.seqs.snd_una.wrapping_add(una / 250);
        spec
    })
}

fn event() -> impl Strategy<Value = Event> {
    let mark = prop_oneof![
        Just(Mark::WalkBegin),
        prop::option::of(0..30_u64).prop_map(|at| {
            let oldest_young = at.map(|at| BootTime(EPOCH + at * 1_000_000_000));
            Mark::WalkEnd { oldest_young }
        }),
        Just(Mark::TruthBegin),
        any::<bool>().prop_map(|complete| Mark::TruthEnd { complete }),
        Just(Mark::Tick),
    ];
    let place = prop::sample::select(vec![
        GapPlace::Ring,
        GapPlace::Suspects,
        GapPlace::Owners,
        GapPlace::Decode,
        GapPlace::Tracker,
        GapPlace::Missed,
        GapPlace::Queues,
    ]);
    prop_oneof![
        6 => spec().prop_map(|spec| spec.suspect(false)),
        8 => spec().prop_map(|spec| spec.sight()),
        2 => (spec(), any::<bool>()).prop_map(|(spec, exiting)| spec.release(exiting)),
        2 => spec().prop_map(|spec| spec.change()),
        8 => mark.prop_map(Event::Mark),
        1 => place.prop_map(|place| Event::Gap(Gap { place, lost: 1 })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_records_in_any_order(
        events in prop::collection::vec((0..4_000_u64, 0..9_000_u64, event()), 0..200),
    ) {
        let config = TrackerConfig {
            leak_after: Duration::from_secs(10),
            reproof_every: Duration::from_secs(30),
            max_tracked: MAX,
        };
        let mut tracker = Tracker::new(config);
        let mut now = EPOCH;
        let mut open = BTreeSet::new();
        let mut truth = BTreeSet::new();
        let (mut walks, mut proofs) = (0_i32, 0_i32);
        for (step, late, event) in events {
            now += step * 1_000_000;
            let is_mark = matches!(event, Event::Mark(_));
            let at = BootTime(if is_mark { now } else { now - late * 1_000_000 });
            match &event {
                Event::Mark(Mark::TruthBegin) => truth.clear(),
                Event::Held(held) => {
                    truth.insert(held.socket.cookie);
                }
                Event::Unheld(unheld) => {
                    truth.insert(unheld.socket.cookie);
                }
                _ => {}
            }
            let ends_reading = event == Event::Mark(Mark::TruthEnd { complete: true });
            tracker.handle_event(&Record { at, event });
            for _ in 0..1_000 {
                match tracker.poll_action() {
                    None => break,
                    Some(Action::Walk) => walks += 1,
                    Some(Action::Prove(asked)) => {
                        proofs += 1;
                        prop_assert!(asked.len() <= MAX);
                    }
                    Some(Action::Gap(gap)) => prop_assert!(gap.lost > 0),
                    Some(Action::Report(leak)) => {
                        let cookie = leak.socket.cookie;
                        match leak.phase {
                            Phase::Open => {
                                prop_assert!(open.insert(cookie));
                                prop_assert!(ends_reading, "opened by something else");
                                prop_assert!(truth.contains(&cookie), "not in the truth");
                                prop_assert!(leak.age() >= config.leak_after);
                            }
                            Phase::Update => prop_assert!(open.contains(&cookie)),
                            Phase::Resolved(_) => prop_assert!(open.remove(&cookie)),
                        }
                    }
                }
            }
            prop_assert!(tracker.poll_action().is_none());
            prop_assert!(tracker.tracked() <= MAX);
            prop_assert_eq!(tracker.open(), open.len());
        }
        prop_assert!(walks + proofs <= 402, "{} walks and {} readings", walks, proofs);
        // Left alone, with readings that show nothing, it forgets everything.
        for _ in 0..200 {
            let due = tracker.poll_timeout().expect("there is always a next walk");
            now = now.max(due.0);
            tracker.handle_timeout(BootTime(now));
            while let Some(action) = tracker.poll_action() {
                let marks = match action {
                    Action::Walk => [Mark::WalkBegin, Mark::WalkEnd { oldest_young: None }],
                    Action::Prove(_) => [Mark::TruthBegin, Mark::TruthEnd { complete: true }],
                    Action::Report(_) | Action::Gap(_) => continue,
                };
                for mark in marks {
                    tracker.handle_event(&Record { at: BootTime(now), event: Event::Mark(mark) });
                }
            }
        }
        prop_assert_eq!((tracker.tracked(), tracker.open()), (0, 0));
    }

    #[test]
    fn a_timeline_is_bounded(
        events in prop::collection::vec((0..4_000_u64, event()), 0..200),
        max in 1..5_usize,
    ) {
        let mut timeline = Timeline::new(max);
        for (at, event) in events {
            let lives = matches!(event, Event::StateChange(_) | Event::Release(_));
            let told = timeline.observe(&Record { at: BootTime(EPOCH + at), event });
            prop_assert_eq!(told.is_some(), lives);
            prop_assert!(timeline.len() <= max);
        }
    }
}
