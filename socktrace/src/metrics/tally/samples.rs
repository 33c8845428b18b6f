//! Leaks to count.

use crate::model::{BootTime, Leak, Phase, samples};

fn s(n: u64) -> BootTime {
    BootTime(n * 1_000_000_000)
}

/// A line of the finding of socket `cookie`, open since 60 s, put down to a process with this name.
pub(in super::super) fn line(at: u64, cookie: u64, name: &[u8], phase: Phase) -> Leak {
    Leak {
        blame: Some(samples::blame(7, s(1), name)),
        ..samples::leak(s(at), s(at.saturating_sub(60)), cookie, phase)
    }
}

/// A leak that opens.
#[cfg(feature = "metrics")]
pub(in super::super) fn leak(at: u64, cookie: u64, name: &[u8]) -> Leak {
    line(at, cookie, name, Phase::Open)
}
