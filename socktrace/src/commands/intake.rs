//! Records on their way in: recorded, accounted for and decoded, the same for every live command.

use super::recorder::Recorder;
use crate::decode::{DecodeContext, decode, frame, gap_record, origin};
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

    /// Takes records, in any number, and hands each that can be decoded to `each`.
    pub(super) fn take(&mut self, mut records: &[u8], mut each: impl FnMut(&Record)) {
        while !records.is_empty() {
            let Ok(len) = frame(records) else {
                // Nothing tells where the next record begins.
                self.gaps.undecodable();
                return;
            };
            let (record, rest) = records.split_at_checked(len).unwrap_or((records, &[]));
            records = rest;
            self.take_one(record, &mut each);
        }
    }

    fn take_one(&mut self, bytes: &[u8], each: &mut impl FnMut(&Record)) {
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
                if fate == Fate::Pass {
                    self.recorder.record(bytes);
                }
                self.gaps.undecodable();
                if origin(bytes).is_none() {
                    self.hole(each);
                }
            }
        }
    }

    /// Tells at once that there is a hole in a walk or a reading. It is counted with the others, later.
    fn hole(&mut self, each: &mut impl FnMut(&Record)) {
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
