//! Lines on their way, with what they are about.

use std::fmt;
use std::ops::AddAssign;

use super::line::count_lines;

/// What lines are about. Where there is no room for all, the lesser ones go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Events of `trace`.
    StateChange,
    /// Statuses, and changes of findings and incidents.
    Update,
    /// Findings and incidents that open or end, and answers to one question.
    Finding,
}

impl Class {
    /// Every class, the least first.
    pub const ALL: [Self; 3] = [Self::StateChange, Self::Update, Self::Finding];

    /// Its name in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::StateChange => "state_change",
            Self::Update => "update",
            Self::Finding => "finding",
        }
    }

    /// Its name in messages, in the plural.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StateChange => "state changes",
            Self::Update => "updates",
            Self::Finding => "findings",
        }
    }
}

/// Numbers of lines, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; Class::ALL.len()]);

impl Tally {
    /// How many of a class.
    #[must_use]
    pub fn of(self, class: Class) -> u64 {
        self.0.get(class as usize).copied().unwrap_or(0)
    }

    /// How many in all.
    #[must_use]
    pub fn total(self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds the lines in `bytes`.
    pub(super) fn add(&mut self, class: Class, bytes: &[u8]) {
        self.count(class, count_lines(bytes));
    }

    /// Adds so many lines.
    pub(super) fn count(&mut self, class: Class, more: u64) {
        if let Some(lines) = self.0.get_mut(class as usize) {
            *lines += more;
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (to, from) in self.0.iter_mut().zip(other.0) {
            *to += from;
        }
    }
}

/// `12 lines: 10 state changes, 2 findings`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines", self.total())?;
        let mut before = ": ";
        for class in Class::ALL {
            let lines = self.of(class);
            if lines > 0 {
                write!(f, "{before}{lines} {}", class.name())?;
                before = ", ";
            }
        }
        Ok(())
    }
}

/// Whole lines one behind the other, each ended by a newline, in the order they were made in.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Neighbours of one class, and how many bytes they have; none is empty.
    runs: Vec<(Class, usize)>,
}

impl Batch {
    /// Lines of one class.
    #[must_use]
    pub fn of(class: Class, lines: &[u8]) -> Self {
        let mut batch = Self::default();
        batch.push(class, lines);
        batch
    }

    /// All lines.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes they have.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Neighbours of one class.
    pub fn runs(&self) -> impl Iterator<Item = (Class, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.runs.iter().map(move |(class, bytes)| {
            let (run, others) = rest.split_at_checked(*bytes).unwrap_or((rest, &[]));
            rest = others;
            (*class, run)
        })
    }

    /// How many lines there are.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (class, run) in self.runs() {
            tally.add(class, run);
        }
        tally
    }

    /// Adds whole lines.
    pub fn push(&mut self, class: Class, lines: &[u8]) {
        self.append(class, |bytes| bytes.extend_from_slice(lines));
    }

    /// Adds the whole lines that `write` appends.
    pub fn append(&mut self, class: Class, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        let more = self.bytes.len().saturating_sub(before);
        if more == 0 {
            return;
        }
        match self.runs.last_mut() {
            Some((last, bytes)) if *last == class => *bytes += more,
            _ => self.runs.push((class, more)),
        }
    }

    /// Forgets all lines and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
    }

    /// Gives memory back that a burst has taken, down to `keep` bytes.
    pub(super) fn shrink(&mut self, keep: usize) {
        if self.bytes.capacity() / 4 > self.bytes.len().max(keep / 4) {
            self.bytes.shrink_to(keep.max(self.bytes.len()));
        }
    }

    /// Makes room for `bytes` bytes of `class`: drops lines of lesser classes, the least first and of each the
    /// oldest first, as many as there are.
    pub(super) fn make_room(&mut self, class: Class, bytes: usize) -> Tally {
        let mut dropped = Tally::default();
        let mut missing = bytes;
        for lesser in Class::ALL.into_iter().take_while(|lesser| *lesser < class) {
            let gone = self.drop_oldest(lesser, missing, &mut dropped);
            missing = missing.saturating_sub(gone);
        }
        dropped
    }

    /// Drops the oldest lines of a class until at least `bytes` bytes or all of them are gone; how many.
    fn drop_oldest(&mut self, class: Class, bytes: usize, dropped: &mut Tally) -> usize {
        let mut gone = 0;
        let (mut from, mut to) = (0, 0);
        for (of, len) in &mut self.runs {
            let end = from + *len;
            let run = self.bytes.get(from..end).unwrap_or_default();
            let cut = if *of == class && gone < bytes {
                whole_lines(run, bytes - gone)
            } else {
                0
            };
            dropped.add(class, run.get(..cut).unwrap_or_default());
            self.bytes.copy_within(from + cut..end, to);
            *len -= cut;
            to += *len;
            gone += cut;
            from = end;
        }
        self.bytes.truncate(to);
        self.runs.retain(|(_, len)| *len > 0);
        gone
    }
}

/// Bytes of the first lines of `run` that have at least `bytes` bytes together.
fn whole_lines(run: &[u8], bytes: usize) -> usize {
    let Some(last) = bytes.checked_sub(1) else {
        return 0;
    };
    let rest = run.get(last..).unwrap_or_default();
    let newline = rest.iter().position(|byte| *byte == b'\n');
    newline.map_or(run.len(), |at| last + at + 1)
}

/// Bytes of the first lines of `run` that have at most `bytes` bytes together.
pub(super) fn lines_within(run: &[u8], bytes: usize) -> usize {
    let head = run.get(..bytes).unwrap_or(run);
    let newline = head.iter().rposition(|byte| *byte == b'\n');
    newline.map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::Class::{Finding, StateChange, Update};
    use super::*;

    fn batch(lines: &[(Class, &str)]) -> Batch {
        let mut batch = Batch::default();
        for (class, line) in lines {
            batch.push(*class, line.as_bytes());
        }
        batch
    }

    fn mixed() -> Batch {
        batch(&[
            (StateChange, "s1\n"),
            (Finding, "f1\n"),
            (StateChange, "s2\n"),
            (StateChange, "s3\n"),
            (Update, "u1\n"),
            (Finding, "f2\n"),
            (Update, "u2\n"),
        ])
    }

    #[test]
    fn lines_keep_their_order_and_their_class() {
        let batch = mixed();
        assert_eq!(batch.bytes(), b"s1\nf1\ns2\ns3\nu1\nf2\nu2\n");
        let runs: Vec<_> = batch.runs().collect();
        let expected: [(Class, &[u8]); 6] = [
            (StateChange, b"s1\n"),
            (Finding, b"f1\n"),
            (StateChange, b"s2\ns3\n"),
            (Update, b"u1\n"),
            (Finding, b"f2\n"),
            (Update, b"u2\n"),
        ];
        assert_eq!(runs, expected);
        assert_eq!(
            batch.tally().to_string(),
            "7 lines: 3 state changes, 2 updates, 2 findings"
        );
    }

    #[test]
    fn room_is_made_by_the_least_and_the_oldest() {
        let check = |class, bytes, left: &str, dropped: &str| {
            let mut batch = mixed();
            let tally = batch.make_room(class, bytes);
            let text = String::from_utf8(batch.bytes().to_vec()).unwrap();
            assert_eq!(text.replace('\n', " ").trim(), left, "{class:?} {bytes}");
            assert_eq!(tally.to_string(), dropped, "{class:?} {bytes}");
            assert_eq!(
                batch.runs().map(|(_, run)| run.len()).sum::<usize>(),
                batch.len()
            );
        };
        check(StateChange, 9, "s1 f1 s2 s3 u1 f2 u2", "0 lines");
        check(Finding, 0, "s1 f1 s2 s3 u1 f2 u2", "0 lines");
        check(Finding, 1, "f1 s2 s3 u1 f2 u2", "1 lines: 1 state changes");
        check(Update, 3, "f1 s2 s3 u1 f2 u2", "1 lines: 1 state changes");
        check(Update, 4, "f1 s3 u1 f2 u2", "2 lines: 2 state changes");
        check(Update, 99, "f1 u1 f2 u2", "3 lines: 3 state changes");
        check(
            Finding,
            10,
            "f1 f2 u2",
            "4 lines: 3 state changes, 1 updates",
        );
        check(Finding, 99, "f1 f2", "5 lines: 3 state changes, 2 updates");
    }

    #[test]
    fn lines_are_cut_where_they_end() {
        let check = |text: &str, bytes, whole, within| {
            assert_eq!(
                whole_lines(text.as_bytes(), bytes),
                whole,
                "{text:?} {bytes}"
            );
            assert_eq!(
                lines_within(text.as_bytes(), bytes),
                within,
                "{text:?} {bytes}"
            );
        };
        check("ab\ncd\n", 0, 0, 0);
        check("ab\ncd\n", 2, 3, 0);
        check("ab\ncd\n", 3, 3, 3);
        check("ab\ncd\n", 4, 6, 3);
        check("ab\ncd\n", 6, 6, 6);
        check("ab\ncd\n", 9, 6, 6);
    }
}
