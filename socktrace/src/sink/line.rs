//! Lines to a writer.

use std::io::{self, ErrorKind, Write};

use super::{Sink, SinkError};

/// A sink over any writer: a batch is one write, and is flushed.
#[derive(Debug)]
pub struct LineSink<W> {
    name: String,
    writer: W,
    /// The last batch broke off inside a line.
    torn: bool,
}

impl<W: Write> LineSink<W> {
    /// Lines to `writer`, which messages call `name`.
    pub fn new(name: String, writer: W) -> Self {
        Self {
            name,
            writer,
            torn: false,
        }
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.writer
    }

    /// Ends a torn line, writes `batch`, flushes. `written` counts the bytes of `batch` that got through.
    fn pass_on(&mut self, batch: &[u8], written: &mut usize) -> io::Result<()> {
        if self.torn {
            let mut ended = 0;
            write_counted(&mut self.writer, b"\n", &mut ended)?;
            self.torn = false;
        }
        write_counted(&mut self.writer, batch, written)?;
        self.writer.flush()
    }
}

impl<W: Write + Send> Sink for LineSink<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, batch: &[u8]) -> Result<(), SinkError> {
        let mut written = 0;
        let result = self.pass_on(batch, &mut written);
        let (through, rest) = batch.split_at(written);
        // Nothing of the batch got through: it may still stand behind an older torn line.
        if let Some(last) = through.last() {
            self.torn = *last != b'\n';
        }
        let name = || self.name.clone();
        result.map_err(|reason| match reason.kind() {
            ErrorKind::BrokenPipe => SinkError::Closed { name: name() },
            _ => SinkError::Write {
                name: name(),
                reason,
                lines: count_lines(rest),
            },
        })
    }
}

/// Newlines in `bytes`: of a batch's rest, the lines that were not written to their end.
pub(super) fn count_lines(bytes: &[u8]) -> u64 {
    // A chunk's count fits into a byte, and so the compiler counts many bytes at a time.
    let of_chunk = |chunk: &[u8]| {
        chunk
            .iter()
            .map(|byte| u8::from(*byte == b'\n'))
            .sum::<u8>()
    };
    bytes
        .chunks(255)
        .map(|chunk| u64::from(of_chunk(chunk)))
        .sum()
}

/// `Write::write_all`, telling how far it came.
fn write_counted(writer: &mut impl Write, bytes: &[u8], written: &mut usize) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match writer.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                *written += n;
                rest = rest.get(n..).unwrap_or_default();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
