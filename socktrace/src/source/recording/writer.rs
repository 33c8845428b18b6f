//! Making a recording.

use std::io::{self, BufWriter, Write};

use thiserror::Error;

use super::{Header, HeaderError};
use crate::decode::{DecodeError, frame};

/// Bytes kept back before they are written out, unless [`Writer::flush`] asks.
const BUFFER: usize = 64 * 1024;

/// Writes a recording to `W`.
///
/// A recording is a help, not the agent's purpose: when it fails, it ends. The failure is returned once,
/// to be told once; after it nothing is written, nothing fails, and records are counted in
/// [`Writer::dropped`]. Nothing that reached the file before is lost.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: BufWriter<W>,
    failed: bool,
    written: u64,
    dropped: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a recording: the header is written out at once, so that a place that cannot be written to
    /// shows here.
    pub fn new(out: W, header: &Header) -> Result<Self, WriteError> {
        let bytes = header.to_bytes().map_err(WriteError::Header)?;
        let mut out = BufWriter::with_capacity(BUFFER, out);
        out.write_all(&bytes)
            .and_then(|()| out.flush())
            .map_err(WriteError::Begin)?;
        Ok(Self {
            out,
            failed: false,
            written: 0,
            dropped: 0,
        })
    }

    /// Adds one record, given as its bytes: decodable or not, but [framed](frame), because nothing
    /// behind it could be read otherwise. What is not is refused, counted, and ends nothing.
    pub fn record(&mut self, record: &[u8]) -> Result<(), WriteError> {
        if let Err(error) = check_frame(record) {
            self.dropped += 1;
            return Err(WriteError::NotARecord(error));
        }
        if self.failed {
            self.dropped += 1;
            return Ok(());
        }
        match self.out.write_all(record) {
            Ok(()) => {
                self.written += 1;
                Ok(())
            }
            Err(error) => {
                self.dropped += 1;
                Err(self.fail(error))
            }
        }
    }

    /// Writes out what is kept back: now and then, so that a killed agent leaves a useful recording, and
    /// at the end, because what happens when a writer is dropped is not told to anybody.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        if self.failed {
            return Ok(());
        }
        self.out.flush().map_err(|error| self.fail(error))
    }

    /// Records that were accepted. After a failure some of the last of them may not be in the file.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Records that were not accepted: refused, or come after a failure.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn fail(&mut self, reason: io::Error) -> WriteError {
        self.failed = true;
        WriteError::Stopped {
            written: self.written,
            reason,
        }
    }
}

/// Why something was not recorded.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The header cannot say what it should.
    #[error("the recording cannot be begun: {0}")]
    Header(HeaderError),
    /// The header could not be written.
    #[error("the recording cannot be begun: {0}")]
    Begin(io::Error),
    /// The recording has ended early; the agent goes on.
    #[error("the recording ends after {written} records, nothing more is written to it: {reason}")]
    Stopped {
        /// Records accepted before.
        written: u64,
        /// What happened.
        reason: io::Error,
    },
    /// The bytes are not one record; the recording goes on without them.
    #[error("what cannot be read back is not recorded: {0}")]
    NotARecord(DecodeError),
}

fn check_frame(record: &[u8]) -> Result<(), DecodeError> {
    let (have, need) = (record.len(), frame(record)?);
    if have < need {
        return Err(DecodeError::Truncated { have, need });
    }
    if have > need {
        return Err(DecodeError::Surplus {
            surplus: have - need,
        });
    }
    Ok(())
}
