//! What the records of a reading speak of, without decoding all of them.

use std::collections::{BTreeMap, HashSet};

use socktrace_common::wire::{Held, Unheld, kind};
use zerocopy::FromBytes as _;

use crate::decode::frame;
use crate::model::{Cookie, Question, TcpState};

/// How many of the processes that hold a network namespace's listeners are looked for it at.
const HOLDERS: usize = 8;

/// What a reading's records speak of.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Their sockets.
    pub(super) seen: HashSet<Cookie>,
    /// The network namespaces of listeners in whose queues connections wait, with some of those who hold
    /// them.
    pub(super) busy: BTreeMap<u32, Vec<u32>>,
}

impl Survey {
    /// Takes some records. Which sockets they show is remembered only if it is going to be asked.
    pub(super) fn take(&mut self, mut records: &[u8], remember: bool) {
        while let Ok(len) = frame(records) {
            let Some((record, rest)) = records.split_at_checked(len) else {
                return;
            };
            if let Ok(held) = Held::read_from_bytes(record)
                && held.header.kind == kind::HELD
            {
                self.held(&held, remember);
            } else if let Ok(unheld) = Unheld::read_from_bytes(record)
                && unheld.header.kind == kind::UNHELD
            {
                self.see(unheld.sock.cookie, remember);
            }
            records = rest;
        }
    }

    fn see(&mut self, cookie: u64, remember: bool) {
        if remember {
            self.seen.insert(Cookie(cookie));
        }
    }

    fn held(&mut self, held: &Held, remember: bool) {
        if held.sock.state != TcpState::Listen as u8 {
            self.see(held.sock.cookie, remember);
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
