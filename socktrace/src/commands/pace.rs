//! For how long whoever reads the ring buffer does something else.

use std::time::Duration;

use crate::model::BootTime;

/// The longest time between two looks at the ring buffer.
///
/// While it is waited for, it is being looked at: what comes then is read at once.
#[derive(Debug, Default)]
pub(super) struct Pace {
    busy_since: Option<BootTime>,
    longest: Duration,
}

impl Pace {
    /// Something has come up: until [`Self::waits`] nobody looks.
    pub(super) fn works(&mut self, now: BootTime) {
        self.busy_since = Some(now);
    }

    /// It is waited for again.
    pub(super) fn waits(&mut self, now: BootTime) {
        if let Some(since) = self.busy_since.take() {
            self.longest = self.longest.max(now.since(since));
        }
    }

    /// The longest time so far.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_counts_and_the_longest_stays() {
        let mut pace = Pace::default();
        pace.waits(BootTime(5));
        assert_eq!(pace.longest(), Duration::ZERO);
        for (from, to, longest) in [(10, 30, 20), (1000, 1005, 20), (2000, 2021, 21)] {
            pace.works(BootTime(from));
            pace.waits(BootTime(to));
            assert_eq!(pace.longest(), Duration::from_nanos(longest));
        }
    }
}
