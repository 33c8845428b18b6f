//! Deadlines. Every wait of a test ends at one.

use std::sync::OnceLock;
use std::time::Duration;

use socktrace::clock::{Clock, System};
use socktrace::model::BootTime;

/// How long something that should happen at once may take: far longer than it does, since a machine that
/// builds or tests other things beside it must not fail a test.
pub const SOON: Duration = Duration::from_secs(30);

/// How often [`until`] looks.
const POLL: Duration = Duration::from_millis(5);

/// The moment after which a wait is given up.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(BootTime);

impl Deadline {
    /// `limit` from now, stretched as [`stretched`] does.
    #[must_use]
    pub fn within(limit: Duration) -> Self {
        Self(now().after(stretched(limit)))
    }

    /// What is left; `None` once it has passed.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        Some(self.0.since(now())).filter(|left| !left.is_zero())
    }
}

/// Looks again and again until `is_so`; whether it came to be within `limit`.
pub fn until(limit: Duration, is_so: impl Fn() -> bool) -> bool {
    let deadline = Deadline::within(limit);
    loop {
        if is_so() {
            return true;
        }
        if deadline.left().is_none() {
            return false;
        }
        // Nobody unparks this thread on purpose.
        std::thread::park_timeout(POLL);
    }
}

/// Now, on the boot clock, which the agent's own times are taken from.
#[must_use]
pub fn now() -> BootTime {
    System.boot()
}

/// `limit` times `SOCKTRACE_TEST_SLOW`.
///
/// # Panics
///
/// If that is set to anything but a whole number above 0.
#[must_use]
pub fn stretched(limit: Duration) -> Duration {
    static FACTOR: OnceLock<u32> = OnceLock::new();
    limit
        * *FACTOR.get_or_init(|| match std::env::var("SOCKTRACE_TEST_SLOW") {
            Err(_) => 1,
            Ok(given) => match given.parse() {
                Ok(factor) if factor > 0 => factor,
                _ => panic!("SOCKTRACE_TEST_SLOW must be a whole number above 0, not {given:?}"),
            },
        })
}
