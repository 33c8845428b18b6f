//! The lines of a program that writes for people.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::wait::Deadline;

/// Lines of text, as they come.
#[derive(Debug)]
pub struct Text(Receiver<String>);

impl Text {
    /// Starts to read lines in a thread that ends with the stream.
    #[must_use]
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let line = line.unwrap_or_else(|err| format!("<{err}>"));
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self(receiver)
    }

    /// The next line.
    ///
    /// # Panics
    ///
    /// If none comes within `limit`.
    #[track_caller]
    pub fn line(&mut self, limit: Duration) -> String {
        let left = Deadline::within(limit).left().unwrap_or_default();
        self.0
            .recv_timeout(left)
            .unwrap_or_else(|err| panic!("no line of text: {err}"))
    }

    /// All further lines until the stream ends, or `limit` has passed.
    pub fn rest(&mut self, limit: Duration) -> Vec<String> {
        let deadline = Deadline::within(limit);
        let next = || self.0.recv_timeout(deadline.left()?).ok();
        std::iter::from_fn(next).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::wait::SOON;

    #[test]
    fn lines_come_one_by_one() {
        let mut text = Text::of(Cursor::new("one\ntwo\nthree\n"));
        assert_eq!(text.line(SOON), "one");
        assert_eq!(text.rest(SOON), ["two", "three"]);
    }
}
