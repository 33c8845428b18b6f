//! How fast a count changes: samples on a regular grid, and the median of the slopes between them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{BootTime, Growth};

/// Samples kept.
const SAMPLES: u32 = 64;
/// With fewer than this nothing is said: a burst would look like growth.
const ENOUGH_SAMPLES: usize = 8;
/// Time between samples at first.
const FINEST: Duration = Duration::from_secs(1);
/// Changes of the count that make a window worth believing.
const ENOUGH_CHANGES: u64 = 8;

/// Samples of a count. When there are too many every other one goes, and from then on they are taken half
/// as often; when they are as far apart as they may be, the oldest goes.
#[derive(Debug)]
struct Series {
    spacing: Duration,
    widest: Duration,
    next: BootTime,
    counts: VecDeque<u32>,
}

/// The count over the last nine minutes and, coarser, over the last nine hours.
///
/// The estimate of each is the Theil–Sen one, the median of the slopes between all pairs of samples: a
/// burst, or what a first look finds at once, does not bend it as long as the count is flat around it.
/// The short window is taken if it has seen enough to tell, or would have if the count went on as it did
/// over the long one; a slow leak, of which it sees too little, is left to the long one.
#[derive(Debug)]
pub(super) struct Counts {
    short: Series,
    long: Series,
}

impl Counts {
    /// A count that begins at `at`.
    pub(super) fn new(at: BootTime) -> Self {
        Self {
            short: Series::new(at, Duration::from_secs(8)),
            long: Series::new(at, Duration::from_secs(512)),
        }
    }

    /// The count has been `count` from the last call until `now`.
    pub(super) fn advance(&mut self, now: BootTime, count: u32) {
        self.short.advance(now, count);
        self.long.advance(now, count);
    }

    /// How fast it changes; `None` until there are enough samples.
    pub(super) fn growth(&self) -> Option<Growth> {
        let recent = self.short.growth()?;
        let slow = self.long.growth()?;
        let expected = u128::from(slow.milli_per_minute.unsigned_abs()) * recent.window.as_millis()
            / (60 * 1000 * 1000);
        let told = self.short.change() >= ENOUGH_CHANGES || expected >= u128::from(ENOUGH_CHANGES);
        Some(if told { recent } else { slow })
    }
}

impl Series {
    fn new(at: BootTime, widest: Duration) -> Self {
        Self {
            spacing: FINEST,
            widest,
            next: at.after(FINEST),
            counts: VecDeque::new(),
        }
    }

    fn advance(&mut self, now: BootTime, count: u32) {
        let window = self.widest.saturating_mul(SAMPLES);
        if now.since(self.next) > window.saturating_mul(2) {
            // All that would be left of the samples up to now.
            self.counts.clear();
            self.spacing = self.widest;
            self.next = now.before(window);
        }
        while self.next <= now {
            self.counts.push_back(count);
            if self.counts.len() > SAMPLES as usize {
                self.thin();
            }
            self.next = self.next.after(self.spacing);
        }
    }

    /// Makes room; the sample taken last stays.
    fn thin(&mut self) {
        if self.spacing >= self.widest {
            self.counts.pop_front();
            return;
        }
        let mut keep = self.counts.len() % 2 == 1;
        self.counts.retain(|_| {
            let kept = keep;
            keep = !keep;
            kept
        });
        self.spacing = self.spacing.saturating_mul(2);
    }

    fn growth(&self) -> Option<Growth> {
        let samples = self.counts.len();
        if samples < ENOUGH_SAMPLES {
            return None;
        }
        let spacing = i128::try_from(self.spacing.as_nanos()).ok()?;
        let mut slopes = Vec::with_capacity(samples * samples / 2);
        for (i, from) in self.counts.iter().enumerate() {
            for (apart, to) in (1_i128..).zip(self.counts.iter().skip(i + 1)) {
                let change = i128::from(*to) - i128::from(*from);
                let milli_per_minute = change * 60_000 * 1_000_000_000 / (apart * spacing);
                slopes.push(i64::try_from(milli_per_minute).ok()?);
            }
        }
        Some(Growth {
            milli_per_minute: median(slopes)?,
            window: self
                .spacing
                .saturating_mul(u32::try_from(samples - 1).ok()?),
            samples: u32::try_from(samples).ok()?,
        })
    }

    /// Net change over the window.
    fn change(&self) -> u64 {
        let ends = self.counts.front().zip(self.counts.back());
        ends.map_or(0, |(first, last)| u64::from(first.abs_diff(*last)))
    }
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let upper = values.get(values.len() / 2)?;
    let lower = values.get(values.len().checked_sub(1)? / 2)?;
    Some(lower.midpoint(*upper))
}

#[cfg(test)]
#[path = "tests/series.rs"]
mod tests;
