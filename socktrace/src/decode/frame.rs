//! Where a record begins and ends, and who made it: what its header alone tells.

use std::iter::FusedIterator;
use std::mem::size_of;

use socktrace_common::wire::{self, Header, WIRE_VERSION, header_flag, kind};
use zerocopy::FromBytes;

use super::{DecodeContext, DecodeError, decode};
use crate::model::Record;

/// Bytes of the longest record of this wire version.
pub const MAX_RECORD_LEN: usize = size_of::<wire::Suspect>();

/// CPUs that are told apart: the most that a kernel can be configured for (`CONFIG_NR_CPUS` on x86-64
/// ends at 8192). A record from a higher number is foreign.
pub const MAX_CPUS: u32 = 8192;

/// The kinds of this version, with their names in errors and their lengths in bytes.
pub(super) const KINDS: [(u16, &str, usize); 9] = [
    (
        kind::STATE_CHANGE,
        "state change",
        size_of::<wire::StateChange>(),
    ),
    (kind::CONNECT, "connect", size_of::<wire::Connect>()),
    (kind::ACCEPT, "accept", size_of::<wire::Accept>()),
    (kind::RELEASE, "release", size_of::<wire::Release>()),
    (kind::SUSPECT, "suspect", size_of::<wire::Suspect>()),
    (kind::HELD, "held", size_of::<wire::Held>()),
    (kind::UNHELD, "unheld", size_of::<wire::Unheld>()),
    (kind::GAP, "gap", size_of::<wire::Gap>()),
    (kind::MARK, "mark", size_of::<wire::Mark>()),
];

/// Length in bytes of the record that begins at `bytes`, of which the header must be whole.
///
/// Fails where the header is not one of this wire version: then nothing tells where the next record
/// begins. The length is at most [`MAX_RECORD_LEN`]; `bytes` may be shorter or longer than it.
pub fn frame(bytes: &[u8]) -> Result<usize, DecodeError> {
    header(bytes).map(|(_, _, len)| len)
}

/// How many bytes of `bytes` to leave out to come to the next record with a sound header, if there is
/// one, behind a header that is not: at least 8, or all of them. Records are as long as a multiple of 8.
#[must_use]
pub fn skip(bytes: &[u8]) -> usize {
    (8..bytes.len())
        .step_by(8)
        .find(|&at| bytes.get(at..).is_some_and(|rest| frame(rest).is_ok()))
        .unwrap_or(bytes.len())
}

/// Which CPU made a ring-buffer record, and its number among that CPU's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The CPU, below [`MAX_CPUS`].
    pub cpu: u32,
    /// The record's number, counted from 0 since the programs were loaded.
    pub seq: u64,
}

/// Who made the record that begins at `bytes`; `None` for records without a number and for what is
/// of another wire version.
///
/// Looks at nothing else: a record that cannot be decoded has arrived all the same, and counting it as
/// lost as well would count it twice.
#[must_use]
pub fn origin(bytes: &[u8]) -> Option<Origin> {
    let (header, _) = Header::read_from_prefix(bytes).ok()?;
    let numbered = header.version == WIRE_VERSION
        && header.flags & header_flag::SEQUENCED != 0
        && header.cpu < MAX_CPUS;
    numbered.then_some(Origin {
        cpu: header.cpu,
        seq: header.seq,
    })
}

/// The header at the beginning of `bytes`, the name of its kind and its length.
pub(super) fn header(bytes: &[u8]) -> Result<(Header, &'static str, usize), DecodeError> {
    let (header, _) = Header::read_from_prefix(bytes).map_err(|_| DecodeError::Truncated {
        have: bytes.len(),
        need: size_of::<Header>(),
    })?;
    if header.version != WIRE_VERSION {
        return Err(DecodeError::Version {
            found: header.version,
        });
    }
    let (_, name, len) = KINDS
        .into_iter()
        .find(|(kind, ..)| *kind == header.kind)
        .ok_or(DecodeError::Kind { found: header.kind })?;
    if usize::try_from(header.len) != Ok(len) {
        return Err(DecodeError::Length {
            kind: name,
            found: header.len,
            expected: len,
        });
    }
    Ok((header, name, len))
}

/// Every record in `bytes`, with the offset it begins at.
///
/// A record that is whole but has a bad field is an error among the others; the walk goes on behind it.
/// Where no sound header is found, or the bytes end inside a record, that error is the last item.
#[must_use]
pub fn records(bytes: &[u8], context: DecodeContext) -> Records<'_> {
    Records {
        rest: bytes,
        offset: 0,
        context,
    }
}

/// See [`records()`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    offset: usize,
    context: DecodeContext,
}

impl Iterator for Records<'_> {
    type Item = (usize, Result<Record, DecodeError>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.offset;
        let framed = frame(self.rest).and_then(|len| {
            let have = self.rest.len();
            self.rest
                .split_at_checked(len)
                .ok_or(DecodeError::Truncated { have, need: len })
        });
        match framed {
            Ok((record, rest)) => {
                self.rest = rest;
                self.offset += record.len();
                Some((at, decode(record, self.context)))
            }
            Err(error) => {
                self.rest = &[];
                Some((at, Err(error)))
            }
        }
    }
}

impl FusedIterator for Records<'_> {}
