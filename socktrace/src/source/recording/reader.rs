//! Reading a recording.

use std::io::{self, BufReader, Read};
use std::iter::FusedIterator;

use socktrace_common::wire;
use thiserror::Error;

use super::header::{Beginning, FIXED_LEN, may_begin};
use super::{Header, HeaderError};
use crate::decode::{DecodeError, MAX_RECORD_LEN, decode, frame};
use crate::model::Record;

const RECORD_HEADER: usize = size_of::<wire::Header>();

/// Reads a recording from `R`, record by record, whatever its size, in constant memory.
///
/// As an iterator it yields the records. A record that is whole but has a bad field is an error among
/// them. Anything else is the last item: see [`ReadError::is_last`].
#[derive(Debug)]
pub struct Reader<R: Read> {
    input: BufReader<R>,
    header: Header,
    /// Where the next record begins.
    offset: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads and checks the header.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut input = BufReader::new(input);
        let mut fixed = [0; FIXED_LEN];
        let whole = fill_header(&mut input, &mut fixed, 0);
        // A short file of another sort is foreign rather than truncated.
        if let Err(ReadError::TruncatedHeader { have, .. }) = &whole
            && !may_begin(&fixed, *have)
        {
            return Err(ReadError::Header(HeaderError::Magic));
        }
        whole?;
        let beginning = Beginning::parse(&fixed).map_err(ReadError::Header)?;
        let mut texts = vec![0; beginning.texts_len()];
        fill_header(&mut input, &mut texts, FIXED_LEN)?;
        let offset = bytes(FIXED_LEN) + bytes(texts.len());
        let header = beginning.complete(&texts).map_err(ReadError::Header)?;
        Ok(Self {
            input,
            header,
            offset,
            ended: false,
        })
    }

    /// What the recording says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the next record begins: bytes from the start of the recording.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` where the recording ends between two records.
    fn read_record(&mut self) -> Result<Option<Record>, ReadError> {
        let offset = self.offset;
        let io = |reason| ReadError::Io { offset, reason };
        let mut buffer = [0; MAX_RECORD_LEN];
        let (head, _) = buffer.split_at_mut(RECORD_HEADER);
        let have = fill(&mut self.input, head).map_err(io)?;
        if have == 0 {
            return Ok(None);
        }
        if have < RECORD_HEADER {
            return Err(ReadError::Truncated {
                offset,
                have,
                need: RECORD_HEADER,
            });
        }
        let need = frame(head).map_err(|reason| ReadError::Foreign { offset, reason })?;
        let truncated = |have| ReadError::Truncated { offset, have, need };
        let (record, _) = buffer
            .split_at_mut_checked(need)
            .ok_or_else(|| truncated(have))?;
        let (_, body) = record.split_at_mut(RECORD_HEADER);
        let have = RECORD_HEADER + fill(&mut self.input, body).map_err(io)?;
        if have < need {
            return Err(truncated(have));
        }
        self.offset += bytes(need);
        decode(record, self.header.context())
            .map(Some)
            .map_err(|reason| ReadError::Record { offset, reason })
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read_record().transpose();
        self.ended = match &next {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(error)) => error.is_last(),
        };
        next
    }
}

impl<R: Read> FusedIterator for Reader<R> {}

/// Why a recording cannot be read, or not further, or why one record of it cannot. Offsets are in bytes
/// from the start of the recording.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file is not a recording that this program reads.
    #[error("offset 0: not a recording that can be played back: {0}")]
    Header(HeaderError),
    /// The file ends within the header.
    #[error("offset {have}: the recording ends within its header of {need} bytes")]
    TruncatedHeader {
        /// Bytes that are there.
        have: u64,
        /// Bytes of the header, as far as that is known.
        need: u64,
    },
    /// The file ends within a record.
    #[error("offset {offset}: the recording ends within a record, after {have} of {need} bytes")]
    Truncated {
        /// Where the record begins.
        offset: u64,
        /// Bytes of it that are there.
        have: usize,
        /// Bytes of it, or of its header where not even that is whole.
        need: usize,
    },
    /// What comes here is not a record: nothing tells where the next one begins.
    #[error("offset {offset}: what follows is not a record: {reason}")]
    Foreign {
        /// Where it begins.
        offset: u64,
        /// What is wrong with it.
        reason: DecodeError,
    },
    /// A record is whole, but cannot be understood. Reading goes on behind it.
    #[error("offset {offset}: a record cannot be understood: {reason}")]
    Record {
        /// Where it begins.
        offset: u64,
        /// What is wrong with it.
        reason: DecodeError,
    },
    /// The file could not be read.
    #[error("offset {offset}: the recording cannot be read: {reason}")]
    Io {
        /// Where the record begins that was to be read.
        offset: u64,
        /// What happened.
        reason: io::Error,
    },
}

impl ReadError {
    /// True if nothing can be read after this: all errors but that of a single record.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Record { .. })
    }
}

/// Fills a part of the header that begins at `offset`.
fn fill_header(input: &mut impl Read, part: &mut [u8], offset: usize) -> Result<(), ReadError> {
    let have = fill(input, part).map_err(|reason| ReadError::Io {
        offset: bytes(offset),
        reason,
    })?;
    if have < part.len() {
        let (have, need) = (
            bytes(offset) + bytes(have),
            bytes(offset) + bytes(part.len()),
        );
        return Err(ReadError::TruncatedHeader { have, need });
    }
    Ok(())
}

/// Reads until `buffer` is full or the input ends; returns how much was read.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while let Some(rest) = buffer.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}

fn bytes(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
