//! Losses on purpose, for tests: records disappear, or arrive unreadable, and nobody is told but by what
//! tells of real losses.

use std::str::FromStr;

use crate::decode::origin;

/// How much is to go wrong. Written `ring=30,walk=20,seed=7`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// Percentage of the ring buffer's records that are dropped.
    pub ring: u8,
    /// Percentage of the records about suspects, told by walks or in answers, that cannot be decoded.
    pub walk: u8,
    /// Where the sequence of fates begins: the same seed makes the same one.
    pub seed: u64,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Pass,
    /// It was never there.
    Drop,
    /// It arrives, and cannot be decoded.
    Spoil,
}

/// Decides the fate of records, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rates: FaultRates,
    drawn: u64,
    dropped: u64,
}

impl Faults {
    /// Faults at these rates.
    #[must_use]
    pub fn new(rates: FaultRates) -> Self {
        Self {
            rates,
            drawn: 0,
            dropped: 0,
        }
    }

    /// What becomes of `record`, which came from the kernel.
    pub fn fate(&mut self, record: &[u8]) -> Fate {
        let (rate, fate) = if origin(record).is_some() {
            (self.rates.ring, Fate::Drop)
        } else {
            (self.rates.walk, Fate::Spoil)
        };
        if rate == 0 || self.draw() >= u64::from(rate) {
            return Fate::Pass;
        }
        self.dropped += u64::from(fate == Fate::Drop);
        fate
    }

    /// How many records were dropped: a program whose ring buffer is full counts them in its counters.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The next number below 100 (`SplitMix64`).
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let mut z = self
            .rates
            .seed
            .wrapping_add(self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 100
    }
}

impl FromStr for FaultRates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rates = Self::default();
        let percent = |value: &str| {
            let value = value.parse().ok().filter(|value| *value <= 100);
            value.ok_or_else(|| "a rate is a percentage from 0 to 100".to_owned())
        };
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("ring", value)) => rates.ring = percent(value)?,
                Some(("walk", value)) => rates.walk = percent(value)?,
                Some(("seed", value)) => {
                    rates.seed = value.parse().map_err(|_| "a seed is a number".to_owned())?;
                }
                _ => return Err("faults are written ring=30,walk=20,seed=7".to_owned()),
            }
        }
        Ok(rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::mark_record;
    use crate::decode::tests::wire::sequenced;
    use crate::model::{BootTime, Mark};

    fn fates(rates: &str, record: &[u8]) -> Vec<Fate> {
        let mut faults = Faults::new(rates.parse().expect("rates"));
        (0..1000).map(|_| faults.fate(record)).collect()
    }

    fn count(fates: &[Fate], wanted: Fate) -> usize {
        fates.iter().filter(|fate| **fate == wanted).count()
    }

    #[test]
    fn the_same_seed_makes_the_same_losses() {
        let ring = sequenced(0, 0);
        let some = fates("ring=30,seed=7", &ring);
        assert_eq!(some, fates("ring=30,seed=7", &ring));
        assert_ne!(some, fates("ring=30,seed=8", &ring));
        assert!((250..350).contains(&count(&some, Fate::Drop)));
        assert_eq!(count(&some, Fate::Spoil), 0);
    }

    #[test]
    fn each_source_has_its_rate() {
        let walk = mark_record(BootTime(1), Mark::Tick);
        assert_eq!(count(&fates("ring=100", &walk), Fate::Pass), 1000);
        assert_eq!(count(&fates("walk=100", &walk), Fate::Spoil), 1000);
        let ring = sequenced(0, 0);
        assert_eq!(count(&fates("walk=100", &ring), Fate::Pass), 1000);
        let mut all = Faults::new("ring=100".parse().expect("rates"));
        assert_eq!((all.fate(&ring), all.dropped()), (Fate::Drop, 1));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "ring", "ring=101", "ring=-1", "seed=x", "all=5"] {
            text.parse::<FaultRates>().unwrap_err();
        }
    }
}
