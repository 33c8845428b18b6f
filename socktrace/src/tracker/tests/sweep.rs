//! What has to be true after a sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::kernel::Fd;
use super::world::{Trouble, World, fds};
use crate::model::{Cookie, Kind, TcpState};
use crate::verdict::kind_of;

/// How long it takes at most to come back to the truth: an answer that never comes is given up after two
/// minutes; then a reading finds what is there, it ripens, and another reading proves it.
const SWEEP: Duration = Duration::from_secs(120 + 7 + 4 + 7);

impl World {
    /// Waits until every loss has healed, and holds what is said to be open against the truth.
    pub(super) fn settle(&mut self) {
        self.delayed = 0;
        self.race = None;
        self.trouble = Trouble::default();
        self.wait(SWEEP);
        let leaks = self.kernel.socks.values().filter_map(|sock| {
            let kind = kind_of(&sock.socket, !sock.queued())?;
            Some((sock.socket.cookie, (kind, sock.holders.clone())))
        });
        let truth: BTreeMap<Cookie, (Kind, BTreeSet<Fd>)> = leaks.collect();
        // After a shutdown TCP is about to be over: until then what was said stands.
        let leaving = |cookie: &Cookie| {
            self.kernel
                .socks
                .get(cookie)
                .is_some_and(|s| s.socket.state == TcpState::LastAck)
        };
        let said = self.open.iter().filter(|(cookie, _)| !leaving(cookie));
        let said: BTreeMap<_, _> = said
            .map(|(cookie, leak)| (*cookie, (leak.kind, fds(leak))))
            .collect();
        if self.kernel.socks.len() <= self.config.max_tracked {
            assert_eq!(said, truth);
            assert_eq!(self.tracker.untracked(), 0);
            return;
        }
        // What is said is true, and what is not said is counted.
        for (cookie, what) in &said {
            assert_eq!(truth.get(cookie), Some(what), "{cookie:?}");
        }
        let missing = truth.keys().filter(|cookie| !said.contains_key(cookie));
        assert!(self.tracker.untracked() >= missing.count().min(truth.len()));
    }

    /// Closes everything.
    pub(super) fn finish(&mut self) {
        for cookie in self.kernel.socks.keys().copied().collect::<Vec<_>>() {
            self.kernel.accept(cookie, 10);
            while self.kernel.socks.contains_key(&cookie) {
                self.kernel.close(cookie, false);
            }
        }
        self.wait(SWEEP);
        let left = (self.tracker.tracked(), self.tracker.open());
        assert_eq!((left, self.tracker.untracked()), ((0, 0), 0));
        assert!(self.open.is_empty());
    }
}
