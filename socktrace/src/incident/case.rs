//! One incident.

use std::time::Duration;

use super::Key;
use super::remotes::{Place, Remotes};
use super::series::Counts;
use crate::model::{BootTime, Culprit, Incident, IncidentPhase, Kind, Leak};

/// Time between the first line and the next one. It doubles with each further line.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
/// Up to this. After as long a silence it begins anew.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);
/// How long nothing may be open before the incident is over, if the process lives: one that leaks and
/// closes in turns has one incident, not one each time.
const LINGER: Duration = Duration::from_secs(10);

/// One incident. There may be very many of one finding each.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) key: Key,
    culprit: Option<Culprit>,
    episode: u32,
    open: u32,
    opened_total: u64,
    resolved_total: u64,
    suppressed: u64,
    first: BootTime,
    last: BootTime,
    remotes: Remotes,
    counts: Counts,
    /// Something is not told yet.
    changed: bool,
    told: Option<Told>,
    ended: Option<Ended>,
}

/// The last line.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: BootTime,
    /// How long the next one has to wait.
    interval: Duration,
    /// It said that the incident grows: once it does not any more, that is worth a line.
    growing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    at: BootTime,
    /// The process has ended: nothing can come any more.
    exited: bool,
}

impl Case {
    pub(super) fn new(key: Key, culprit: Option<Culprit>, episode: u32, leak: &Leak) -> Self {
        Self {
            key,
            culprit,
            episode,
            open: 0,
            opened_total: 0,
            resolved_total: 0,
            suppressed: 0,
            first: leak.since,
            last: leak.since,
            remotes: Remotes::default(),
            counts: Counts::new(leak.at),
            changed: false,
            told: None,
            ended: None,
        }
    }

    pub(super) fn episode(&self) -> u32 {
        self.episode
    }

    /// A finding has come.
    pub(super) fn enter(&mut self, leak: &Leak) -> Place {
        self.counts.advance(leak.at, self.open);
        self.open = self.open.saturating_add(1);
        self.opened_total += 1;
        self.first = self.first.min(leak.since);
        self.last = self.last.max(leak.since);
        self.changed = true;
        self.ended = None;
        if self.key.kind == Kind::HalfClosed {
            self.remotes.enter(leak)
        } else {
            None
        }
    }

    /// A finding has gone; `exited` says that the process has ended.
    pub(super) fn leave(&mut self, now: BootTime, place: Place, exited: bool) {
        self.counts.advance(now, self.open);
        self.open = self.open.saturating_sub(1);
        self.resolved_total += 1;
        self.remotes.leave(place);
        self.changed = true;
        if self.open == 0 {
            self.ended = Some(Ended { at: now, exited });
        }
    }

    /// A line of one of its findings was held back.
    pub(super) fn hold_back(&mut self) {
        self.suppressed += 1;
        self.changed = true;
    }

    /// When its next line is due, if nothing happens until then.
    pub(super) fn due(&self) -> Option<BootTime> {
        let Some(told) = self.told else {
            return Some(BootTime::default());
        };
        if let Some(ended) = self.ended {
            let linger = if ended.exited { Duration::ZERO } else { LINGER };
            return Some(ended.at.after(linger));
        }
        if self.changed {
            return Some(told.at.after(told.interval));
        }
        told.growing.then(|| told.at.after(LONGEST_INTERVAL))
    }

    /// Its next line, at `now`; `None` if there is nothing to say after all.
    pub(super) fn tell(&mut self, now: BootTime) -> Option<Incident> {
        let phase = match (self.told, self.ended) {
            (None, _) => IncidentPhase::Open,
            (_, Some(_)) => IncidentPhase::Resolved,
            _ => IncidentPhase::Update,
        };
        self.counts.advance(now, self.open);
        let growth = self.counts.growth();
        let growing = growth.is_some_and(|growth| growth.milli_per_minute > 0);
        let told = self.told.replace(Told {
            at: now,
            interval: self.next_interval(now),
            growing,
        });
        if phase == IncidentPhase::Update && !self.changed && growing {
            // As before, so far as anybody has to know; the interval is not touched by that.
            self.told = told.map(|told| Told { at: now, ..told });
            return None;
        }
        self.changed = false;
        Some(Incident {
            phase,
            at: now,
            kind: self.key.kind,
            culprit: self.culprit,
            episode: self.episode,
            open: u64::from(self.open),
            opened_total: self.opened_total,
            resolved_total: self.resolved_total,
            suppressed: self.suppressed,
            first: self.first,
            last: self.last,
            ended: self.ended.map(|ended| ended.at),
            growth,
            remotes: self.remotes.most(),
            held_back: 0,
        })
    }

    /// Whether something is not told yet.
    pub(super) fn is_changed(&self) -> bool {
        self.changed || self.told.is_none()
    }

    fn next_interval(&self, now: BootTime) -> Duration {
        match self.told {
            Some(told) if now.since(told.at) < LONGEST_INTERVAL + told.interval => {
                told.interval.saturating_mul(2).min(LONGEST_INTERVAL)
            }
            _ => FIRST_INTERVAL,
        }
    }
}
