//! All lines of one class: segments one behind the other.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::super::Class;
use super::segment::{self, Head, Segment, numbered};
use crate::sink::line::count_lines;

/// Segments of one class, the oldest first.
#[derive(Debug)]
pub(super) struct Series {
    folder: PathBuf,
    class: Class,
    segments: VecDeque<Segment>,
    /// Number of the segment that was begun last.
    last: u64,
    /// Writes to the last segment.
    writer: Option<File>,
    /// Reads from the first one.
    reader: Option<File>,
    /// Up to where the first segment was taken.
    taken: u64,
    /// How many first segments are gone, so that a place in an earlier one is known to be none any more.
    gone: u64,
}

/// Behind some record of the first segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    gone: u64,
    pub(super) offset: u64,
}

/// What earlier runs have left.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Bytes that are no records, and were cut off.
    pub(super) damaged: u64,
    /// The number behind the last record's.
    pub(super) next: u64,
}

impl Series {
    /// What is there of a class, of which all records below `taken` were taken.
    pub(super) fn open(folder: &Path, class: Class, taken: u64) -> io::Result<(Self, Found)> {
        let mut series = Self {
            folder: folder.to_owned(),
            class,
            segments: VecDeque::new(),
            last: 0,
            writer: None,
            reader: None,
            taken: 0,
            gone: 0,
        };
        let mut found = Found::default();
        for (number, path) in numbered(folder, suffix(class))? {
            series.last = number;
            let mut segment = Segment::found(path)?;
            let file = segment.reader()?;
            let (mut offset, mut up_to) = (0, 0);
            while let Head::Record { number, size } = segment.head(&file, offset)? {
                offset += size;
                found.next = found.next.max(number.saturating_add(1));
                if number < taken {
                    up_to = offset;
                }
            }
            // Only the end can be unfinished. Damaged bytes of a record are found when it is read.
            found.damaged += segment.bytes - offset;
            segment.cut(offset)?;
            if up_to == segment.bytes {
                segment.remove()?;
                continue;
            }
            if series.segments.is_empty() {
                series.taken = up_to;
            }
            series.segments.push_back(segment);
        }
        Ok((series, found))
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes that were not taken.
    pub(super) fn waiting(&self) -> u64 {
        self.bytes().saturating_sub(self.taken)
    }

    /// Whether there are segments.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Adds a record, in a new segment if the last one has `most` bytes.
    pub(super) fn append(&mut self, number: u64, bytes: &[u8], most: u64) -> io::Result<()> {
        let writer = match (&mut self.writer, self.segments.back()) {
            (Some(writer), Some(last)) if last.bytes < most => writer,
            (none, Some(last)) if last.bytes < most => none.insert(last.writer()?),
            (any, _) => {
                let name = format!("{:016x}{}", self.last + 1, suffix(self.class));
                let (segment, file) = Segment::begin(self.folder.join(name))?;
                self.last += 1;
                self.segments.push_back(segment);
                any.insert(file)
            }
        };
        match self.segments.back_mut() {
            Some(last) => last.append(writer, number, bytes),
            None => Ok(()),
        }
    }

    /// Where what was not taken begins.
    pub(super) fn begin(&self) -> Place {
        Place {
            gone: self.gone,
            offset: self.taken,
        }
    }

    /// What is at `offset` of the first segment.
    pub(super) fn head(&mut self, offset: u64) -> io::Result<Head> {
        match self.first()? {
            Some((first, file)) => first.head(file, offset),
            None => Ok(Head::End),
        }
    }

    /// The bytes of the record at `offset` of the first segment, which takes `size`.
    pub(super) fn read(&mut self, offset: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
        match self.first()? {
            Some((_, file)) => segment::read(file, offset, size),
            None => Ok(None),
        }
    }

    /// Bytes of the first segment.
    pub(super) fn end(&self) -> u64 {
        self.segments.front().map_or(0, |first| first.bytes)
    }

    /// Whether others come behind the first segment.
    pub(super) fn has_more(&self) -> bool {
        self.segments.len() > 1
    }

    /// What is before `place` was taken. A segment that was taken as a whole goes, unless it is written to.
    pub(super) fn take(&mut self, place: Place) -> io::Result<()> {
        if place.gone == self.gone {
            self.taken = place.offset;
        }
        while self.has_more() && self.taken >= self.end() {
            self.remove_first()?;
        }
        Ok(())
    }

    /// Removes the first segment if all of it was taken.
    pub(super) fn release(&mut self) -> io::Result<()> {
        if !self.is_empty() && self.taken >= self.end() {
            self.remove_first()?;
        }
        Ok(())
    }

    /// Drops the first segment: how many of its lines were on their way, with numbers below `flight`, and how many
    /// others were not taken.
    pub(super) fn drop_first(&mut self, flight: u64) -> io::Result<(u64, u64)> {
        let (mut flying, mut others) = (0, 0);
        let mut offset = self.taken;
        while let Head::Record { number, size } = self.head(offset)? {
            let bytes = self.read(offset, size)?.unwrap_or_default();
            let lines = if number < flight {
                &mut flying
            } else {
                &mut others
            };
            *lines += count_lines(&bytes);
            offset += size;
        }
        self.remove_first()?;
        Ok((flying, others))
    }

    fn remove_first(&mut self) -> io::Result<()> {
        self.reader = None;
        self.taken = 0;
        self.gone += 1;
        let Some(first) = self.segments.pop_front() else {
            return Ok(());
        };
        if self.segments.is_empty() {
            self.writer = None;
        }
        first.remove()
    }

    fn first(&mut self) -> io::Result<Option<(&Segment, &File)>> {
        let Some(first) = self.segments.front() else {
            return Ok(None);
        };
        let file = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(first.reader()?),
        };
        Ok(Some((first, file)))
    }
}

/// How names of a class's segments end.
fn suffix(class: Class) -> &'static str {
    match class {
        Class::StateChange => "-states.spool",
        Class::Update => "-updates.spool",
        Class::Finding => "-findings.spool",
    }
}
