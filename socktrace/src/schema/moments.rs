//! Durations for people and times of the day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::words::push;
use crate::model::{BootTime, Host};

/// A duration for people, rounded down: `1.2s`, `61s`, `5m03s`, `3h05m`, `2d03h`.
pub(super) fn duration(d: Duration) -> String {
    let mut out = String::new();
    push_duration(&mut out, d);
    out
}

/// Appends what [`duration`] returns.
pub(super) fn push_duration(out: &mut String, d: Duration) {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let s = d.as_secs();
    if s < 10 {
        push(out, format_args!("{s}.{}s", d.subsec_millis() / 100));
    } else if s < 2 * MINUTE {
        push(out, format_args!("{s}s"));
    } else if s < 2 * HOUR {
        push(out, format_args!("{}m{:02}s", s / MINUTE, s % MINUTE));
    } else if s < 2 * DAY {
        push(out, format_args!("{}h{:02}m", s / HOUR, s % HOUR / MINUTE));
    } else {
        push(out, format_args!("{}d{:02}h", s / DAY, s % DAY / HOUR));
    }
}

/// The wall-clock time of a moment of this host.
///
/// Clamped to the years 1970 to 9999, which RFC 3339 can write: a recording may claim anything.
pub(super) fn wall(host: &Host, at: BootTime) -> SystemTime {
    wall_of(host.wall_minus_boot_ns, at)
}

/// As [`wall`], from the nanoseconds between the clocks.
pub(super) fn wall_of(wall_minus_boot_ns: i128, at: BootTime) -> SystemTime {
    const LAST_SECOND_OF_9999: u64 = 253_402_300_799;
    let ns = i128::from(at.0).saturating_add(wall_minus_boot_ns).max(0);
    // Until the year 2554 these are 64 bits, which are divided faster.
    if let Ok(ns) = u64::try_from(ns) {
        return UNIX_EPOCH + Duration::from_nanos(ns);
    }
    let secs = u64::try_from(ns / 1_000_000_000)
        .unwrap_or(u64::MAX)
        .min(LAST_SECOND_OF_9999);
    let nanos = u32::try_from(ns % 1_000_000_000).unwrap_or(0);
    UNIX_EPOCH + Duration::new(secs, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_rounded_down() {
        for (millis, text) in [
            (0, "0.0s"),
            (1_299, "1.2s"),
            (9_999, "9.9s"),
            (10_000, "10s"),
            (61_999, "61s"),
            (119_999, "119s"),
            (120_000, "2m00s"),
            (303_000, "5m03s"),
            (7_199_000, "119m59s"),
            (7_200_000, "2h00m"),
            (11_100_000, "3h05m"),
            (172_799_000, "47h59m"),
            (183_600_000, "2d03h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn wall_time_stays_within_what_can_be_written() {
        let host = |wall_minus_boot_ns| Host {
            name: String::new(),
            id: String::new(),
            boot_id: String::new(),
            wall_minus_boot_ns,
            agent_started: BootTime(0),
        };
        let check = |offset, at, text: &str| {
            let time = wall(&host(offset), BootTime(at));
            assert_eq!(humantime::format_rfc3339_micros(time).to_string(), text);
        };
        check(1_000_000_000, 1_999, "1970-01-01T00:00:01.000001Z");
        check(-5, 3, "1970-01-01T00:00:00.000000Z");
        check(i128::MAX, u64::MAX, "9999-12-31T23:59:59.884105Z");
        check(i128::MIN, 0, "1970-01-01T00:00:00.000000Z");
    }
}
