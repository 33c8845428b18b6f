//! Example events: made up values, encoded by what encodes real ones.
//!
//! * [`samples`], [`incidents`]: the values. The tests use the same.
//! * [`sets`]: which of them are told, and in which order.

pub(super) mod incidents;
pub(super) mod samples;
pub(super) mod sets;

use super::encoder::{Encoder, Format};

/// Example lines of a format: every kind of event in every phase, with all that may be known and with as
/// little as may be.
#[must_use]
pub fn examples(format: Format) -> Vec<u8> {
    let mut encoder = Encoder::new(format, samples::host(), false);
    let mut out = Vec::new();
    sets::everything(&mut encoder, &mut out);
    out
}
