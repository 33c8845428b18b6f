//! The reading of the truth in flight, and what happens at its end.

use std::collections::HashSet;
use std::time::Duration;

use crate::model::{
    BootTime, Cause, Cookie, Held, Holder, KernelAddr, Phase, Seqs, Socket, TcpState, Unheld,
};
use crate::verdict::{End, kind_of};

use super::Tracker;
use super::entry::{Entry, Sight};
use super::judge::{Outcome, Truth};
use super::listeners::Listeners;
use super::schedule::IDLE_FACTOR;

/// Holders of the same sockets that are kept at least, however few sockets may be tracked.
const LEAST_SHARED: usize = 65_536;

/// State of the reading in flight, and what the next one is for.
#[derive(Debug)]
pub(super) struct Reading {
    /// Number of the reading that began last. Numbers are only compared with the next one's, so they may
    /// come round.
    number: u16,
    /// No reading has been complete yet: the sockets it finds were there before anybody looked.
    first: bool,
    /// Suspects that the kernel has told of may be unknown here, and it tells of them once only:
    /// readings take up what they see.
    healing: bool,
    /// When a reading that took up what it saw was last complete.
    healed: BootTime,
    /// Something did not fit into the table since the reading began.
    overflow: bool,
    released: Released,
    listeners: Listeners,
    /// Room for second and further holders of sockets.
    max_shared: usize,
    shared: usize,
}

/// Sockets released while a reading that takes up sockets is in flight: what it shows of them may be
/// older than the release.
#[derive(Debug)]
struct Released {
    cookies: HashSet<Cookie>,
    max: usize,
    /// More were released than can be remembered.
    overflow: bool,
}

impl Reading {
    pub(super) fn new(max_tracked: usize) -> Self {
        let max_shared = max_tracked.saturating_mul(4).max(LEAST_SHARED);
        Self {
            number: 0,
            first: true,
            healing: false,
            healed: BootTime::default(),
            overflow: false,
            released: Released {
                cookies: HashSet::new(),
                max: max_tracked,
                overflow: false,
            },
            listeners: Listeners::new(max_shared),
            max_shared,
            shared: 0,
        }
    }

    /// The next readings take up what they see.
    pub(super) fn heal(&mut self) {
        self.healing = true;
    }

    /// The table is full.
    pub(super) fn overflowed(&mut self) {
        self.healing = true;
        self.overflow = true;
    }

    /// Number of the reading that began last.
    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// A socket was released while a reading is in flight.
    pub(super) fn note_release(&mut self, cookie: Cookie) {
        if !self.takes_up() {
            return;
        }
        if self.released.cookies.len() < self.released.max {
            self.released.cookies.insert(cookie);
        } else {
            self.released.overflow = true;
        }
    }

    fn takes_up(&self) -> bool {
        self.first || self.healing
    }

    fn reset(&mut self) {
        self.released.cookies = HashSet::new();
        self.released.overflow = false;
        self.listeners.clear();
        self.shared = 0;
    }
}

impl Tracker {
    /// Marks all tracked sockets as asked for in the next reading, and lists them, the oldest first.
    pub(super) fn ask(&mut self) -> Vec<(Cookie, KernelAddr)> {
        let number = self.reading.number.wrapping_add(1);
        let mut asked = Vec::with_capacity(self.entries.len());
        for (cookie, entry) in &mut self.entries {
            entry.asked = number;
            asked.push((*cookie, entry.socket.kaddr));
        }
        asked.sort_unstable_by_key(|(cookie, _)| *cookie);
        asked
    }

    pub(super) fn begin_reading(&mut self, at: BootTime) {
        if self.schedule.reading() {
            self.discard_reading();
        }
        self.reading.reset();
        self.reading.overflow = false;
        // What the kernel believes to have told and nobody here knows of, for whatever reason.
        if self.reading.first {
            self.reading.healed = at;
        }
        let unhealed = at.since(self.reading.healed);
        self.reading.healing |= unhealed >= self.config.reproof_every.saturating_mul(IDLE_FACTOR);
        self.reading.number = self.reading.number.wrapping_add(1);
        self.schedule.reading_begun(at);
    }

    pub(super) fn end_reading(&mut self, at: BootTime, complete: bool) {
        if !self.schedule.reading() {
            return;
        }
        let mut settled = true;
        let complete = complete && !self.reading.released.overflow;
        if complete {
            settled = self.judge_all(at);
            if self.reading.takes_up() {
                self.reading.healed = at;
            }
            self.reading.first = false;
            self.reading.healing = self.reading.overflow;
            self.reading.reset();
        } else {
            self.discard_reading();
        }
        self.schedule.reading_ended(at, complete, settled);
    }

    /// Forgets what an unfinished reading has shown: it proves nothing.
    pub(super) fn discard_reading(&mut self) {
        for entry in self.entries.values_mut() {
            entry.sight = Sight::Nothing;
            entry.fresh = Vec::new();
        }
        self.reading.reset();
    }

    pub(super) fn on_held(&mut self, at: BootTime, held: &Held) {
        if !self.schedule.reading() {
            return;
        }
        let holder = Holder::from(held);
        if held.socket.state == TcpState::Listen {
            let fits = self.reading.listeners.add(held, holder);
            self.lost = self.lost.saturating_add(u64::from(!fits));
            return;
        }
        let cookie = held.socket.cookie;
        if !self.entries.contains_key(&cookie) && kind_of(&held.socket, true).is_some() {
            self.take_up(at, &held.socket, held.seqs, held.idle);
        }
        let Some(entry) = self.entries.get_mut(&cookie) else {
            return;
        };
        entry.refresh(at, &held.socket, held.seqs);
        entry.learn_idle(at, held.idle);
        entry.learn_end(End::of_error(held.socket.state, held.error));
        entry.sight = Sight::Held;
        // Every socket keeps at least one holder; what further ones take is bounded for all together.
        let first = entry.fresh.is_empty();
        if first || self.reading.shared < self.reading.max_shared {
            self.reading.shared += usize::from(!first);
            // Most have one or two, and there may be very many of them.
            if entry.fresh.len() < 4 {
                entry.fresh.reserve_exact(1);
            }
            entry.fresh.push(holder);
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    pub(super) fn on_unheld(&mut self, at: BootTime, unheld: &Unheld) {
        if !self.schedule.reading() {
            return;
        }
        let cookie = unheld.socket.cookie;
        if !self.entries.contains_key(&cookie) && kind_of(&unheld.socket, false).is_some() {
            self.take_up(at, &unheld.socket, unheld.seqs, unheld.idle);
        }
        let Some(entry) = self.entries.get_mut(&cookie) else {
            return;
        };
        entry.refresh(at, &unheld.socket, unheld.seqs);
        entry.learn_idle(at, unheld.idle);
        entry.sight = entry.sight.max(Sight::Unheld);
    }

    /// Takes up a socket that no walk has told of, if this reading is to do so.
    ///
    /// The first reading finds sockets that were there before anybody looked, and takes up those that
    /// the network has left alone for leak-after: they have been in their state at least as long. The
    /// others the kernel's table tells of when they are ripe. Later the network's idleness proves nothing:
    /// the kernel's table may know of progress that was made meanwhile.
    fn take_up(&mut self, at: BootTime, socket: &Socket, seqs: Seqs, idle: Option<Duration>) {
        if !self.reading.takes_up() || self.reading.released.cookies.contains(&socket.cookie) {
            return;
        }
        let before = self.reading.number.wrapping_sub(1);
        let mut entry = Entry::of_sight(at, *socket, seqs, before);
        entry.idle_counts = self.reading.first;
        entry.learn_idle(at, idle);
        if at.since(entry.since) < self.config.leak_after && !self.reading.healing {
            return;
        }
        let counted = self.reading.first;
        self.track(entry, counted);
    }

    /// Starts to track a socket if there is room. `counted` says that it is a loss if there is none.
    pub(super) fn track(&mut self, mut entry: Entry, counted: bool) {
        if self.entries.len() < self.config.max_tracked {
            let former = self.former.episode(entry.socket.cookie);
            entry.episode = entry.episode.max(former);
            self.entries.insert(entry.socket.cookie, Box::new(entry));
        } else {
            self.lost = self.lost.saturating_add(u64::from(counted));
            self.reading.overflowed();
        }
    }

    /// Judges every tracked socket by a complete reading; whether no proof is left to be had.
    fn judge_all(&mut self, at: BootTime) -> bool {
        let truth = Truth {
            number: self.reading.number,
            at,
            leak_after: self.config.leak_after,
            acceptors: self.reading.listeners.acceptors(),
        };
        let mut settled = true;
        let mut ripe = None::<BootTime>;
        let mut told = Vec::new();
        let (ready, open, former) = (&mut self.ready, &mut self.open, &mut self.former);
        self.entries.retain(|cookie, entry| {
            let outcome = entry.judge(&truth);
            match outcome {
                Outcome::Keep if entry.is_open() || entry.since_seen => {}
                Outcome::Keep => {
                    // Nothing but another reading will find out when it is ripe.
                    let at = entry.since.after(truth.leak_after);
                    ripe = Some(ripe.map_or(at, |ripe| ripe.min(at)));
                }
                Outcome::Defer => settled = false,
                Outcome::Drop => former.remember(*cookie, entry.episode),
                Outcome::Open => {
                    *open += 1;
                    told.push((entry.since, *cookie, Phase::Open));
                }
                Outcome::Update => told.push((entry.since, *cookie, Phase::Update)),
                Outcome::Resolve(cause) | Outcome::Restart(cause) => {
                    ready.extend(entry.resolution(cause, at));
                    *open -= 1;
                    entry.restart(entry.seen, entry.seqs);
                    if outcome == Outcome::Resolve(Cause::Reset) {
                        // Accepted after all, it would be a finding of another name.
                        former.remember(*cookie, entry.episode);
                    }
                }
            }
            !matches!(outcome, Outcome::Drop | Outcome::Resolve(_))
        });
        if let Some(ripe) = ripe {
            self.schedule.want_proof_at(ripe);
        }
        told.sort_unstable_by_key(|(since, cookie, _)| (*since, *cookie));
        self.pending = told
            .into_iter()
            .map(|(_, cookie, phase)| (cookie, phase))
            .collect();
        self.pending_at = at;
        settled
    }
}
