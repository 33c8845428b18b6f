//! How values are written in the formats that are made with serde.

use std::fmt::Display;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::escape::escape;
/// A value written as the text it displays as.
pub(super) struct Shown<T>(pub(super) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
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
