//! How values are written in the formats that are made with serde.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use super::escape::escape;
use super::moments::wall;
use super::numbers::Ipv4Text;
use crate::model::{BootTime, Host};

/// A value written as the text it displays as.
pub(super) struct Shown<T>(pub(super) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// An address, IPv4 where it is mapped into IPv6.
pub(super) struct Ip(pub(super) IpAddr);

impl Serialize for Ip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_canonical() {
            IpAddr::V4(v4) => serializer.serialize_str(Ipv4Text::new(v4).as_str()),
            v6 @ IpAddr::V6(_) => serializer.collect_str(&v6),
        }
    }
}

/// Bytes that a process or an administrator chose, written escaped.
pub(super) struct Untrusted<'a>(pub(super) &'a [u8]);

impl Serialize for Untrusted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(self.0))
    }
}

/// Nanoseconds, as ECS counts durations; at most 584 years.
pub(super) fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds of a duration; at most 584 million years.
pub(super) fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// Nanoseconds from 1970 to the wall-clock time of `at`; they end in the year 2554.
pub(super) fn unix_nanos(host: &Host, at: BootTime) -> u64 {
    nanos(
        wall(host, at)
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// Milliseconds from 1970 to the wall-clock time of `at`.
pub(super) fn unix_millis(host: &Host, at: BootTime) -> u64 {
    millis(
        wall(host, at)
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}
