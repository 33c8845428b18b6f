//! Leaks, counted by the names of processes: as many names as labels of metrics may have.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{
    BootTime, Cause, Comm, Cookie, IncidentPhase, Kind, Leak, NamedIncident, Phase, Tgid,
};
use crate::schema::escape;

/// Names that are told apart. All others are counted as [`OTHER`].
const NAMES: usize = 50;
const OTHER: &str = "other";
/// Leaks that nobody is blamed for.
const NOBODY: &str = "unknown";
/// A name that has had no open leak for so long makes room for a new one. Its counts are forgotten.
const IDLE: Duration = Duration::from_hours(1);

/// Counts by kind, in the order of [`Kind::ALL`].
pub type Counts = [u64; Kind::ALL.len()];

/// What has been counted so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leaks {
    /// By name, `other` first.
    pub processes: Vec<OfName>,
    /// By cause: `closed`, `exited`, `progress`, `reset`.
    pub resolved: Vec<(&'static str, u64)>,
    /// How long sockets had been in CLOSE_WAIT when their leaks were resolved.
    pub close_wait: Durations,
    /// Since when the oldest open leak is one.
    pub oldest: Option<BootTime>,
    /// Incidents that are open and were told.
    pub incidents: u64,
    /// Lines held back.
    pub held_back: u64,
    /// Leaks that no incident had room for.
    pub without_incident: u64,
}

/// See [`Leaks::processes`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfName {
    /// The name, escaped.
    pub name: String,
    /// Leaks that are open.
    pub open: Counts,
    /// Leaks that were ever detected.
    pub detected: Counts,
    /// When the first of these processes will have used up its descriptors, if one will.
    pub exhausted: Option<BootTime>,
    /// When it was last heard of.
    last: BootTime,
}

/// Durations in buckets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Durations {
    counts: [u64; Self::BOUNDS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

impl Durations {
    /// Upper bounds, in seconds: from the shortest `--leak-after` that makes sense to a week.
    pub const BOUNDS: [u32; 12] = [
        1, 10, 60, 120, 300, 600, 1800, 3600, 10_800, 43_200, 86_400, 604_800,
    ];

    fn add(&mut self, duration: Duration) {
        let fits = |bound: &u32| duration <= Duration::from_secs(u64::from(*bound));
        let bucket = Self::BOUNDS.iter().position(fits);
        if let Some(count) = self.counts.get_mut(bucket.unwrap_or(Self::BOUNDS.len())) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(duration);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many are in each bucket and in no smaller one, with its upper bound.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = Self::BOUNDS.iter().map(|bound| f64::from(*bound));
        bounds
            .chain([f64::INFINITY])
            .zip(self.counts.iter().copied())
    }
}

/// An open leak, as it is counted.
#[derive(Clone, Copy, Debug)]
struct Open {
    since: BootTime,
    slot: u8,
    kind: Kind,
}

/// One process's incident of one kind.
type IncidentKey = (Option<(Tgid, BootTime)>, Kind);

/// Counts leaks. It keeps as many entries as there are open ones, which the tracker bounds.
#[derive(Debug)]
pub struct Tally {
    /// The first one is that of all names that have none.
    slots: Vec<OfName>,
    by_name: HashMap<Option<Comm>, u8>,
    open: HashMap<Cookie, Open>,
    forecasts: HashMap<IncidentKey, (u8, BootTime)>,
    resolved: [u64; 4],
    close_wait: Durations,
    incidents: u64,
    /// Nobody has been told of the latest.
    changed: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: vec![OfName {
                name: OTHER.to_owned(),
                ..OfName::default()
            }],
            by_name: HashMap::new(),
            open: HashMap::new(),
            forecasts: HashMap::new(),
            resolved: [0; 4],
            close_wait: Durations::default(),
            incidents: 0,
            changed: true,
        }
    }

    /// Takes a line of a finding that is wanted.
    pub fn leak(&mut self, leak: &Leak) {
        self.changed = true;
        let cookie = leak.socket.cookie;
        let before = self.open.remove(&cookie);
        if let Some(before) = before {
            self.add_open(before, -1);
            self.hear_of(before.slot, leak.at);
        }
        if let Phase::Resolved(cause) = leak.phase {
            if before.is_some() {
                self.resolve(leak, cause);
            }
            return;
        }
        let slot = self.slot(leak.blame.map(|blame| blame.comm), leak.at);
        let now = Open {
            since: leak.since,
            slot,
            kind: leak.kind,
        };
        self.open.insert(cookie, now);
        self.add_open(now, 1);
        if before.is_none()
            && let Some(detected) = self.of(slot).and_then(|of| at(&mut of.detected, leak.kind))
        {
            *detected += 1;
        }
    }

    /// Takes a line of an incident.
    pub fn incident(&mut self, named: &NamedIncident) {
        self.changed = true;
        let incident = &named.incident;
        let who = incident.culprit;
        match incident.phase {
            IncidentPhase::Open => self.incidents += 1,
            IncidentPhase::Update => {}
            IncidentPhase::Resolved => self.incidents = self.incidents.saturating_sub(1),
        }
        let key = (who.map(|who| (who.tgid, who.started)), incident.kind);
        match named.exhausted_at() {
            Some(exhausted) => {
                let slot = self.slot(who.map(|who| who.comm), incident.at);
                self.forecasts.insert(key, (slot, exhausted));
            }
            None => {
                self.forecasts.remove(&key);
            }
        }
    }

    /// As [`Self::leaks`], if anything has been counted since the last call.
    pub fn news(&mut self, held_back: u64, without_incident: u64) -> Option<Leaks> {
        let changed = std::mem::replace(&mut self.changed, false);
        changed.then(|| self.leaks(held_back, without_incident))
    }

    /// What has been counted so far. It looks at every open leak.
    #[must_use]
    pub fn leaks(&self, held_back: u64, without_incident: u64) -> Leaks {
        let mut processes = self.slots.clone();
        for (slot, exhausted) in self.forecasts.values() {
            if let Some(of) = processes.get_mut(usize::from(*slot)) {
                let earlier = of.exhausted.is_none_or(|other| *exhausted < other);
                of.exhausted = if earlier {
                    Some(*exhausted)
                } else {
                    of.exhausted
                };
            }
        }
        Leaks {
            processes,
            resolved: ["closed", "exited", "progress", "reset"]
                .into_iter()
                .zip(self.resolved)
                .collect(),
            close_wait: self.close_wait.clone(),
            oldest: self.open.values().map(|open| open.since).min(),
            incidents: self.incidents,
            held_back,
            without_incident,
        }
    }

    fn resolve(&mut self, leak: &Leak, cause: Cause) {
        let place = match cause {
            Cause::Closed(_) => 0,
            Cause::Exited(_) => 1,
            Cause::Progress => 2,
            Cause::Reset => 3,
        };
        if let Some(count) = self.resolved.get_mut(place) {
            *count += 1;
        }
        if matches!(leak.kind, Kind::CloseWait | Kind::Unaccepted) {
            self.close_wait.add(leak.age());
        }
    }

    fn add_open(&mut self, leak: Open, by: i64) {
        if let Some(open) = self
            .of(leak.slot)
            .and_then(|of| at(&mut of.open, leak.kind))
        {
            *open = open.saturating_add_signed(by);
        }
    }

    /// Where leaks of processes with this name are counted. No two names may become the same label.
    fn slot(&mut self, name: Option<Comm>, now: BootTime) -> u8 {
        let bytes = name.as_ref().map_or(&b""[..], Comm::as_bytes);
        let slot = if bytes == OTHER.as_bytes() {
            0
        } else {
            let nobody = bytes.is_empty() || bytes == NOBODY.as_bytes();
            // What stands behind the NUL is no part of the name.
            let name = (!nobody).then(|| Comm::from_bytes(bytes));
            match self.by_name.get(&name) {
                Some(slot) => *slot,
                None => self.new_slot(name, now).unwrap_or(0),
            }
        };
        self.hear_of(slot, now);
        slot
    }

    fn new_slot(&mut self, name: Option<Comm>, now: BootTime) -> Option<u8> {
        let place = if self.slots.len() <= NAMES {
            self.slots.push(OfName::default());
            self.slots.len() - 1
        } else {
            let idle = |(_, of): &(usize, &OfName)| {
                of.open.iter().all(|open| *open == 0) && now.since(of.last) >= IDLE
            };
            let candidates = self.slots.iter().enumerate().skip(1).filter(idle);
            candidates.min_by_key(|(_, of)| of.last)?.0
        };
        let slot = u8::try_from(place).ok()?;
        self.by_name.retain(|_, used| *used != slot);
        self.forecasts.retain(|_, (used, _)| *used != slot);
        self.by_name.insert(name, slot);
        *self.slots.get_mut(place)? = OfName {
            name: match name {
                Some(comm) => escape(comm.as_bytes()).into_owned(),
                None => NOBODY.to_owned(),
            },
            ..OfName::default()
        };
        Some(slot)
    }

    fn hear_of(&mut self, slot: u8, now: BootTime) {
        if let Some(of) = self.of(slot) {
            of.last = of.last.max(now);
        }
    }

    fn of(&mut self, slot: u8) -> Option<&mut OfName> {
        self.slots.get_mut(usize::from(slot))
    }
}

fn at(counts: &mut Counts, kind: Kind) -> Option<&mut u64> {
    counts.get_mut(kind as usize)
}

#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;
