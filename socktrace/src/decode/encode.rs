//! The bytes of the records that the agent makes itself, so that they travel and are recorded like the
//! kernel's.

use socktrace_common::wire::{self, Header, WIRE_VERSION, gap_place, kind, mark};
use zerocopy::transmute;

use crate::model::{BootTime, Gap, GapPlace, Mark};

/// Bytes of a [`gap_record`] and of a [`mark_record`].
pub const AGENT_RECORD_LEN: usize = LEN as usize;

const LEN: u32 = 48;

/// The record that says that something was lost.
#[must_use]
pub fn gap_record(at: BootTime, gap: Gap) -> [u8; AGENT_RECORD_LEN] {
    let place = match gap.place {
        GapPlace::Ring => gap_place::RING,
        GapPlace::Suspects => gap_place::SUSPECTS,
        GapPlace::Owners => gap_place::OWNERS,
        GapPlace::Decode => gap_place::DECODE,
        GapPlace::Tracker => gap_place::TRACKER,
        GapPlace::Missed => gap_place::MISSED,
        GapPlace::Queues => gap_place::QUEUES,
    };
    transmute!(wire::Gap {
        header: header(at, kind::GAP),
        place,
        reserved: 0,
        lost: gap.lost
    })
}

/// The record that says that a walk, a reading of the truth or a moment has come.
#[must_use]
pub fn mark_record(at: BootTime, mark: Mark) -> [u8; AGENT_RECORD_LEN] {
    let (what, value) = match mark {
        Mark::WalkBegin => (mark::WALK_BEGIN, 0),
        Mark::WalkEnd { oldest_young } => (mark::WALK_END, oldest_young.map_or(0, |at| at.0)),
        Mark::TruthBegin => (mark::TRUTH_BEGIN, 0),
        Mark::TruthEnd { complete } => (mark::TRUTH_END, u64::from(complete)),
        Mark::Tick => (mark::TICK, 0),
    };
    transmute!(wire::Mark {
        header: header(at, kind::MARK),
        what,
        reserved: 0,
        value
    })
}

fn header(at: BootTime, kind: u16) -> Header {
    Header {
        version: WIRE_VERSION,
        kind,
        len: LEN,
        boot_ns: at.0,
        seq: 0,
        cpu: 0,
        flags: 0,
    }
}
