//! The account of losses: what the ring buffer, the kernel's tables and the decoder did not keep.

use std::collections::BTreeMap;

use socktrace_common::counters::Counters;

use crate::decode::{SequenceTracker, origin};
use crate::model::{Gap, GapPlace};

/// Adds up losses from all that shows them and tells of each one once.
///
/// A record that did not fit into the ring buffer shows twice: in its CPU's counter at once, and as a
/// missing number when that CPU's next record arrives. Neither alone is enough (the last records of a
/// burst have no successor; counters are read now and then), so the larger of the two is believed.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    sequences: SequenceTracker,
    /// Missing numbers told by `sequences`.
    missing: u64,
    /// Losses known, by place.
    known: BTreeMap<GapPlace, u64>,
    /// Those of them that [`Gaps::settle`] has told.
    told: BTreeMap<GapPlace, u64>,
}

impl Gaps {
    /// An account for programs that have just been loaded: nothing was lost yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A ring-buffer record has arrived, decodable or not.
    pub fn arrived(&mut self, record: &[u8]) {
        if let Some(origin) = origin(record) {
            self.sequences.observe(origin);
        }
    }

    /// A record could not be decoded.
    pub fn undecodable(&mut self) {
        let known = self.known.entry(GapPlace::Decode).or_default();
        *known = known.saturating_add(1);
    }

    /// Something was lost that neither a counter nor a sequence shows.
    pub fn lost(&mut self, gap: Gap) {
        if gap.lost > 0 {
            let known = self.known.entry(gap.place).or_default();
            *known = known.saturating_add(gap.lost);
        }
    }

    /// The programs' counters were read: each CPU's values since the programs were loaded.
    pub fn counters(&mut self, cpus: &[Counters]) {
        let total =
            |count: fn(&Counters) -> u64| cpus.iter().map(count).fold(0, u64::saturating_add);
        self.at_least(GapPlace::Ring, total(|cpu| cpu.ring_lost));
        self.at_least(GapPlace::Suspects, total(|cpu| cpu.suspects_lost));
        self.at_least(GapPlace::Owners, total(|cpu| cpu.owners_lost));
    }

    /// The kernel's own count was read: how often programs did not run since they were loaded.
    pub fn missed(&mut self, missed: u64) {
        self.at_least(GapPlace::Missed, missed);
    }

    /// To be called when the ring buffer has been drained: what was lost and not told before, at most one
    /// gap a place, in the order of places.
    pub fn settle(&mut self) -> Vec<Gap> {
        self.missing = self
            .missing
            .saturating_add(self.sequences.settle().unwrap_or(0));
        self.at_least(GapPlace::Ring, self.missing);
        let mut gaps = Vec::new();
        for (&place, &known) in &self.known {
            let told = self.told.entry(place).or_default();
            if known > *told {
                gaps.push(Gap {
                    place,
                    lost: known - *told,
                });
                *told = known;
            }
        }
        gaps
    }

    /// Losses told so far, by place; places without any are absent.
    #[must_use]
    pub fn told(&self) -> &BTreeMap<GapPlace, u64> {
        &self.told
    }

    fn at_least(&mut self, place: GapPlace, lost: u64) {
        if lost > 0 {
            let known = self.known.entry(place).or_default();
            *known = lost.max(*known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::tests::wire::sequenced;

    fn counters(ring_lost: u64, suspects_lost: u64, owners_lost: u64) -> Counters {
        Counters {
            ring_lost,
            suspects_lost,
            owners_lost,
            ..Counters::default()
        }
    }

    fn gap(place: GapPlace, lost: u64) -> Gap {
        Gap { place, lost }
    }

    #[test]
    fn nothing_lost_tells_nothing() {
        let mut gaps = Gaps::new();
        gaps.arrived(&sequenced(0, 0));
        gaps.counters(&[counters(0, 0, 0), counters(0, 0, 0)]);
        assert_eq!(gaps.settle(), []);
        assert_eq!(gaps.settle(), []);
        assert!(gaps.told().is_empty());
    }

    #[test]
    fn counters_are_added_up_over_cpus_and_told_once() {
        let mut gaps = Gaps::new();
        let read = [counters(1, 2, 3), counters(10, 20, 30)];
        gaps.counters(&read);
        let all = [
            gap(GapPlace::Ring, 11),
            gap(GapPlace::Suspects, 22),
            gap(GapPlace::Owners, 33),
        ];
        assert_eq!(gaps.settle(), all);
        gaps.counters(&read);
        assert_eq!(gaps.settle(), []);
        gaps.counters(&[counters(1, 2, 3), counters(10, 25, 30)]);
        assert_eq!(gaps.settle(), [gap(GapPlace::Suspects, 5)]);
        assert_eq!(gaps.told().get(&GapPlace::Suspects), Some(&27));
    }

    #[test]
    fn programs_that_did_not_run_are_told_once() {
        let mut gaps = Gaps::new();
        gaps.missed(0);
        assert_eq!(gaps.settle(), []);
        gaps.missed(2);
        gaps.missed(3);
        assert_eq!(gaps.settle(), [gap(GapPlace::Missed, 3)]);
        gaps.missed(3);
        assert_eq!(gaps.settle(), []);
        assert_eq!(gaps.told().get(&GapPlace::Missed), Some(&3));
    }

    #[test]
    fn a_record_lost_in_the_ring_is_told_once_when_the_counter_is_first() {
        let mut gaps = Gaps::new();
        gaps.counters(&[counters(2, 0, 0)]);
        assert_eq!(gaps.settle(), [gap(GapPlace::Ring, 2)]);
        gaps.arrived(&sequenced(0, 2));
        assert_eq!(gaps.settle(), []);
        assert_eq!(gaps.settle(), []);
    }

    #[test]
    fn a_record_lost_in_the_ring_is_told_once_when_the_numbers_are_first() {
        let mut gaps = Gaps::new();
        gaps.arrived(&sequenced(0, 2));
        assert_eq!(gaps.settle(), []);
        assert_eq!(gaps.settle(), [gap(GapPlace::Ring, 2)]);
        gaps.counters(&[counters(2, 0, 0)]);
        assert_eq!(gaps.settle(), []);
        gaps.counters(&[counters(3, 0, 0)]);
        assert_eq!(gaps.settle(), [gap(GapPlace::Ring, 1)]);
    }

    #[test]
    fn an_undecodable_record_is_not_lost_in_the_ring_as_well() {
        let mut gaps = Gaps::new();
        gaps.arrived(&sequenced(0, 0));
        let mut bad = sequenced(0, 1);
        bad[2] = 0xff; // No such kind.
        gaps.arrived(&bad);
        gaps.undecodable();
        gaps.arrived(&sequenced(0, 2));
        assert_eq!(gaps.settle(), [gap(GapPlace::Decode, 1)]);
        assert_eq!(gaps.settle(), []);
    }

    #[test]
    fn bytes_that_are_no_record_are_ignored() {
        let mut gaps = Gaps::new();
        gaps.arrived(b"");
        gaps.arrived(&[0xff; 400]);
        assert_eq!(gaps.settle(), []);
        assert_eq!(gaps.settle(), []);
    }
}
