//! What the records of a reading speak of, without decoding all of them.

use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasherDefault;

use socktrace_common::wire::{Held, Unheld, kind};
use zerocopy::FromBytes as _;

use crate::decode::frame;
use crate::model::{Cookie, Question, TcpState};
use crate::tracker::NumberHasher;

/// How many of the processes that hold a network namespace's listeners are looked for it at.
const HOLDERS: usize = 8;

/// What a reading's records speak of.
#[derive(Debug)]
pub(super) struct Survey {
    remember: bool,
    /// Their sockets.
    pub(super) seen: HashSet<Cookie, BuildHasherDefault<NumberHasher>>,
    /// The network namespaces of listeners in whose queues connections wait, with some of those who hold
    /// them.
    pub(super) busy: BTreeMap<u32, Vec<u32>>,
}

impl Survey {
    /// Of no records yet. Which sockets they show is remembered only if it is going to be asked.
    pub(super) fn new(remember: bool) -> Self {
        Self {
            remember,
            seen: HashSet::default(),
            busy: BTreeMap::new(),
        }
    }

    /// Takes some records.
    pub(super) fn take(&mut self, mut records: &[u8]) {
        while let Ok(len) = frame(records) {
            let Some((record, rest)) = records.split_at_checked(len) else {
                return;
            };
            if let Ok(held) = Held::read_from_bytes(record)
                && held.header.kind == kind::HELD
            {
                self.held(&held);
            } else if let Ok(unheld) = Unheld::read_from_bytes(record)
                && unheld.header.kind == kind::UNHELD
            {
                self.see(unheld.sock.cookie);
            }
            records = rest;
        }
    }

    fn see(&mut self, cookie: u64) {
        if self.remember {
            self.seen.insert(Cookie(cookie));
        }
    }

    fn held(&mut self, held: &Held) {
        if held.sock.state != TcpState::Listen as u8 {
            self.see(held.sock.cookie);
        } else if held.ack_backlog > 0 {
            let pids = self.busy.entry(held.sock.netns).or_default();
            if pids.len() < HOLDERS && !pids.contains(&held.task.tgid) {
                pids.push(held.task.tgid);
            }
        }
    }

    /// Those of `asked` that no record speaks of.
    pub(super) fn unseen<'a>(&self, asked: &'a [Question]) -> impl Iterator<Item = &'a Question> {
        asked
            .iter()
            .filter(|question| !self.seen.contains(&question.cookie))
    }
}
