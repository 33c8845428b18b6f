//! Records on their way in: recorded, accounted for and decoded, the same for every live command.

use super::recorder::Recorder;
use crate::decode::{DecodeContext, decode, frame, gap_record, origin, skip};
use crate::model::{BootTime, Event, Gap, GapPlace, Record};
use crate::source::faults::{Fate, Faults};
use crate::source::gaps::Gaps;

/// Takes the source's bytes.
pub(super) struct Intake {
    context: DecodeContext,
    /// The account of losses.
    pub(super) gaps: Gaps,
    /// The raw recording.
    pub(super) recorder: Recorder,
    /// Losses on purpose.
    pub(super) faults: Faults,
    /// When the last record was made.
    at: BootTime,
}

impl Intake {
    /// For programs that have just been loaded on a kernel with this HZ.
    pub(super) fn new(hz: u32, recorder: Recorder, faults: Faults) -> Self {
        Self {
            context: DecodeContext { hz },
            gaps: Gaps::new(),
            recorder,
            faults,
            at: BootTime::default(),
        }
    }

    /// Takes one record and hands it to `each` if it can be decoded.
    pub(super) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&Record)) {
        let decoded = decode(bytes, self.context);
        // Holders and marks always arrive: a reading that lost one in ten would never be complete.
        let can_fail = match &decoded {
            Ok(record) => matches!(record.event, Event::Suspect(_)) || origin(bytes).is_some(),
            Err(_) => false,
        };
        let fate = if can_fail {
            self.faults.fate(bytes)
        } else {
            Fate::Pass
        };
        if fate == Fate::Drop {
            return;
        }
        self.gaps.arrived(bytes);
        match decoded {
            Ok(record) if fate == Fate::Pass => {
                self.at = record.at;
                self.recorder.record(bytes);
                each(&record);
            }
            _ => {
                // A recording is read by the headers: one that is not sound would end it.
                if fate == Fate::Pass && frame(bytes) == Ok(bytes.len()) {
                    self.recorder.record(bytes);
                }
                self.gaps.undecodable();
                if origin(bytes).is_none() {
                    self.hole(&mut each);
                }
            }
        }
    }

    /// Takes records that stand one behind the other, as an iterator writes them, in any number. One
    /// without a sound header costs what is there up to the next that has one.
    pub(super) fn take_all(&mut self, mut records: &[u8], mut each: impl FnMut(&Record)) {
        while !records.is_empty() {
            let len = frame(records).unwrap_or_else(|_| skip(records));
            let (record, rest) = records.split_at_checked(len).unwrap_or((records, &[]));
            records = rest;
            self.take(record, &mut each);
        }
    }

    /// Tells at once that there is a hole in a walk or a reading. It is counted with the others, later.
    fn hole(&mut self, mut each: impl FnMut(&Record)) {
        let gap = Gap {
            place: GapPlace::Decode,
            lost: 0,
        };
        self.recorder.record(&gap_record(self.at, gap));
        each(&Record {
            at: self.at,
            event: Event::Gap(gap),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::mark_record;
    use crate::model::Mark;

    fn intake() -> Intake {
        Intake::new(1000, Recorder::none(), Faults::default())
    }

    fn tick(at: u64) -> Vec<u8> {
        mark_record(BootTime(at), Mark::Tick).to_vec()
    }

    /// When a record is, unless it tells of a hole.
    fn tick_at(record: &Record) -> Option<u64> {
        (record.event == Event::Mark(Mark::Tick)).then_some(record.at.0)
    }

    /// The times of the records that arrive, and how many could not be decoded.
    #[track_caller]
    fn check(bytes: &[u8], arrive: &[u64], lost: u64) {
        let mut intake = intake();
        let mut arrived = Vec::new();
        intake.take_all(bytes, |record| arrived.extend(tick_at(record)));
        assert_eq!(arrived, arrive);
        let gap = Gap {
            place: GapPlace::Decode,
            lost,
        };
        let gaps: Vec<_> = (lost > 0).then_some(gap).into_iter().collect();
        assert_eq!(intake.gaps.settle(), gaps);
    }

    #[test]
    fn one_bad_record_costs_one_record() {
        let good = [tick(1), tick(2), tick(3)];
        check(&good.concat(), &[1, 2, 3], 0);
        // Its version, its kind, its length, a field.
        for at in [0, 2, 4, 44] {
            let mut bad = good.clone();
            bad[1][at] ^= 0x55;
            check(&bad.concat(), &[1, 3], 1);
            let mut first = good.clone();
            first[0][at] ^= 0x55;
            check(&first.concat(), &[2, 3], 1);
            let mut last = good.clone();
            last[2][at] ^= 0x55;
            check(&last.concat(), &[1, 2], 1);
        }
        let mut both = good;
        both[0][0] ^= 0x55;
        both[1][0] ^= 0x55;
        check(&both.concat(), &[3], 1);
    }

    #[test]
    fn what_ends_too_early_costs_itself() {
        let whole = [tick(1), tick(2)].concat();
        check(&whole[..whole.len() - 1], &[1], 1);
        check(&[tick(1), vec![0; 7]].concat(), &[1], 1);
        check(&[0xff; 400], &[], 1);
        check(&[], &[], 0);
    }

    #[test]
    fn a_record_of_the_ring_ends_where_the_kernel_says() {
        let mut intake = intake();
        let mut arrived = Vec::new();
        let mut short = tick(2);
        short.truncate(40);
        let long = [tick(3), vec![0; 8]].concat();
        for record in [tick(1), short, long, tick(4)] {
            intake.take(&record, |record| arrived.extend(tick_at(record)));
        }
        assert_eq!(arrived, [1, 4]);
        assert_eq!(
            intake.gaps.settle(),
            [Gap {
                place: GapPlace::Decode,
                lost: 2
            }]
        );
    }
}
