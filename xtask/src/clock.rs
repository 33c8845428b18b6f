//! The one place where xtask reads a clock.
#![expect(clippy::disallowed_methods, reason = "this is the one place")]

use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Measures how long something took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// What is left of `limit`; zero when it is over.
    pub(crate) fn left_of(self, limit: Duration) -> Duration {
        limit.saturating_sub(self.elapsed())
    }
}

/// Waits. For polls with a deadline, and where time itself is what is measured.
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// Time since 1970 by the wall clock, to be compared with what other programs print.
pub(crate) fn wall() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
