//! The lines a program writes, as they come, for any number of readers.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use socktrace::model::BootTime;

use crate::wait::{Deadline, now};

/// How many lines a failure message quotes.
const QUOTED: usize = 25;

/// One line of JSON.
#[derive(Clone, Debug)]
pub struct Line {
    /// The line without its end.
    pub raw: String,
    /// What it says.
    pub value: Value,
    /// When it was read, on the boot clock.
    pub read_at: BootTime,
}

/// Everything a program has written so far.
#[derive(Debug, Default)]
pub struct Log {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Arc<Line>>,
    /// A line that is not JSON. Nothing after it is kept.
    foreign: Option<String>,
    ended: bool,
}

impl Log {
    /// Starts to read lines from `stream` in a thread that ends with the stream.
    #[must_use]
    pub fn of(stream: impl Read + Send + 'static) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let writer = Arc::clone(&log);
        thread::spawn(move || writer.fill(stream));
        log
    }

    /// A reader that begins with the first line.
    #[must_use]
    pub fn from_start(self: &Arc<Self>) -> Watch {
        Watch {
            log: Arc::clone(self),
            next: 0,
        }
    }

    /// A reader that begins with the next line.
    #[must_use]
    pub fn from_now(self: &Arc<Self>) -> Watch {
        Watch {
            log: Arc::clone(self),
            next: self.lock().lines.len(),
        }
    }

    fn fill(&self, stream: impl Read) {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let read_at = now();
            let parsed = String::from_utf8(line)
                .map_err(std::string::FromUtf8Error::into_bytes)
                .and_then(|raw| {
                    let value = serde_json::from_str(&raw).map_err(|_| raw.clone().into_bytes())?;
                    Ok(Arc::new(Line {
                        raw,
                        value,
                        read_at,
                    }))
                });
            let mut state = self.lock();
            match parsed {
                Ok(line) if state.foreign.is_none() => state.lines.push(line),
                Ok(_) => {}
                Err(bytes) => {
                    state
                        .foreign
                        .get_or_insert(bytes.escape_ascii().to_string());
                }
            }
            drop(state);
            self.grown.notify_all();
        }
        self.lock().ended = true;
        self.grown.notify_all();
    }

    /// A reader that panicked leaves the lines as they are: they are only ever appended to.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader of a [`Log`]. It goes forward only: what a wait has passed is not seen by the next.
#[derive(Clone, Debug)]
pub struct Watch {
    log: Arc<Log>,
    next: usize,
}

/// Why there is no next line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLine {
    /// The deadline passed.
    Late,
    /// The program has closed its output.
    Ended,
    /// The program wrote something that is not a line of JSON.
    Foreign(String),
}

impl Watch {
    /// The next line.
    ///
    /// # Errors
    ///
    /// [`NoLine`] if none comes before `deadline`.
    pub fn next(&mut self, deadline: Deadline) -> Result<Arc<Line>, NoLine> {
        let mut state = self.log.lock();
        loop {
            if let Some(line) = state.lines.get(self.next) {
                self.next += 1;
                return Ok(Arc::clone(line));
            }
            if let Some(foreign) = &state.foreign {
                return Err(NoLine::Foreign(foreign.clone()));
            }
            if state.ended {
                return Err(NoLine::Ended);
            }
            let left = deadline.left().ok_or(NoLine::Late)?;
            state = match self.log.grown.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// The first line from here on that `wanted` accepts. It need not come at once: `limit` is
    /// stretched on slow machines.
    ///
    /// # Panics
    ///
    /// If none comes within `limit`, quoting what came instead.
    #[track_caller]
    pub fn expect(&mut self, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Line {
        self.expect_among(what, limit, |_| true, wanted)
    }

    /// As [`Watch::expect`], of the lines that `mine` accepts. Others, such as those of tests that
    /// run at the same time, are not quoted.
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn expect_among(
        &mut self,
        what: &str,
        limit: Duration,
        mine: impl Fn(&Value) -> bool,
        wanted: impl Fn(&Value) -> bool,
    ) -> Line {
        let from = self.next;
        let deadline = Deadline::within(limit);
        loop {
            match self.next(deadline) {
                Ok(line) if mine(&line.value) && wanted(&line.value) => return (*line).clone(),
                Ok(_) => {}
                Err(why) => panic!("no {what}: {why:?}{}", self.quote(from, mine)),
            }
        }
    }

    /// Sees to it that no line that `unwanted` accepts has come since this reader began, nor comes
    /// before one that `end` accepts, and returns that one.
    ///
    /// # Panics
    ///
    /// If one does, or if the end does not come within `limit`.
    #[track_caller]
    pub fn never_until(
        &mut self,
        what: &str,
        limit: Duration,
        unwanted: impl Fn(&Value) -> bool,
        end: impl Fn(&Value) -> bool,
    ) -> Line {
        let line = self.expect("end of the wait", limit, |line| unwanted(line) || end(line));
        assert!(
            !unwanted(&line.value),
            "{what} should not be there: {}",
            line.raw
        );
        line
    }

    /// Sees to it that for `time`, stretched on slow machines, no line comes that `unwanted` accepts.
    ///
    /// A program that is stuck passes: pair it with something that must come.
    ///
    /// # Panics
    ///
    /// If one comes, or the program ends.
    #[track_caller]
    pub fn never(&mut self, what: &str, time: Duration, unwanted: impl Fn(&Value) -> bool) {
        let deadline = Deadline::within(time);
        loop {
            match self.next(deadline) {
                Ok(line) => {
                    assert!(
                        !unwanted(&line.value),
                        "{what} should not be there: {}",
                        line.raw
                    );
                }
                Err(NoLine::Late) => return,
                Err(why) => panic!("while waiting that no {what} comes: {why:?}"),
            }
        }
    }

    /// The lines from where this reader stands to where `other` does.
    #[must_use]
    pub fn up_to(&self, other: &Self) -> Vec<Arc<Line>> {
        self.log
            .lock()
            .lines
            .get(self.next..other.next)
            .unwrap_or_default()
            .to_vec()
    }

    /// All further lines until the program closes its output.
    ///
    /// # Panics
    ///
    /// If it does not within `limit`, or if a line is not JSON.
    #[track_caller]
    pub fn rest(&mut self, limit: Duration) -> Vec<Arc<Line>> {
        let deadline = Deadline::within(limit);
        let mut lines = Vec::new();
        loop {
            match self.next(deadline) {
                Ok(line) => lines.push(line),
                Err(NoLine::Ended) => return lines,
                Err(why) => panic!("the output should end: {why:?}"),
            }
        }
    }

    /// What came since line number `from` that `mine` accepts, for a failure message.
    fn quote(&self, from: usize, mine: impl Fn(&Value) -> bool) -> String {
        let state = self.log.lock();
        let seen = state.lines.get(from..).unwrap_or_default();
        let seen: Vec<&Arc<Line>> = seen.iter().filter(|line| mine(&line.value)).collect();
        let mut quoted = format!("\n{} lines came", seen.len());
        for line in seen.iter().skip(seen.len().saturating_sub(QUOTED)) {
            let _ = write!(quoted, "\n  {}", line.raw);
        }
        quoted
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::wait::SOON;

    fn watch(text: &'static str) -> Watch {
        Log::of(Cursor::new(text)).from_start()
    }

    #[test]
    fn lines_come_in_order_and_end() {
        let mut watch = watch("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
        assert_eq!(
            watch.expect("two", SOON, |line| line["n"] == 2).raw,
            "{\"n\":2}"
        );
        let rest = watch.rest(SOON);
        assert_eq!(rest.len(), 1);
        assert_eq!(
            watch.next(Deadline::within(SOON)).unwrap_err(),
            NoLine::Ended
        );
    }

    #[test]
    fn readers_do_not_disturb_one_another() {
        let mut one = watch("{\"n\":1}\n");
        let mut two = one.clone();
        one.expect("line", SOON, |_| true);
        two.expect("line", SOON, |_| true);
    }

    #[test]
    #[should_panic(expected = "no three: Ended\n2 lines came\n  {\"n\":1}\n  {\"n\":2}")]
    fn a_missing_line_is_reported_with_what_came_instead() {
        watch("{\"n\":1}\n{\"n\":2}\n").expect("three", SOON, |line| line["n"] == 3);
    }

    #[test]
    #[should_panic(expected = "Foreign(\"\\\\xff{}\")")]
    fn what_is_not_utf8_fails_whoever_waits() {
        Log::of(Cursor::new(b"\xff{}\n{}\n"))
            .from_start()
            .expect("line", SOON, |_| true);
    }

    #[test]
    #[should_panic(expected = "two should not be there")]
    fn what_must_not_come_before_the_end_fails() {
        watch("{\"n\":2}\n{\"n\":3}\n").never_until(
            "two",
            SOON,
            |line| line["n"] == 2,
            |line| line["n"] == 3,
        );
    }

    #[test]
    #[should_panic(expected = "no line: Late")]
    fn silence_is_noticed() {
        let (reader, _writer) = std::io::pipe().unwrap();
        Log::of(reader)
            .from_start()
            .expect("line", Duration::from_millis(20), |_| true);
    }

    #[test]
    fn silence_can_be_asked_for() {
        let (reader, _writer) = std::io::pipe().unwrap();
        Log::of(reader)
            .from_start()
            .never("line", Duration::from_millis(20), |_| true);
    }
}
