//! What may be told once in a while.

use std::time::Duration;

use crate::clock;

/// A sink whose troubles come and go is told of once in so long. Its account has every change.
const QUIET: Duration = Duration::from_mins(1);

/// When it was told last, on the monotonic clock in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Seldom(Option<u64>);

impl Seldom {
    /// Whether it may be told now, which then counts as told.
    pub(super) fn tells(&mut self) -> bool {
        let now = clock::monotonic_ns();
        let tells = self
            .0
            .is_none_or(|told| Duration::from_nanos(now.saturating_sub(told)) >= QUIET);
        if tells {
            self.0 = Some(now);
        }
        tells
    }
}
