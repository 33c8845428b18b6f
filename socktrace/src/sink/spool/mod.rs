//! Lines on disk until a counterpart has taken them: they outlive its outage, and the agent's end.
//!
//! * [`Spool`]: a bounded queue of batches in a folder.
//! * [`segment`]: its files, records with checksums.
//! * [`Spooled`]: a sink that writes to a spool, with a thread that delivers from it.

mod segment;
mod spooled;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::line::count_lines;
use segment::{Ended, Reader, Segment};

pub(super) use spooled::Spooled;

/// A segment that has grown to this is followed by a new one. Room is made a segment at a time.
const SEGMENT: u64 = 1 << 20;
const CURSOR: &str = "cursor";
const LOCK: &str = "lock";

/// A bounded queue of batches in a folder.
///
/// A batch that was appended is in the kernel's hands: it outlives the agent, killed or not, but not a loss
/// of power. What was taken is told by the cursor, which may lag behind: then a batch is delivered twice.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    /// Most bytes of all segments together.
    most: u64,
    /// Every segment, the oldest first; the last one is written to.
    segments: VecDeque<Segment>,
    cursor: Cursor,
    reader: Option<Reader>,
    /// Held as long as this lives: two agents must not share a spool.
    _lock: File,
}

/// Up to where everything was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    segment: u64,
    offset: u64,
}

/// What was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Bytes that were no records any more.
    pub(super) damaged: u64,
}

impl Spool {
    /// Opens the spool in `folder`, which is made if need be, and what an earlier run has left there.
    ///
    /// # Errors
    ///
    /// If the folder cannot be used, or another process uses it.
    pub(super) fn open(folder: &Path, most: u64) -> io::Result<(Self, Given)> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock_file(&lock)?;
        let mut given = Given::default();
        let mut segments = VecDeque::new();
        for number in segment::numbers(folder)? {
            let (segment, damaged) = Segment::repair(folder, number)?;
            given.damaged += damaged;
            segments.push_back(segment);
        }
        let last = segments.back().map_or(0, Segment::number);
        let mut spool = Self {
            folder: folder.to_owned(),
            most,
            cursor: read_cursor(folder, last),
            segments,
            reader: None,
            _lock: lock,
        };
        spool.forget_taken()?;
        Ok((spool, given))
    }

    /// Adds a batch at the end, and makes room for it if need be; how many lines had to go for that.
    pub(super) fn append(&mut self, batch: &[u8]) -> io::Result<u64> {
        let dropped = self.make_room(segment::size_of(batch))?;
        if self
            .segments
            .back()
            .is_none_or(|last| last.bytes() >= SEGMENT)
        {
            let number = self
                .segments
                .back()
                .map_or(self.cursor.segment, Segment::number)
                + 1;
            self.segments
                .push_back(Segment::begin(&self.folder, number)?);
        }
        if let Some(last) = self.segments.back_mut() {
            last.append(batch)?;
        }
        Ok(dropped)
    }

    /// The oldest batch that was not taken, and how many bytes were passed over because they are no
    /// records; `None` if there is no batch.
    pub(super) fn next(&mut self) -> io::Result<(Option<Vec<u8>>, u64)> {
        let mut damaged = 0;
        loop {
            let Some(first) = self.segments.front() else {
                return Ok((None, damaged));
            };
            let (number, bytes) = (first.number(), first.bytes());
            if self.cursor.segment != number {
                self.cursor = Cursor {
                    segment: number,
                    offset: 0,
                };
                self.reader = None;
            }
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => none.insert(Reader::open(&self.folder, number)?),
            };
            match reader.read(self.cursor.offset, bytes)? {
                Ok(batch) => return Ok((Some(batch), damaged)),
                Err(ended) => {
                    if ended == Ended::Damaged {
                        damaged += bytes - self.cursor.offset;
                        self.cursor.offset = bytes;
                    }
                    if self.segments.len() == 1 {
                        return Ok((None, damaged));
                    }
                    self.remove_first()?;
                }
            }
        }
    }

    /// The batch that [`Self::next`] gave was taken.
    pub(super) fn taken(&mut self, batch: &[u8]) -> io::Result<()> {
        self.cursor.offset += segment::size_of(batch);
        write_cursor(&self.folder, self.cursor)
    }

    /// Where the batch that [`Self::next`] gives is: segment and offset.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.cursor.segment, self.cursor.offset)
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.iter().all(|segment| {
            let taken =
                self.cursor.segment == segment.number() && self.cursor.offset >= segment.bytes();
            taken || segment.bytes() == 0
        })
    }

    /// Bytes that wait, those taken of the first segment included.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> u64 {
        let taken = match self.segments.front() {
            Some(first) if first.number() == self.cursor.segment => self.cursor.offset,
            _ => 0,
        };
        self.bytes().saturating_sub(taken)
    }

    /// How many bytes may wait.
    pub(super) fn size(&self) -> u64 {
        self.most
    }

    /// Removes the oldest segments until there is room for `more` bytes; lines that were not taken yet.
    fn make_room(&mut self, more: u64) -> io::Result<u64> {
        let mut dropped = 0;
        while self.bytes().saturating_add(more) > self.most {
            let Some(first) = self.segments.front() else {
                break;
            };
            dropped += self.lines_left_in(first)?;
            self.remove_first()?;
            write_cursor(&self.folder, self.cursor)?;
        }
        Ok(dropped)
    }

    fn lines_left_in(&self, segment: &Segment) -> io::Result<u64> {
        let reader = Reader::open(&self.folder, segment.number())?;
        let mut offset = if self.cursor.segment == segment.number() {
            self.cursor.offset
        } else {
            0
        };
        let mut lines = 0;
        while let Ok(batch) = reader.read(offset, segment.bytes())? {
            lines += count_lines(&batch);
            offset += segment::size_of(&batch);
        }
        Ok(lines)
    }

    fn remove_first(&mut self) -> io::Result<()> {
        self.reader = None;
        if let Some(first) = self.segments.pop_front() {
            self.cursor = Cursor {
                segment: first.number(),
                offset: first.bytes(),
            };
            first.remove(&self.folder)?;
        }
        Ok(())
    }

    /// Removes segments that were taken as a whole when the cursor was written last.
    fn forget_taken(&mut self) -> io::Result<()> {
        while let Some(first) = self.segments.front()
            && first.number() < self.cursor.segment
        {
            let at = self.cursor;
            self.remove_first()?;
            self.cursor = at;
        }
        Ok(())
    }
}

/// An advisory lock for as long as the file is open.
fn lock_file(file: &File) -> io::Result<()> {
    // SAFETY: flock only reads its arguments, and `file` keeps its descriptor open during the call.
    let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
    if locked {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.kind() == ErrorKind::WouldBlock {
        let what = "another process uses this spool";
        return Err(io::Error::new(ErrorKind::WouldBlock, what));
    }
    Err(error)
}

/// Where the last run had come to. A cursor that cannot be read, or that is beyond the `last` segment, is at
/// the beginning: everything that is still there is delivered, some of it again.
fn read_cursor(folder: &Path, last: u64) -> Cursor {
    let text = fs::read_to_string(folder.join(CURSOR)).unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(segment)), Some(Ok(offset))) if segment <= last => Cursor { segment, offset },
        _ => Cursor::default(),
    }
}

/// Replaces the cursor as a whole.
fn write_cursor(folder: &Path, cursor: Cursor) -> io::Result<()> {
    let next = folder.join("cursor.next");
    fs::write(&next, format!("{} {}\n", cursor.segment, cursor.offset))?;
    fs::rename(next, folder.join(CURSOR))
}
