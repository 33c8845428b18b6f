//! Sockets that there was no room for.

use std::collections::HashSet;
use std::mem;

use crate::model::Cookie;

/// Which sockets would be tracked if there was room, so that each is counted as lost once, however many
/// readings show it.
#[derive(Debug)]
pub(super) struct Refused {
    /// As of the last complete reading, and what was told since.
    known: HashSet<Cookie>,
    /// What the reading in flight has shown.
    shown: HashSet<Cookie>,
    /// Room in each set. Those beyond are counted each time.
    max: usize,
}

impl Refused {
    /// Room for `max` sockets.
    pub(super) fn new(max: usize) -> Self {
        Self {
            known: HashSet::new(),
            shown: HashSet::new(),
            max,
        }
    }

    /// A socket does not fit; `reading` says that the reading in flight has shown it. Whether that is
    /// news.
    pub(super) fn add(&mut self, cookie: Cookie, reading: bool) -> bool {
        let set = if reading {
            &mut self.shown
        } else {
            &mut self.known
        };
        let room = set.len() < self.max || set.contains(&cookie);
        let first = room && set.insert(cookie);
        !room || first && !(reading && self.known.contains(&cookie))
    }

    /// A socket has been released, or has found room.
    pub(super) fn remove(&mut self, cookie: Cookie) {
        self.known.remove(&cookie);
        self.shown.remove(&cookie);
    }

    /// A complete reading has ended: what it has not shown is gone.
    pub(super) fn settle(&mut self) {
        self.known = mem::take(&mut self.shown);
    }

    /// An unfinished reading proves nothing.
    pub(super) fn discard(&mut self) {
        self.known.extend(mem::take(&mut self.shown));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
