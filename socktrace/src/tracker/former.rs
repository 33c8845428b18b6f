//! Sockets that were findings, are tracked no more, and may become findings again.

use std::collections::VecDeque;

use crate::model::Cookie;

use super::Table;

/// A few words each; the longest forgotten make room.
const MOST: usize = 16_384;

/// How often such sockets were findings, so that the next one gets a name of its own.
#[derive(Debug, Default)]
pub(super) struct Former {
    episodes: Table<u32>,
    order: VecDeque<Cookie>,
}

impl Former {
    /// Remembers a socket that was a finding `episode` times. One that never was needs no memory.
    pub(super) fn remember(&mut self, cookie: Cookie, episode: u32) {
        if episode == 0 {
            return;
        }
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.episodes.remove(&oldest);
        }
        self.episodes.insert(cookie, episode);
        self.order.push_back(cookie);
    }

    /// How often the socket was a finding.
    pub(super) fn episode(&self, cookie: Cookie) -> u32 {
        self.episodes.get(&cookie).copied().unwrap_or_default()
    }
}
