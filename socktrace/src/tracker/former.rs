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
    /// Some have been forgotten.
    forgot: bool,
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
            self.forgot = true;
        }
        self.episodes.insert(cookie, episode);
        self.order.push_back(cookie);
    }

    /// How often the socket was a finding. `told` is how often the kernel's table says that it may have
    /// been: it counts progress after a suspect was told of, also of one that was never proven. It is
    /// taken only where nothing better is known, so that a name is not used again.
    pub(super) fn episode(&self, cookie: Cookie, told: u32) -> u32 {
        let known = self.episodes.get(&cookie).copied();
        known.unwrap_or(if self.forgot { told } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_count_is_the_last_resort() {
        let mut former = Former::default();
        former.remember(Cookie(1), 2);
        assert_eq!(former.episode(Cookie(1), 5), 2);
        assert_eq!(former.episode(Cookie(2), 5), 0);
        for cookie in 0..MOST as u64 {
            former.remember(Cookie(10 + cookie), 1);
        }
        // The first one has been forgotten, and nobody knows how many were.
        assert_eq!(former.episode(Cookie(1), 5), 5);
        assert_eq!(former.episode(Cookie(10), 5), 1);
    }
}
