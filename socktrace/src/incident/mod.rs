//! Which lines of findings are told one by one, and what all findings of a process come to: pure,
//! deterministic, without a clock.
//!
//! [`Incidents`] is a state machine between the tracker's reports and their encoding: findings and the time
//! go in ([`Incidents::handle_leak`], [`Incidents::handle_timeout`]), incidents and the next wake-up come
//! out ([`Incidents::poll_report`], [`Incidents::poll_timeout`]).
//!
//! * All findings of one process and kind are one incident. It opens with the first of them, is updated at
//!   a bounded rate while it changes, and is resolved when none has been open for a while, or at once when
//!   the process has ended. A finding whose blame or kind changes moves to another incident.
//! * Lines of single findings pass up to a number a minute for each process. Of a finding whose first line
//!   was held back all lines are, and the end of one that was told always is: nobody hears of half a
//!   finding. Updates of told findings may be held back.
//! * What was held back is counted, in the incident and in total.
//!
//! The parts:
//!
//! * `case`: one incident.
//! * `series`: how fast it grows.
//! * `remotes`: which remote ends its findings have.
//! * `allowance`: how many lines a process may have.

mod allowance;
mod case;
mod remotes;
mod series;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::model::{
    BootTime, Cause, Cookie, Culprit, Incident, IncidentPhase, Kind, Leak, Membership, Phase, Tgid,
};
use allowance::Allowances;
use case::Case;
use remotes::Place;

/// Settings of [`Incidents`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncidentsConfig {
    /// Lines of single findings that pass, for each process and minute. The ends of told findings pass
    /// besides.
    pub lines_per_process: u32,
    /// How many incidents are kept at most.
    pub max_incidents: usize,
    /// How many findings are kept at most.
    pub max_findings: usize,
}

/// What becomes of a finding's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is told.
    pub tell: bool,
    /// The incident it belongs to; `None` if there was no room for one.
    pub membership: Option<Membership>,
}

/// A blamed process; `None` stands for nobody.
type Who = Option<(Tgid, BootTime)>;

/// A replay has to do everything in the same order: the hash has no random key.
type Hash = BuildHasherDefault<DefaultHasher>;

/// What makes findings one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    who: Who,
    kind: Kind,
}

/// An open finding. There may be a hundred thousand of them.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// Its incident: an index into [`Incidents::cases`].
    case: u32,
    /// Whether its first line was told.
    told: bool,
    remote: Place,
}

/// The incidents. After every call of a `handle_` function call [`Self::poll_report`] until it returns
/// `None`.
#[derive(Debug)]
pub struct Incidents {
    config: IncidentsConfig,
    now: BootTime,
    /// Free places are `None`.
    cases: Vec<Option<Case>>,
    free: Vec<u32>,
    by_key: HashMap<Key, u32, Hash>,
    members: HashMap<Cookie, Member, Hash>,
    allowances: Allowances,
    /// The number of the next incident where there was one, and in which order to forget it.
    former: HashMap<Key, u32, Hash>,
    former_order: VecDeque<Key>,
    /// Of those forgotten: the highest number, and the latest time that is so for. Who began before then may
    /// have had that many.
    forgotten: (u32, BootTime),
    /// Nothing is due before this.
    due: Option<BootTime>,
    reports: VecDeque<Incident>,
    open: u64,
    held_back: u64,
    overflowed: u64,
    /// There was no room for some finding.
    overflow: bool,
}

impl Incidents {
    /// None yet.
    #[must_use]
    pub fn new(config: IncidentsConfig) -> Self {
        Self {
            config,
            now: BootTime::default(),
            cases: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::default(),
            members: HashMap::default(),
            allowances: Allowances::new(config.lines_per_process, config.max_incidents),
            former: HashMap::default(),
            former_order: VecDeque::new(),
            forgotten: (0, BootTime::default()),
            due: None,
            reports: VecDeque::new(),
            open: 0,
            held_back: 0,
            overflowed: 0,
            overflow: false,
        }
    }

    /// Takes a line of a finding, and says what becomes of it. Time comes to that of the line.
    pub fn handle_leak(&mut self, leak: &Leak) -> Verdict {
        self.handle_timeout(leak.at);
        let cookie = leak.socket.cookie;
        match (leak.phase, self.members.get(&cookie).copied()) {
            (Phase::Open | Phase::Update, None) => self.enter(leak),
            (Phase::Open | Phase::Update, Some(member)) => self.update(leak, member),
            (Phase::Resolved(cause), Some(member)) => self.leave(leak, cause, member),
            // There was no room for it, and so nobody has heard of it.
            (Phase::Resolved(_), None) => self.hold_back(None),
        }
    }

    /// Time has come to `now`, on the boot clock. Going back is ignored.
    pub fn handle_timeout(&mut self, now: BootTime) {
        self.now = self.now.max(now);
        if self.due.is_none_or(|due| due > self.now) {
            return;
        }
        self.due = None;
        self.allowances.forget(self.now);
        let places = u32::try_from(self.cases.len()).unwrap_or(u32::MAX);
        for place in 0..places {
            self.settle(place);
        }
    }

    /// The end has come: what has changed and is not told yet is told, and nothing is resolved because
    /// of it.
    pub fn handle_end(&mut self, now: BootTime) {
        self.handle_timeout(now);
        for case in self.cases.iter_mut().flatten() {
            if case.is_changed() {
                self.reports.extend(case.tell(self.now));
            }
        }
    }

    /// When [`Self::handle_timeout`] wants to be called next, whatever happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        self.due
    }

    /// The next incident to tell of, if there is one.
    pub fn poll_report(&mut self) -> Option<Incident> {
        let report = self.reports.pop_front()?;
        Some(Incident {
            held_back: self.held_back,
            ..report
        })
    }

    /// Findings open now that have an incident.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open
    }

    /// Lines held back so far.
    #[must_use]
    pub fn held_back(&self) -> u64 {
        self.held_back
    }

    /// Findings for which there was no room. Their lines were held back.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    fn enter(&mut self, leak: &Leak) -> Verdict {
        let room = self.members.len() < self.config.max_findings;
        let Some(place) = room.then(|| self.place_for(leak)).flatten() else {
            self.overflow = true;
            self.overflowed += u64::from(leak.phase == Phase::Open);
            return self.hold_back(None);
        };
        // A first line that is an update is one that a filter has let through only now, unless there was no
        // room for the finding before: then nobody has heard of it, and nobody is going to.
        let begins = leak.phase == Phase::Open || !self.overflow;
        let told = begins && self.allowances.take(Key::of(leak).who, self.now);
        let remote = self.case(place).and_then(|case| case.enter(leak));
        let member = Member {
            case: place,
            told,
            remote,
        };
        self.members.insert(leak.socket.cookie, member);
        self.open += 1;
        self.judge(place, told)
    }

    fn update(&mut self, leak: &Leak, member: Member) -> Verdict {
        let key = Key::of(leak);
        let stays = self.case(member.case).is_some_and(|case| case.key == key);
        let place = if stays {
            member.case
        } else {
            self.move_to(leak, member)
        };
        let told = member.told && self.allowances.take(key.who, self.now);
        self.judge(place, told)
    }

    /// Moves a finding to the incident it belongs to now, and says where that is. Without room there it
    /// stays where it was.
    fn move_to(&mut self, leak: &Leak, member: Member) -> u32 {
        let Some(place) = self.place_for(leak) else {
            return member.case;
        };
        let now = self.now;
        if let Some(case) = self.case(member.case) {
            case.leave(now, member.remote, false);
        }
        self.settle(member.case);
        let remote = self.case(place).and_then(|case| case.enter(leak));
        let moved = Member {
            case: place,
            remote,
            ..member
        };
        self.members.insert(leak.socket.cookie, moved);
        place
    }

    fn leave(&mut self, leak: &Leak, cause: Cause, member: Member) -> Verdict {
        self.members.remove(&leak.socket.cookie);
        self.open = self.open.saturating_sub(1);
        let now = self.now;
        if let Some(case) = self.case(member.case) {
            let tgid = case.key.who.map(|(tgid, _)| tgid);
            let dead = match cause {
                Cause::Exited(task) => task.map(|task| task.tgid),
                _ => None,
            };
            case.leave(now, member.remote, dead.is_some() && dead == tgid);
        }
        self.judge(member.case, member.told)
    }

    /// What becomes of a line of the incident at `place`.
    fn judge(&mut self, place: u32, tell: bool) -> Verdict {
        let held_back = self.held_back;
        let membership = self.case(place).map(|case| {
            if !tell {
                case.hold_back();
            }
            Membership {
                episode: case.episode(),
                held_back,
            }
        });
        self.settle(place);
        if tell {
            Verdict { tell, membership }
        } else {
            self.hold_back(membership)
        }
    }

    fn hold_back(&mut self, membership: Option<Membership>) -> Verdict {
        self.held_back += 1;
        Verdict {
            tell: false,
            membership,
        }
    }

    /// Tells of the incident at `place` if that is due, and forgets it if it is over.
    fn settle(&mut self, place: u32) {
        let now = self.now;
        loop {
            let Some(case) = self.case(place) else {
                return;
            };
            let Some(due) = case.due() else {
                return;
            };
            if due > now {
                self.due = Some(self.due.map_or(due, |earliest| earliest.min(due)));
                return;
            }
            let report = case.tell(now);
            let over = report
                .as_ref()
                .is_some_and(|report| report.phase == IncidentPhase::Resolved);
            self.reports.extend(report);
            if over {
                self.close(place);
                return;
            }
        }
    }

    fn close(&mut self, place: u32) {
        let slot = usize::try_from(place).ok();
        let case = slot.and_then(|slot| self.cases.get_mut(slot)?.take());
        let Some(case) = case else {
            return;
        };
        self.free.push(place);
        self.by_key.remove(&case.key);
        let next = case.episode().saturating_add(1);
        if self.former.insert(case.key, next).is_none() {
            self.former_order.push_back(case.key);
        }
        if self.former_order.len() > self.config.max_incidents
            && let Some(oldest) = self.former_order.pop_front()
        {
            let number = self.former.remove(&oldest).unwrap_or_default();
            self.forgotten = (self.forgotten.0.max(number), self.now);
        }
    }

    /// The place of the incident that a finding belongs to, which is opened if need be; `None` if there is
    /// no room.
    fn place_for(&mut self, leak: &Leak) -> Option<u32> {
        let key = Key::of(leak);
        if let Some(place) = self.by_key.get(&key) {
            return Some(*place);
        }
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.cases.len() < self.config.max_incidents => {
                let place = u32::try_from(self.cases.len()).ok()?;
                self.cases.push(None);
                place
            }
            None => return None,
        };
        let culprit = leak.blame.map(|blame| Culprit {
            tgid: blame.tgid,
            started: blame.started,
            comm: blame.comm,
        });
        let episode = self.episode(key);
        let case = Case::new(key, culprit, episode, leak);
        *self.cases.get_mut(usize::try_from(place).ok()?)? = Some(case);
        self.by_key.insert(key, place);
        Some(place)
    }

    /// The number of the next incident of this process and kind, which no earlier one has had.
    fn episode(&self, key: Key) -> u32 {
        let (number, until) = self.forgotten;
        let started = key.who.map_or(BootTime::default(), |(_, started)| started);
        let unknown = if started <= until { number } else { 0 };
        self.former.get(&key).copied().unwrap_or(unknown)
    }

    fn case(&mut self, place: u32) -> Option<&mut Case> {
        self.cases.get_mut(usize::try_from(place).ok()?)?.as_mut()
    }
}

impl Key {
    fn of(leak: &Leak) -> Self {
        Self {
            who: leak.blame.map(|blame| (blame.tgid, blame.started)),
            kind: leak.kind,
        }
    }
}
