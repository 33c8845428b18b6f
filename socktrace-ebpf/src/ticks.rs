//! Time in jiffies, for what is dated often and read seldom: to read the clock is a call of several functions,
//! while the number of jiffies is a load.

use crate::globals::config;
use crate::output::now;
use crate::sock;

/// One moment, on both clocks.
#[derive(Clone, Copy)]
pub struct Ticks {
    boot_ns: u64,
    jiffies: u64,
}

impl Ticks {
    /// Now.
    #[inline(always)]
    pub fn now() -> Self {
        Self {
            boot_ns: now(),
            jiffies: sock::jiffies(),
        }
    }

    /// When it was `jiffies`, nanoseconds since boot: up to two jiffies later than what was dated so, not
    /// in the future, and never earlier, since a use that lay before the start of its own process would be
    /// taken for another process's. Time that the machine has slept since then is left out.
    #[inline(always)]
    pub fn boot_ns(self, jiffies: u64) -> u64 {
        if jiffies >= self.jiffies {
            return self.boot_ns;
        }
        let age = (self.jiffies - jiffies - 1) * u64::from(config!(ns_per_jiffy));
        self.boot_ns.saturating_sub(age)
    }

    /// As [`Ticks::boot_ns`], of the lower half of a moment's jiffies.
    #[inline(always)]
    pub fn boot_ns_of_half(self, jiffies: u32) -> u64 {
        let age = (self.jiffies as u32).wrapping_sub(jiffies);
        // It may have been dated after this moment.
        let age = if age > u32::MAX / 2 { 0 } else { age };
        self.boot_ns(self.jiffies - u64::from(age))
    }
}
