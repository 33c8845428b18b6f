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

/// Processor time that this process has used, all threads together.
pub(crate) fn processor() -> Duration {
    let mut used = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `used` is a valid timespec for the kernel to write to. Every process has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut used) };
    Duration::new(
        u64::try_from(used.tv_sec).unwrap_or(0),
        u32::try_from(used.tv_nsec).unwrap_or(0),
    )
}
