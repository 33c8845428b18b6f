//! When to walk over the suspects and when to read the truth.

use std::mem;
use std::time::Duration;

use crate::model::BootTime;

/// The least time between the end of a walk or a reading and the next one: with a leak-after of a few
/// milliseconds there would be no end of them.
const LEAST_PAUSE: Duration = Duration::from_millis(50);
/// A walk or a reading that took long is followed by a pause of three times as long, so that they never
/// take more than a quarter of one CPU, but at most this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long to wait before a second try, and between readings that losses make necessary.
const RETRY: Duration = Duration::from_secs(1);
/// A walk or a reading that has not ended by then never will: its last mark was lost.
const OVERDUE: Duration = Duration::from_mins(2);
/// How many times slower the slow timer is while nothing is tracked. Some sockets come into a leak's state
/// without any change of it (a connection that was reset in the accept queue and is accepted then).
const IDLE_FACTOR: u32 = 10;
/// How much later than the oldest young suspect a walk comes at most, to find others with it.
const MOST_SLACK: Duration = Duration::from_millis(250);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// A walk over the suspects.
    Walk,
    /// A reading of the truth.
    Prove,
}

/// What did not end in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overdue {
    /// The walk.
    pub(super) walk: bool,
    /// The reading.
    pub(super) prove: bool,
}

/// Due times of walks and readings. A walk and a reading are never asked for at once.
#[derive(Debug)]
pub(super) struct Schedule {
    leak_after: Duration,
    reproof_every: Duration,
    /// The latest time told by the agent. Records of the kernel do not move it.
    now: BootTime,
    started: bool,
    walk: Task,
    prove: Task,
    /// When the last reading ended, well or not.
    proved: Option<BootTime>,
    /// Time to the next try.
    retry: Duration,
    /// When something was lost last.
    lost: Option<BootTime>,
    /// Time from a reading to the next one that a loss makes necessary.
    loss_pause: Duration,
    /// The next reading is not the first of this series of losses.
    lost_again: bool,
}

/// One of the two jobs.
#[derive(Debug, Default)]
struct Task {
    due: Option<BootTime>,
    not_before: BootTime,
    running: Option<Running>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    asked: BootTime,
    begun: Option<BootTime>,
}

impl Schedule {
    pub(super) fn new(leak_after: Duration, reproof_every: Duration) -> Self {
        Self {
            leak_after,
            reproof_every,
            now: BootTime::default(),
            started: false,
            walk: Task::default(),
            prove: Task::default(),
            proved: None,
            retry: RETRY,
            lost: None,
            loss_pause: RETRY,
            lost_again: false,
        }
    }

    /// Time has come to `now`. The first time everything is due; later, what did not end is given up.
    pub(super) fn advance(&mut self, now: BootTime) -> Overdue {
        self.now = self.now.max(now);
        if !self.started {
            self.started = true;
            self.prove.want(self.now);
            self.walk.want(self.now);
        }
        let overdue = Overdue {
            walk: self.walk.give_up(self.now),
            prove: self.prove.give_up(self.now),
        };
        if overdue.walk {
            self.walk.want(self.now.after(RETRY));
        }
        if overdue.prove {
            self.proved = Some(self.now);
            self.prove_later();
        }
        overdue
    }

    /// Asks for a reading as soon as may be.
    pub(super) fn want_proof(&mut self) {
        self.prove.want(self.now);
    }

    /// Asks for a reading at `at`, when something is ripe.
    pub(super) fn want_proof_at(&mut self, at: BootTime) {
        self.prove.want(at);
    }

    /// Asks for a reading after a loss: losses come in crowds, and one reading answers all of them. While they
    /// do not cease, the pauses between such readings double, up to the slow timer's.
    pub(super) fn want_proof_after_loss(&mut self) {
        let last = self
            .lost
            .filter(|last| self.now.since(*last) <= self.reproof_every);
        match (last, self.proved) {
            (None, _) => self.loss_pause = RETRY,
            // A reading has answered those before.
            (Some(last), Some(proved)) if last <= proved => self.lost_again = true,
            (Some(_), _) => {}
        }
        self.lost = Some(self.now);
        self.want_proof_after(self.loss_pause);
    }

    /// Asks for a reading in place of one that had a hole.
    pub(super) fn want_proof_after_hole(&mut self) {
        self.want_proof_after(RETRY);
    }

    /// Asks for a reading so long after the last one.
    fn want_proof_after(&mut self, pause: Duration) {
        let earliest = self.proved.map_or(self.now, |proved| proved.after(pause));
        self.prove.want(self.now.max(earliest));
    }

    /// Asks for a reading after a pause that doubles each time, up to the slow timer's.
    pub(super) fn prove_later(&mut self) {
        self.prove.want(self.now.after(self.retry));
        self.retry = doubled(self.retry, self.reproof_every);
    }

    /// The next job, which is then in flight.
    pub(super) fn next(&mut self, tracking: bool) -> Option<Job> {
        if self.running() {
            return None;
        }
        let ready = |at: Option<BootTime>| at.is_some_and(|at| at <= self.now);
        if ready(self.prove_due(tracking)) {
            self.prove.start(self.now);
            return Some(Job::Prove);
        }
        if ready(self.walk.ready_at()) {
            self.walk.start(self.now);
            return Some(Job::Walk);
        }
        None
    }

    /// When to call [`Self::advance`] and [`Self::next`] again.
    pub(super) fn timeout(&self, tracking: bool) -> Option<BootTime> {
        if !self.started {
            return Some(self.now);
        }
        if self.running() {
            return earlier(self.walk.overdue_at(), self.prove.overdue_at());
        }
        earlier(self.prove_due(tracking), self.walk.ready_at())
    }

    pub(super) fn walk_begun(&mut self, at: BootTime) {
        self.walk.begin(at);
    }

    /// Nothing that is too young now, and nothing that came after the walk began, is ripe before the
    /// time computed here.
    pub(super) fn walk_ended(&mut self, at: BootTime, oldest_young: Option<BootTime>) {
        let Some(begun) = self.walk.end(at) else {
            return;
        };
        let oldest = oldest_young.map_or(begun, |oldest| oldest.min(begun));
        let slack = MOST_SLACK.min(self.leak_after / 4);
        self.walk.want(oldest.after(self.leak_after).after(slack));
    }

    pub(super) fn reading_begun(&mut self, at: BootTime) {
        self.prove.begin(at);
    }

    /// Whether a reading has been asked for and has not ended.
    pub(super) fn proving(&self) -> bool {
        self.prove.running.is_some()
    }

    /// Whether a reading has begun and not ended.
    pub(super) fn reading(&self) -> bool {
        self.prove
            .running
            .is_some_and(|running| running.begun.is_some())
    }

    /// A reading has ended. `settled` says that nothing is left that another one could prove. A walk
    /// follows, because a complete reading may have put sockets into the kernel's table.
    pub(super) fn reading_ended(&mut self, at: BootTime, complete: bool, settled: bool) {
        if self.prove.end(at).is_none() {
            return;
        }
        self.proved = Some(at);
        if mem::take(&mut self.lost_again) {
            self.loss_pause = doubled(self.loss_pause, self.reproof_every);
        }
        if complete && settled {
            self.retry = RETRY;
        } else {
            self.prove_later();
        }
        self.walk.want(self.now);
    }

    fn prove_due(&self, tracking: bool) -> Option<BootTime> {
        let every = if tracking { 1 } else { IDLE_FACTOR };
        let pause = self.reproof_every.saturating_mul(every);
        let slow = self
            .proved
            .map(|proved| proved.after(pause).max(self.prove.not_before));
        earlier(self.prove.ready_at(), slow)
    }

    fn running(&self) -> bool {
        self.walk.running.is_some() || self.prove.running.is_some()
    }
}

impl Task {
    fn want(&mut self, at: BootTime) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn ready_at(&self) -> Option<BootTime> {
        self.due.map(|due| due.max(self.not_before))
    }

    fn start(&mut self, now: BootTime) {
        self.due = None;
        self.running = Some(Running {
            asked: now,
            begun: None,
        });
    }

    /// Begins, also unasked: a replay's walks come when the recorded agent made them.
    fn begin(&mut self, at: BootTime) {
        let asked = self.running.map_or(at, |running| running.asked);
        self.due = None;
        self.running = Some(Running {
            asked,
            begun: Some(at),
        });
    }

    /// Ends; when it began, if it did.
    fn end(&mut self, at: BootTime) -> Option<BootTime> {
        let begun = self.running.and_then(|running| running.begun)?;
        self.running = None;
        let pause = at
            .since(begun)
            .saturating_mul(3)
            .clamp(LEAST_PAUSE, LONGEST_PAUSE);
        self.not_before = at.after(pause);
        Some(begun)
    }

    fn overdue_at(&self) -> Option<BootTime> {
        self.running.map(|running| running.asked.after(OVERDUE))
    }

    fn give_up(&mut self, now: BootTime) -> bool {
        let overdue = self.overdue_at().is_some_and(|at| at <= now);
        if overdue {
            self.running = None;
        }
        overdue
    }
}

/// The next pause after `pause`.
fn doubled(pause: Duration, longest: Duration) -> Duration {
    pause.saturating_mul(2).min(longest).max(RETRY)
}

fn earlier(a: Option<BootTime>, b: Option<BootTime>) -> Option<BootTime> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
