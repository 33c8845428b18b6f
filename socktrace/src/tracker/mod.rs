//! Which sockets are suspects, which are findings: pure, deterministic, without a clock.
//!
//! [`Tracker`] is a state machine: records and the time go in ([`Tracker::handle_event`],
//! [`Tracker::handle_timeout`]), actions and the next wake-up come out ([`Tracker::poll_action`],
//! [`Tracker::poll_timeout`]). A socket's way through it:
//!
//! 1. A *walk* over the kernel's table of suspects tells of it: it has been in a leak's state, without
//!    progress, for leak-after. It is tracked as a suspect.
//! 2. A *reading of the truth*, begun after that, shows it still in such a state, without progress, and
//!    held by somebody (or in an accept queue): it becomes a finding and is reported as open.
//! 3. Later readings report an update when its kind, its holders or its diagnosis changed.
//! 4. Its release, progress, or a complete reading that shows nothing of it any more resolve it.
//!
//! A suspect that a reading has found, not the kernel entering its state, is told of at once: how long it
//! has been there is not known, and it ripens here. After progress the kernel tells of a suspect anew.
//!
//! * `entry`: what is known of one socket.
//! * `former`: what is kept of sockets that were findings.
//! * `judge`: what a reading of the truth means for one socket.
//! * `reading`: the reading in flight, and what happens at its end; `refused`: what did not fit.
//! * `observe`: what single records mean.
//! * `listeners`: who accepts for a queued connection.
//! * `schedule`: when to walk and when to read.
//! * `timeline`: the lives of all sockets, for `trace`.

mod entry;
mod former;
mod hasher;
mod judge;
mod listeners;
mod observe;
mod reading;
mod refused;
mod schedule;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::mem;
use std::time::Duration;

use crate::model::{
    BootTime, Cookie, Event, Gap, GapPlace, Kind, Leak, Mark, Phase, Question, Record,
};
use entry::Entry;
use former::Former;
use reading::Reading;
use schedule::{Job, Schedule};

pub use hasher::NumberHasher;
pub use listeners::{Acceptors, Listeners};
pub use timeline::Timeline;

/// Settings of a [`Tracker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackerConfig {
    /// How long a socket may be a suspect without progress before it is a finding.
    pub leak_after: Duration,
    /// How often the truth is read again while anything is tracked.
    pub reproof_every: Duration,
    /// How many sockets are tracked at most.
    pub max_tracked: usize,
}

/// What the tracker wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "actions are handed out one at a time, never kept"
)]
pub enum Action {
    /// Walk over the kernel's table of suspects. Its records go to [`Tracker::handle_event`], between
    /// [`Mark::WalkBegin`] and [`Mark::WalkEnd`].
    Walk,
    /// Read who holds what, and ask about these sockets where nobody is seen to hold them, or
    /// [`Question::always`]. The records go to [`Tracker::handle_event`], between [`Mark::TruthBegin`] and
    /// [`Mark::TruthEnd`].
    Prove(Vec<Question>),
    /// Tell the world of a finding.
    Report(Leak),
    /// Tell the world that sockets could not be tracked for lack of room ([`GapPlace::Tracker`]).
    Gap(Gap),
}

/// Tables are iterated, and a replay has to do that in the same order: the hash has no random key.
type Table<V> = HashMap<Cookie, V, BuildHasherDefault<NumberHasher>>;

/// Reports for which room is kept when there are none.
const KEEP: usize = 64;

/// Whether what is known of sockets may be another after this event.
fn may_change_sockets(event: &Event) -> bool {
    !matches!(
        event,
        Event::Connect(_)
            | Event::Gap(_)
            | Event::Mark(Mark::Tick | Mark::WalkBegin | Mark::WalkEnd { .. })
    )
}

/// The tracker. After every call of a `handle_` function call [`Self::poll_action`] until it
/// returns `None`.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    schedule: Schedule,
    reading: Reading,
    entries: Table<Box<Entry>>,
    former: Former,
    /// How many entries are findings.
    open: usize,
    /// Who accepts, as the last complete reading has shown.
    acceptors: Acceptors,
    /// How many ripe suspects the last complete reading has shown nobody to hold.
    unproven: usize,
    /// Sockets that a reading has opened or changed. They become reports when they are asked for, so
    /// that a hundred thousand of them are not in memory at once.
    pending: VecDeque<(Cookie, Phase)>,
    pending_at: BootTime,
    /// Reports that are ready.
    ready: VecDeque<Leak>,
    lost: u64,
    lost_told: u64,
}

impl Tracker {
    /// A tracker that knows nothing.
    #[must_use]
    pub fn new(config: TrackerConfig) -> Self {
        Self {
            config,
            schedule: Schedule::new(config.leak_after, config.reproof_every),
            reading: Reading::new(config.max_tracked),
            entries: Table::default(),
            former: Former::default(),
            open: 0,
            acceptors: Acceptors::default(),
            unproven: 0,
            pending: VecDeque::new(),
            pending_at: BootTime::default(),
            ready: VecDeque::new(),
            lost: 0,
            lost_told: 0,
        }
    }

    /// Takes a record.
    pub fn handle_event(&mut self, record: &Record) {
        if may_change_sockets(&record.event) {
            self.settle();
        }
        let at = record.at;
        match &record.event {
            Event::Suspect(suspect) if suspect.asked => self.on_answer(at, suspect),
            Event::Suspect(suspect) => self.on_suspect(at, suspect),
            Event::Held(held) => self.on_held(at, held),
            Event::Unheld(unheld) => self.on_unheld(at, unheld),
            Event::StateChange(change) => self.on_change(at, change),
            Event::Release(release) => self.on_release(at, release),
            Event::Accept(accept) => self.on_accept(at, accept),
            Event::Connect(_) => {}
            Event::Gap(gap) => self.on_gap(*gap),
            Event::Mark(mark) => self.on_mark(at, *mark),
        }
    }

    /// Time has come to `now`, on the boot clock. Going back is ignored.
    pub fn handle_timeout(&mut self, now: BootTime) {
        let overdue = self.schedule.advance(now);
        if overdue.walk {
            // What it would have told is marked as told in the kernel: only a reading can find it now.
            self.schedule.want_proof_after_loss();
        }
        if overdue.prove {
            self.discard_reading();
        }
    }

    /// When [`Self::handle_timeout`] wants to be called next, whatever happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        self.schedule.timeout(self.is_busy())
    }

    /// The next thing to do, if there is one. At most one walk or reading is in flight.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(mut leak) = self.next_ready().or_else(|| self.next_pending()) {
            if leak.kind == Kind::Unaccepted {
                leak.queue = self.acceptors.queue(&leak.socket);
            }
            return Some(Action::Report(leak));
        }
        let lost = mem::replace(&mut self.lost_told, self.lost);
        if self.lost > lost {
            return Some(Action::Gap(Gap {
                place: GapPlace::Tracker,
                lost: self.lost - lost,
            }));
        }
        match self.schedule.next(self.is_busy())? {
            Job::Walk => Some(Action::Walk),
            Job::Prove => Some(Action::Prove(self.ask())),
        }
    }

    /// How many sockets are tracked, findings included.
    #[must_use]
    pub fn tracked(&self) -> usize {
        self.entries.len()
    }

    /// How many findings are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// How many suspects are old enough to be findings, but were not seen to be held by anybody when the
    /// truth was last read: on their way in an SCM_RIGHTS message, or held by what readings do not show, such
    /// as the registered files of an io_uring.
    #[must_use]
    pub fn unproven(&self) -> usize {
        // Those released since the last reading are not among the suspects any more.
        self.unproven.min(self.entries.len() - self.open)
    }

    /// How many sockets, holders and listeners could not be kept for lack of room, each counted once.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many sockets are possible leaks now and could not be tracked for lack of room.
    #[must_use]
    pub fn untracked(&self) -> usize {
        self.reading.refused.len()
    }

    /// Whether there is anything to be read again.
    fn is_busy(&self) -> bool {
        !self.entries.is_empty() || self.untracked() > 0
    }

    fn on_mark(&mut self, at: BootTime, mark: Mark) {
        self.handle_timeout(at);
        match mark {
            Mark::WalkBegin => self.schedule.walk_begun(at),
            Mark::WalkEnd { oldest_young } => self.schedule.walk_ended(at, oldest_young),
            Mark::TruthBegin => self.begin_reading(at),
            Mark::TruthEnd { complete } => self.end_reading(at, complete),
            Mark::Tick => {}
        }
    }

    /// Makes the reports that nobody has asked for yet, before their sockets change.
    fn settle(&mut self) {
        while let Some(leak) = self.next_pending() {
            self.ready.push_back(leak);
        }
    }

    fn next_ready(&mut self) -> Option<Leak> {
        let leak = self.ready.pop_front();
        if leak.is_none() && self.ready.capacity() > KEEP {
            // The burst is over.
            self.ready = VecDeque::new();
        }
        leak
    }

    fn next_pending(&mut self) -> Option<Leak> {
        while let Some((cookie, phase)) = self.pending.pop_front() {
            let entry = self.entries.get(&cookie);
            if let Some(leak) = entry.and_then(|entry| entry.leak(phase, self.pending_at)) {
                return Some(leak);
            }
        }
        self.pending = VecDeque::new();
        None
    }
}
