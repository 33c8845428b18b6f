//! The one place that reads clocks. Everything else is handed the time.
#![expect(clippy::disallowed_methods, reason = "this is the one place")]

use std::time::{Duration, SystemTime};

use crate::model::BootTime;

/// A source of time. The real one is [`System`]; tests bring their own.
pub trait Clock {
    /// Now, on the boot clock.
    fn boot(&self) -> BootTime;
    /// Wall clock minus boot clock, nanoseconds.
    fn wall_minus_boot_ns(&self) -> i128;

    /// Now, on the wall clock; not before 1970.
    fn wall(&self) -> SystemTime {
        let ns = i128::from(self.boot().0).saturating_add(self.wall_minus_boot_ns());
        SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(ns.max(0)).unwrap_or(u64::MAX))
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    fn boot(&self) -> BootTime {
        BootTime(read(libc::CLOCK_BOOTTIME))
    }

    fn wall_minus_boot_ns(&self) -> i128 {
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        i128::try_from(wall.as_nanos()).unwrap_or(i128::MAX)
            - i128::from(read(libc::CLOCK_BOOTTIME))
    }
}

/// Now on `CLOCK_MONOTONIC`, which stands still during suspend as jiffies do. Nanoseconds.
#[must_use]
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Length of a jiffy, nanoseconds: what the kernel's coarse clocks advance by (`KTIME_LOW_RES`,
/// include/linux/ktime.h).
#[must_use]
pub fn jiffy_ns() -> u32 {
    let mut step = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `step` is a valid timespec for the kernel to write to; the clock exists since 2.6.32.
    let failed = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut step) } != 0;
    if failed {
        return 0;
    }
    u32::try_from(step.tv_nsec).unwrap_or(0)
}

/// Ticks of the kernel's timer a second; 0 if it could not be found out.
#[must_use]
pub fn hz() -> u32 {
    1_000_000_000_u32.checked_div(jiffy_ns()).unwrap_or(0)
}

/// Whole jiffies in `time`.
#[must_use]
pub fn jiffies_in(time: Duration) -> u32 {
    let jiffies = time.as_nanos() / u128::from(jiffy_ns().max(1));
    u32::try_from(jiffies).unwrap_or(u32::MAX)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec for the kernel to write to; both clocks exist since 2.6.39.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut now) } != 0;
    if failed {
        return 0;
    }
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jiffy_is_a_hundredth_to_a_thousandth_of_a_second() {
        assert!((1_000_000..=10_000_000).contains(&jiffy_ns()));
        assert!([100, 250, 300, 1000].contains(&hz()), "{}", hz());
        assert_eq!(jiffies_in(Duration::ZERO), 0);
        assert!((100..=1000).contains(&jiffies_in(Duration::from_secs(1))));
        assert_eq!(jiffies_in(Duration::MAX), u32::MAX);
    }
}
