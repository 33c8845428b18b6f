//! The reading of the truth in flight, and what happens at its end.

use std::collections::HashSet;
use std::time::Duration;

use crate::model::{
    BootTime, Cause, Cookie, Held, Holder, Listed, Phase, Question, Seqs, Socket, TcpState, Unheld,
};
use crate::verdict::{End, kind_of};

use super::Tracker;
use super::entry::{Doubt, Entry, Sight};
use super::judge::{Outcome, Truth};
use super::listeners::Listeners;
use super::refused::Refused;

/// What is remembered of the reading in flight at least, however few sockets may be tracked: further
/// holders of the same sockets, releases, and sockets that did not fit.
const LEAST_ASIDE: usize = 65_536;

/// State of the reading in flight, and what the next one is for.
#[derive(Debug)]
pub(super) struct Reading {
    /// Number of the reading that began last. Numbers are only compared with the next one's, so they may
    /// come round.
    number: u16,
    /// No reading has been complete yet: the sockets it finds were there before anybody looked.
    first: bool,
    /// Some of the reading in flight could not be decoded.
    holed: bool,
    released: Released,
    /// Sockets that would be tracked if there was room.
    pub(super) refused: Refused,
    listeners: Listeners,
    /// Room for second and further holders of sockets.
    max_shared: usize,
    shared: usize,
}

/// Sockets released since a reading was asked for: what it shows of them may be older than the release,
/// which comes by another way, and often sooner.
#[derive(Debug)]
struct Released {
    cookies: HashSet<Cookie>,
    max: usize,
    /// More were released than can be remembered.
    overflow: bool,
}

impl Reading {
    pub(super) fn new(max_tracked: usize) -> Self {
        let max_shared = max_tracked.saturating_mul(4).max(LEAST_ASIDE);
        let max_aside = max_tracked.max(LEAST_ASIDE);
        Self {
            number: 0,
            first: true,
            holed: false,
            released: Released {
                cookies: HashSet::new(),
                max: max_aside,
                overflow: false,
            },
            refused: Refused::new(max_aside),
            listeners: Listeners::new(max_shared),
            max_shared,
            shared: 0,
        }
    }

    /// Number of the reading that began last.
    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// A socket was released while a reading is in flight.
    pub(super) fn note_release(&mut self, cookie: Cookie) {
        if self.released.cookies.len() < self.released.max {
            self.released.cookies.insert(cookie);
        } else {
            self.released.overflow = true;
        }
    }

    /// A record of the reading in flight, if there is one, could not be decoded.
    pub(super) fn has_hole(&mut self) {
        self.holed = true;
    }

    /// Forgets what the last reading has shown.
    fn reset(&mut self) {
        self.holed = false;
        self.listeners.clear();
        self.shared = 0;
    }

    /// No reading is in flight any more.
    fn end(&mut self) {
        self.reset();
        self.released.cookies = HashSet::new();
        self.released.overflow = false;
    }
}

impl Tracker {
    /// Marks all tracked sockets as asked for in the next reading, and lists them, the oldest first.
    pub(super) fn ask(&mut self) -> Vec<Question> {
        let number = self.reading.number.wrapping_add(1);
        let mut asked = Vec::with_capacity(self.entries.len());
        for (cookie, entry) in &mut self.entries {
            entry.asked = number;
            let always = entry.doubt != Doubt::None;
            if always {
                entry.doubt = Doubt::Asked;
            }
            asked.push(Question {
                cookie: *cookie,
                kaddr: entry.socket.kaddr,
                always,
            });
        }
        asked.sort_unstable_by_key(|question| question.cookie);
        asked
    }

    pub(super) fn begin_reading(&mut self, at: BootTime) {
        if self.schedule.reading() {
            self.discard_reading();
        }
        self.reading.reset();
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
            settled = self.judge_all(at) && !self.reading.holed;
            self.reading.first = false;
            self.reading.refused.settle();
            // What it has proven to be gone has made room.
            let room = self.entries.len() < self.config.max_tracked;
            settled &= !room || self.reading.refused.len() == 0;
            self.reading.end();
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
        self.reading.refused.discard();
        self.reading.end();
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
            let told = (held.seqs, held.idle, held.listed);
            self.take_up(at, &held.socket, told);
        }
        let Some(entry) = self.entries.get_mut(&cookie) else {
            return;
        };
        entry.refresh(at, &held.socket, held.seqs);
        entry.learn_listed(held.listed);
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
            let told = (unheld.seqs, unheld.idle, unheld.listed);
            self.take_up(at, &unheld.socket, told);
        }
        let Some(entry) = self.entries.get_mut(&cookie) else {
            return;
        };
        entry.refresh(at, &unheld.socket, unheld.seqs);
        entry.learn_listed(unheld.listed);
        entry.learn_idle(at, unheld.idle);
        entry.sight = entry.sight.max(Sight::Unheld);
    }

    /// Takes up a socket that no walk has told of, unless one will.
    ///
    /// One that waits in the kernel's table is told of when it is old enough, by a walk that knows since
    /// when it is there and who used it. One that the table does not have (it was there before anybody
    /// looked, or there was no room) nobody will tell of, nor of one that was told of and is unknown here:
    /// the record was lost, or there was no room here. The table is asked what it knows of that one.
    ///
    /// The first reading finds sockets that were there before anybody looked: those that the network has
    /// left alone for leak-after have been in their state at least as long. Later its idleness proves
    /// nothing: the kernel's table may know of progress that was made meanwhile.
    fn take_up(
        &mut self,
        at: BootTime,
        socket: &Socket,
        (seqs, idle, listed): (Seqs, Option<Duration>, Option<Listed>),
    ) {
        if self.reading.released.cookies.contains(&socket.cookie) {
            return;
        }
        let before = self.reading.number.wrapping_sub(1);
        let mut entry = Entry::of_sight(at, *socket, seqs, before);
        entry.idle_counts = self.reading.first;
        entry.learn_idle(at, idle);
        let old = at.since(entry.since) >= self.config.leak_after;
        match listed {
            Some(Listed::Told | Listed::Not) => {}
            // Recorded by an agent that was not told.
            None if self.reading.first && old => {}
            Some(Listed::Waiting) | None => return,
        }
        self.track(entry, true);
    }

    /// Starts to track a socket if there is room. `reading` says that a reading has shown it.
    pub(super) fn track(&mut self, mut entry: Entry, reading: bool) {
        let cookie = entry.socket.cookie;
        if self.entries.len() < self.config.max_tracked {
            entry.episode = self.former.episode(cookie, entry.episode);
            self.entries.insert(cookie, Box::new(entry));
            self.reading.refused.remove(cookie);
        } else {
            let news = self.reading.refused.add(cookie, reading);
            self.lost = self.lost.saturating_add(u64::from(news));
        }
    }

    /// Judges every tracked socket by a complete reading; whether no proof is left to be had.
    fn judge_all(&mut self, at: BootTime) -> bool {
        let truth = Truth {
            number: self.reading.number,
            at,
            leak_after: self.config.leak_after,
            holed: self.reading.holed,
            acceptors: self.reading.listeners.acceptors(),
        };
        let mut settled = true;
        let mut unproven = 0;
        let mut ripe = None::<BootTime>;
        let mut told = Vec::new();
        let (ready, open, former) = (&mut self.ready, &mut self.open, &mut self.former);
        self.entries.retain(|cookie, entry| {
            let outcome = entry.judge(&truth);
            match outcome {
                // The next reading asks the kernel's table what it knows of it.
                Outcome::Keep if entry.doubt != Doubt::None => settled = false,
                Outcome::Keep if entry.is_open() || entry.since_seen => {}
                Outcome::Keep => {
                    // Nothing but another reading will find out when it is ripe.
                    let at = entry.since.after(truth.leak_after);
                    ripe = Some(ripe.map_or(at, |ripe| ripe.min(at)));
                }
                Outcome::Defer => settled = false,
                Outcome::Unproven => {
                    settled = false;
                    unproven += 1;
                }
                Outcome::Drop => former.remember(*cookie, entry.episode),
                Outcome::Open => {
                    *open += 1;
                    told.push((entry.since, *cookie, Phase::Open));
                }
                Outcome::Update => {
                    settled &= entry.doubt == Doubt::None;
                    told.push((entry.since, *cookie, Phase::Update));
                }
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
        self.unproven = unproven;
        self.acceptors = truth.acceptors;
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
