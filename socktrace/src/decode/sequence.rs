//! What a ring buffer lost, from the numbers of what arrived.

use std::collections::BTreeMap;

use super::Origin;

/// Counts the numbers that are missing among each CPU's records.
///
/// A program that runs in an interrupt can overtake the one it interrupted, so within a CPU a record may
/// arrive a little after its successors. A missing number is therefore believed only if it was missing
/// at two [`settle`](Self::settle)s in a row; should its record arrive still later, the next losses make
/// up for it. Nothing is told twice, and once everything has arrived the sum of what was told is exact.
///
/// Programs that interrupt each other while they take a number may both take the later one and leave
/// the earlier one out. As many records arrive as numbers were taken, so that is no loss here either.
///
/// Memory: a few words a CPU, at most [`super::MAX_CPUS`] of them.
#[derive(Clone, Debug, Default)]
pub struct SequenceTracker {
    cpus: BTreeMap<u32, Cpu>,
    told: u64,
}

/// Only counts are kept, no list of holes: among the numbers below a bound, those missing are the bound
/// less those that arrived.
#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    /// The highest number seen, plus one.
    next: u64,
    /// Records that arrived.
    arrived: u64,
    /// `next` at the last settle.
    bound: u64,
    /// Records that arrived with numbers below `bound`.
    arrived_below: u64,
}

impl SequenceTracker {
    /// A tracker for programs that have just been loaded: the first number of each CPU is 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a record that arrived.
    pub fn observe(&mut self, origin: Origin) {
        let cpu = self.cpus.entry(origin.cpu).or_default();
        cpu.next = cpu.next.max(origin.seq.saturating_add(1));
        cpu.arrived = cpu.arrived.saturating_add(1);
        if origin.seq < cpu.bound {
            cpu.arrived_below = cpu.arrived_below.saturating_add(1);
        }
    }

    /// To be called once whatever had arrived has been observed. Returns how many records more are lost
    /// than were told before, if any: those that were missing at the last call and still are.
    ///
    /// At the end, a second call in a row tells of what only the first one saw.
    pub fn settle(&mut self) -> Option<u64> {
        let missing = |cpu: &Cpu| cpu.bound.saturating_sub(cpu.arrived_below);
        let lost = self.cpus.values().map(missing).fold(0, u64::saturating_add);
        for cpu in self.cpus.values_mut() {
            cpu.bound = cpu.next;
            cpu.arrived_below = cpu.arrived;
        }
        let more = lost.saturating_sub(self.told);
        self.told = self.told.max(lost);
        (more > 0).then_some(more)
    }
}
