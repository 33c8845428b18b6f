//! Records on their way in: recorded, accounted for and decoded, the same for every live command.

use super::recorder::Recorder;
use crate::decode::{DecodeContext, decode, frame};
use crate::model::Record;
use crate::source::gaps::Gaps;

/// Takes the source's bytes.
pub(super) struct Intake {
    context: DecodeContext,
    /// The account of losses.
    pub(super) gaps: Gaps,
    /// The raw recording.
    pub(super) recorder: Recorder,
}

impl Intake {
    /// For programs that have just been loaded on a kernel with this HZ.
    pub(super) fn new(hz: u32, recorder: Recorder) -> Self {
        Self {
            context: DecodeContext { hz },
            gaps: Gaps::new(),
            recorder,
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
            self.gaps.arrived(record);
            self.recorder.record(record);
            match decode(record, self.context) {
                Ok(record) => each(&record),
                Err(_) => self.gaps.undecodable(),
            }
        }
    }
}
