//! Lines on disk until a counterpart has taken them: they outlive its outage, and the agent's end.
//!
//! * [`Spool`]: a bounded queue of lines in a folder.
//! * [`series`]: the lines of one class; [`segment`]: their files, records with checksums.
//! * [`mark`]: up to where everything was taken. [`legacy`]: what older versions have left.
//! * [`Spooled`]: a sink that writes to a spool, with a thread that delivers from it.

mod legacy;
mod mark;
mod segment;
mod series;
mod spooled;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::Path;

use super::courier::pieces;
use super::{Batch, Class, Tally};
use mark::Mark;
use segment::Head;
use series::{Place, Series};

pub(super) use spooled::Spooled;

/// A segment that has grown to this is followed by a new one. Room is made a segment at a time.
const SEGMENT: u64 = 1 << 20;
/// Lines of one record, unless one line alone has more: so much is lost with a damaged byte.
const RECORD: usize = 64 << 10;
const LOCK: &str = "lock";

/// A bounded queue of lines in a folder.
///
/// Each class of lines has files of its own, so that the lesser ones can go first where there is no room. Records
/// are numbered over all classes, and come out in the order of their numbers.
///
/// A batch that was appended is in the kernel's hands: it outlives the agent, killed or not, but not a loss
/// of power. What was taken is told by the mark, which may lag behind: then lines are delivered twice.
#[derive(Debug)]
pub(super) struct Spool {
    /// Most bytes of all segments together.
    most: u64,
    /// In the order of [`Class::ALL`].
    series: [Series; Class::ALL.len()],
    /// Number of the next record.
    next: u64,
    mark: Mark,
    /// What [`Self::next`] gave last.
    flight: Option<Flight>,
    /// Held as long as this lives: two agents must not share a spool.
    _lock: File,
}

/// Lines on their way.
#[derive(Debug)]
struct Flight {
    /// The number behind their last record's.
    end: u64,
    places: [Place; Class::ALL.len()],
    /// Those that had to make room meanwhile: lost, unless they are taken.
    dropped: Tally,
}

/// What was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Bytes that were no records any more.
    pub(super) damaged: u64,
}

/// What became of a batch, and of others because of it.
#[derive(Debug, Default)]
pub(super) struct Appended {
    /// What had to go to make room, or found none.
    pub(super) dropped: Tally,
    /// What could not be written, and why.
    pub(super) failed: Option<(io::Error, u64)>,
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
        let (mark, taken) = Mark::open(folder)?;
        let mut given = Given::default();
        let mut next = taken;
        let mut open = |class| {
            let (series, found) = Series::open(folder, class, taken)?;
            given.damaged += found.damaged;
            next = next.max(found.next);
            Ok::<_, io::Error>(series)
        };
        let [states, updates, findings] = Class::ALL;
        let mut spool = Self {
            most,
            series: [open(states)?, open(updates)?, open(findings)?],
            next,
            mark,
            flight: None,
            _lock: lock,
        };
        given.damaged += legacy::take_over(folder, |lines| {
            // Of what class they are is not known: the one that is kept longest.
            spool.append_record(Class::Finding, lines)
        })?;
        Ok((spool, given))
    }

    /// Adds a batch at the end, and makes room for it if need be.
    pub(super) fn append(&mut self, batch: &Batch) -> Appended {
        let mut appended = Appended::default();
        for (class, run) in batch.runs() {
            for piece in pieces(run, RECORD) {
                let lines = super::line::count_lines(piece);
                match self.make_room(class, segment::size_of(piece), &mut appended.dropped) {
                    Ok(true) => {}
                    Ok(false) => {
                        appended.dropped.count(class, lines);
                        continue;
                    }
                    Err(error) => {
                        appended.fails(error, lines);
                        continue;
                    }
                }
                if let Err(error) = self.append_or_make_room(class, piece, &mut appended.dropped) {
                    appended.fails(error, lines);
                }
            }
        }
        appended
    }

    /// The oldest lines that were not taken, at most `most` bytes or one record of them, and how many bytes were
    /// passed over because they are no records; `None` if there are no lines.
    pub(super) fn next(&mut self, most: usize) -> io::Result<(Option<Vec<u8>>, u64)> {
        let mut places = self.series.each_ref().map(Series::begin);
        let mut damaged = 0;
        let mut lines = Vec::new();
        let mut end = 0;
        let mut heads = [None; Class::ALL.len()];
        loop {
            let mut first: Option<(usize, u64, u64)> = None;
            let mut closed = false;
            for (at, (head, place)) in heads.iter_mut().zip(&mut places).enumerate() {
                if head.is_none() {
                    *head = Some(self.head(at, place, lines.is_empty(), &mut damaged)?);
                }
                match head {
                    // What is behind it is not known yet.
                    Some(Ahead::Closed) => closed = true,
                    Some(Ahead::Record { number, size })
                        if first.is_none_or(|(_, least, _)| *number < least) =>
                    {
                        first = Some((at, *number, *size));
                    }
                    _ => {}
                }
            }
            let Some((at, number, size)) = first.filter(|_| !closed) else {
                break;
            };
            let more = usize::try_from(size - segment::HEADER).unwrap_or(usize::MAX);
            if !lines.is_empty() && lines.len().saturating_add(more) > most {
                break;
            }
            let (Some(series), Some(place)) = (self.series.get_mut(at), places.get_mut(at)) else {
                break;
            };
            match series.read(place.offset, size)? {
                Some(bytes) => {
                    lines.extend_from_slice(&bytes);
                    end = number.saturating_add(1);
                }
                None => damaged += size,
            }
            place.offset += size;
            if let Some(head) = heads.get_mut(at) {
                *head = None;
            }
        }
        if lines.is_empty() {
            // What is damaged is not looked at again.
            for (series, place) in self.series.iter_mut().zip(places) {
                series.take(place)?;
            }
            return Ok((None, damaged));
        }
        self.flight = Some(Flight {
            end,
            places,
            dropped: Tally::default(),
        });
        Ok((Some(lines), damaged))
    }

    /// The lines that [`Self::next`] gave were taken.
    pub(super) fn taken(&mut self) -> io::Result<()> {
        let Some(flight) = self.flight.take() else {
            return Ok(());
        };
        // The mark first: what is removed is never asked for again.
        let marked = self.mark.set(flight.end);
        for (series, place) in self.series.iter_mut().zip(flight.places) {
            series.take(place)?;
        }
        marked
    }

    /// What had to make room while it was on its way, and has not been taken.
    pub(super) fn dropped_in_flight(&mut self) -> Tally {
        let flight = self.flight.as_mut();
        flight.map_or(Tally::default(), |flight| {
            std::mem::take(&mut flight.dropped)
        })
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// Bytes of all files, those taken of the first segments included.
    fn bytes(&self) -> u64 {
        self.series.iter().map(Series::bytes).sum()
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.series.iter().map(Series::waiting).sum()
    }

    /// How many bytes may wait.
    pub(super) fn size(&self) -> u64 {
        self.most
    }

    /// So much is dropped at once.
    fn segment_size(&self) -> u64 {
        SEGMENT.min(self.most / 8)
    }

    /// Removes segments until there is room for `more` bytes of `class`: of the least class first, and of each the
    /// oldest; never of a greater class. Whether there is room.
    fn make_room(&mut self, class: Class, more: u64, dropped: &mut Tally) -> io::Result<bool> {
        if self.bytes().saturating_add(more) <= self.most {
            return Ok(true);
        }
        self.series.iter_mut().try_for_each(Series::release)?;
        while self.bytes().saturating_add(more) > self.most {
            if more > self.most || !self.drop_least(|least| least <= class, dropped)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// As [`Self::append_record`]. Where the disk is full, lesser lines make room.
    fn append_or_make_room(
        &mut self,
        class: Class,
        lines: &[u8],
        dropped: &mut Tally,
    ) -> io::Result<()> {
        loop {
            match self.append_record(class, lines) {
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
                    ) =>
                {
                    if !self.drop_least(|least| least < class, dropped)? {
                        return Err(error);
                    }
                }
                appended => return appended,
            }
        }
    }

    fn append_record(&mut self, class: Class, lines: &[u8]) -> io::Result<()> {
        let most = self.segment_size();
        if let Some(series) = self.series.get_mut(class as usize) {
            series.append(self.next, lines, most)?;
            self.next = self.next.saturating_add(1);
        }
        Ok(())
    }

    /// Drops the oldest segment of the least class that has any and may go; whether there was one.
    fn drop_least(
        &mut self,
        may_go: impl Fn(Class) -> bool,
        dropped: &mut Tally,
    ) -> io::Result<bool> {
        let end = self.flight.as_ref().map_or(0, |flight| flight.end);
        for (class, series) in Class::ALL.into_iter().zip(&mut self.series) {
            if may_go(class) && !series.is_empty() {
                let (flying, others) = series.drop_first(end)?;
                dropped.count(class, others);
                if let Some(flight) = &mut self.flight {
                    flight.dropped.count(class, flying);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What comes next of a series. Damaged bytes are passed over, and so are segments that have come to their end
    /// if nothing is on its way yet.
    fn head(
        &mut self,
        at: usize,
        place: &mut Place,
        begins: bool,
        damaged: &mut u64,
    ) -> io::Result<Ahead> {
        let Some(series) = self.series.get_mut(at) else {
            return Ok(Ahead::Nothing);
        };
        loop {
            match series.head(place.offset)? {
                Head::Record { number, size } => return Ok(Ahead::Record { number, size }),
                Head::Damaged => {
                    *damaged += series.end() - place.offset;
                    place.offset = series.end();
                }
                Head::End if !series.has_more() => return Ok(Ahead::Nothing),
                Head::End if begins => {
                    series.take(*place)?;
                    *place = series.begin();
                }
                Head::End => return Ok(Ahead::Closed),
            }
        }
    }
}

impl Appended {
    fn fails(&mut self, error: io::Error, lines: u64) {
        let (_, all) = self.failed.get_or_insert((error, 0));
        *all += lines;
    }
}

/// What comes next of a series.
#[derive(Clone, Copy, Debug)]
enum Ahead {
    Record {
        number: u64,
        size: u64,
    },
    Nothing,
    /// The end of a segment; there are more of them.
    Closed,
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
