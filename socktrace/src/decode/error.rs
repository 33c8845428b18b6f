//! Why bytes are not a record.

use socktrace_common::wire::WIRE_VERSION;
use thiserror::Error;

/// Why bytes are not a record of this wire version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside the record.
    #[error("the record ends after {have} of {need} bytes")]
    Truncated {
        /// Bytes that are there.
        have: usize,
        /// Bytes of the record, or of its header where not even that is whole.
        need: usize,
    },
    /// The bytes go on behind the record.
    #[error("{surplus} bytes follow the record")]
    Surplus {
        /// Bytes behind it.
        surplus: usize,
    },
    /// Another wire version, or no record at all.
    #[error(
        "wire version {found} cannot be read, only {WIRE_VERSION}: use the socktrace that made the record"
    )]
    Version {
        /// `header.version`.
        found: u16,
    },
    /// No such kind of record in this version.
    #[error("there is no record kind {found}")]
    Kind {
        /// `header.kind`.
        found: u16,
    },
    /// The header's length is not that of the kind it names.
    #[error("{kind}: header.len is {found}, not {expected}")]
    Length {
        /// Name of the kind.
        kind: &'static str,
        /// `header.len`.
        found: u32,
        /// Bytes of a record of this kind.
        expected: usize,
    },
    /// A field has a value that this version does not have.
    #[error("{kind}: {field} is {value:#x}, not {expected}")]
    Field {
        /// Name of the kind.
        kind: &'static str,
        /// Path of the field in its wire structure.
        field: &'static str,
        /// What it says.
        value: u64,
        /// What it may say.
        expected: &'static str,
    },
}

/// A field out of its range, before the kind of its record is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadField {
    field: &'static str,
    value: u64,
    expected: &'static str,
}

impl BadField {
    pub(super) fn new(field: &'static str, value: impl Into<u64>, expected: &'static str) -> Self {
        Self {
            field,
            value: value.into(),
            expected,
        }
    }

    pub(super) fn of(self, kind: &'static str) -> DecodeError {
        let Self {
            field,
            value,
            expected,
        } = self;
        DecodeError::Field {
            kind,
            field,
            value,
            expected,
        }
    }
}
