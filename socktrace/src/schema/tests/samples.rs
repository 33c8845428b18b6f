//! One of everything, and how to encode it.

pub(super) use crate::schema::examples::incidents::*;
pub(super) use crate::schema::examples::samples::*;
use crate::schema::{Encoder, Format};

/// Lines that `encode` makes with a fresh encoder.
pub(super) fn lines(
    format: Format,
    colour: bool,
    encode: impl FnOnce(&mut Encoder, &mut Vec<u8>),
) -> String {
    let mut out = Vec::new();
    encode(&mut Encoder::new(format, host(), colour), &mut out);
    String::from_utf8(out).unwrap()
}
