//! The records that the agent makes itself.

use socktrace_common::wire::{self, gap_place, mark as what};

use super::event;
use super::wire::{HZ, gap, mark};
use crate::decode::{AGENT_RECORD_LEN, decode, gap_record, mark_record};
use crate::model::{BootTime, Event, Gap, GapPlace, Mark};

#[test]
fn gaps() {
    let places = [
        (gap_place::RING, GapPlace::Ring),
        (gap_place::SUSPECTS, GapPlace::Suspects),
        (gap_place::OWNERS, GapPlace::Owners),
        (gap_place::DECODE, GapPlace::Decode),
        (gap_place::TRACKER, GapPlace::Tracker),
        (gap_place::MISSED, GapPlace::Missed),
        (gap_place::QUEUES, GapPlace::Queues),
    ];
    for (number, place) in places {
        for lost in [0, 1, u64::MAX] {
            let expected = Gap { place, lost };
            assert_eq!(
                event!(
                    Gap,
                    wire::Gap {
                        place: number,
                        lost,
                        ..gap()
                    }
                ),
                expected
            );
            let record = decode(&gap_record(BootTime(5), expected), HZ).unwrap();
            assert_eq!(
                (record.at, record.event),
                (BootTime(5), Event::Gap(expected))
            );
        }
    }
}

#[test]
fn marks() {
    let marks = [
        (what::WALK_BEGIN, 0, Mark::WalkBegin),
        (what::WALK_END, 0, Mark::WalkEnd { oldest_young: None }),
        (
            what::WALK_END,
            9,
            Mark::WalkEnd {
                oldest_young: Some(BootTime(9)),
            },
        ),
        (what::TRUTH_BEGIN, 0, Mark::TruthBegin),
        (what::TRUTH_END, 0, Mark::TruthEnd { complete: false }),
        (what::TRUTH_END, 1, Mark::TruthEnd { complete: true }),
        (what::TICK, 0, Mark::Tick),
    ];
    for (what, value, expected) in marks {
        assert_eq!(
            event!(
                Mark,
                wire::Mark {
                    what,
                    value,
                    ..mark()
                }
            ),
            expected
        );
        let record = decode(&mark_record(BootTime(5), expected), HZ).unwrap();
        assert_eq!(
            (record.at, record.event),
            (BootTime(5), Event::Mark(expected))
        );
    }
}

#[test]
fn the_agents_records_have_the_wire_length() {
    assert_eq!(AGENT_RECORD_LEN, size_of::<wire::Gap>());
    assert_eq!(AGENT_RECORD_LEN, size_of::<wire::Mark>());
}
