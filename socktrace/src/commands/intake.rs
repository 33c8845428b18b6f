//! Records on their way in: recorded, accounted for and decoded, the same for every live command.

use super::recorder::Recorder;
use crate::decode::{DecodeContext, decode, frame, mark_record, origin};
use crate::model::{Event, Mark, Record};
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
    /// A record of the reading in flight could not be decoded.
    spoilt: bool,
}

impl Intake {
    /// For programs that have just been loaded on a kernel with this HZ.
    pub(super) fn new(hz: u32, recorder: Recorder, faults: Faults) -> Self {
        Self {
            context: DecodeContext { hz },
            gaps: Gaps::new(),
            recorder,
            faults,
            spoilt: false,
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
                let record = self.whole(record);
                if let Event::Mark(mark) = record.event {
                    self.recorder.record(&mark_record(record.at, mark));
                } else {
                    self.recorder.record(bytes);
                }
                each(&record);
            }
            _ => {
                if fate == Fate::Pass {
                    self.recorder.record(bytes);
                }
                self.spoilt |= origin(bytes).is_none();
                self.gaps.undecodable();
            }
        }
    }

    /// A reading with a hole proves nothing: what it does not show may have been in the hole.
    #[expect(clippy::large_types_passed_by_value, reason = "it is given back")]
    fn whole(&mut self, record: Record) -> Record {
        let event = match record.event {
            Event::Mark(Mark::TruthBegin) => {
                self.spoilt = false;
                record.event
            }
            Event::Mark(Mark::TruthEnd { complete }) => Event::Mark(Mark::TruthEnd {
                complete: complete && !self.spoilt,
            }),
            event => event,
        };
        Record { event, ..record }
    }
}
