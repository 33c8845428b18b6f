//! An agent and its simulated kernel: operations happen, records travel and get lost, and what the tracker
//! says is held against what is true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::kernel::{Fd, Kernel};
use super::ops::Op;
use crate::model::{
    BootTime, Cookie, Event, Gap, GapPlace, Kind, Leak, Mark, OwnerVia, Phase, Question, Record,
    TcpState,
};
use crate::tracker::{Action, Tracker, TrackerConfig};

pub(super) const LEAK_AFTER: Duration = Duration::from_secs(4);
const REPROOF: Duration = Duration::from_secs(7);

/// The agent, its kernel, and what it was told.
pub(super) struct World {
    pub(super) kernel: Kernel,
    pub(super) config: TrackerConfig,
    pub(super) tracker: Tracker,
    pub(super) delayed: u32,
    pub(super) trouble: Trouble,
    pub(super) race: Option<Op>,
    /// When the last reading began.
    read: BootTime,
    pub(super) lossy: bool,
    /// What each open finding was last said to be.
    pub(super) open: BTreeMap<Cookie, Leak>,
    over: BTreeSet<(Cookie, u32)>,
    /// The longest time from ripeness to report.
    pub(super) worst: Duration,
}

/// What will go wrong once. See [`Op`].
#[expect(clippy::struct_excessive_bools, reason = "each goes wrong by itself")]
#[derive(Default)]
pub(super) struct Trouble {
    lose_suspect: bool,
    lose_sight: bool,
    lose_owner: bool,
    lose_answer: bool,
    fail_reading: bool,
}

impl World {
    pub(super) fn new(max_tracked: usize) -> Self {
        let config = TrackerConfig {
            leak_after: LEAK_AFTER,
            reproof_every: REPROOF,
            max_tracked,
        };
        Self {
            kernel: Kernel::new(BootTime(1_000_000_000_000), LEAK_AFTER),
            config,
            tracker: Tracker::new(config),
            delayed: 0,
            trouble: Trouble::default(),
            race: None,
            read: BootTime::default(),
            lossy: false,
            open: BTreeMap::new(),
            over: BTreeSet::new(),
            worst: Duration::ZERO,
        }
    }

    pub(super) fn run(&mut self, op: &Op) {
        match op {
            Op::Wait(ms) => self.wait(Duration::from_millis(*ms)),
            Op::Delay => self.delayed = 3,
            Op::LoseSuspect => self.trouble.lose_suspect = true,
            Op::LoseSight => self.trouble.lose_sight = true,
            Op::LoseOwner => self.trouble.lose_owner = true,
            Op::LoseAnswer => self.trouble.lose_answer = true,
            Op::FailReading => self.trouble.fail_reading = true,
            Op::Table(size) => self.kernel.table = *size,
            Op::Race(op) => self.race = Some((**op).clone()),
            Op::Restart => self.restart(),
            Op::LoseRing => {
                let lost = std::mem::take(&mut self.kernel.ring).len();
                self.gap(GapPlace::Ring, lost);
            }
            _ => self.happen(op),
        }
        self.delayed = self.delayed.saturating_sub(1);
        self.wait(Duration::from_millis(1));
    }

    /// The agent is killed, and another one starts on the same kernel.
    fn restart(&mut self) {
        self.kernel.restart();
        self.tracker = Tracker::new(self.config);
        self.open.clear();
        self.over.clear();
        // It knows of no progress before its start, and counts episodes from 0.
        self.delayed = 0;
        self.lossy = true;
    }

    /// What happens in the kernel alone.
    fn happen(&mut self, op: &Op) {
        let cookies: Vec<_> = self.kernel.socks.keys().copied().collect();
        let pick = |n: &usize| {
            cookies
                .get(n % cookies.len().max(1))
                .copied()
                .unwrap_or(Cookie(0))
        };
        let state = |kernel: &Kernel, n| kernel.socks.get(&pick(n)).map(|sock| sock.socket.state);
        let kernel = &mut self.kernel;
        match op {
            Op::Create {
                state,
                process,
                unread,
            } => {
                let owned = !std::mem::take(&mut self.trouble.lose_owner);
                kernel.create(*state, Some(*process), *unread, owned);
            }
            Op::Queue => kernel.create(TcpState::CloseWait, None, 40, true),
            Op::Accept(n) => kernel.accept(pick(n), 10),
            Op::Dup(n, process) => kernel.dup(pick(n), (*process, 5_000)),
            Op::Close(n) => kernel.close(pick(n), false),
            Op::Exit(n) => kernel.close(pick(n), true),
            Op::Reset(n) if state(kernel, n) == Some(TcpState::CloseWait) => {
                kernel.change(pick(n), TcpState::Close, Some(32));
            }
            Op::Shutdown(n) if state(kernel, n) == Some(TcpState::CloseWait) => {
                kernel.shutdown(pick(n));
            }
            Op::LastAcked(n) if state(kernel, n) == Some(TcpState::LastAck) => {
                kernel.change(pick(n), TcpState::Close, None);
            }
            Op::Read(n, count) => kernel.read(pick(n), *count),
            Op::Write(n) => kernel.write(pick(n)),
            _ => {}
        }
    }

    fn gap(&mut self, place: GapPlace, lost: usize) {
        self.lossy = true;
        self.feed(Event::Gap(Gap {
            place,
            lost: lost as u64,
        }));
    }

    /// Lets time pass, as the agent does: from one wake-up to the next.
    pub(super) fn wait(&mut self, time: Duration) {
        let target = self.kernel.now.after(time);
        for _ in 0..2_000 {
            self.deliver();
            let lost = std::mem::take(&mut self.kernel.suspects_lost);
            if lost > 0 {
                self.gap(GapPlace::Suspects, lost);
            }
            self.feed(Event::Mark(Mark::Tick));
            self.act();
            let next = self
                .tracker
                .poll_timeout()
                .expect("there is always something to come");
            assert!(next > self.kernel.now, "woken for nothing");
            if self.kernel.now >= target {
                return;
            }
            self.kernel.now = self.kernel.now.max(next.min(target));
        }
        panic!("woken too often in {time:?}");
    }

    fn deliver(&mut self) {
        if self.delayed == 0 {
            for (at, event) in std::mem::take(&mut self.kernel.ring) {
                self.tracker.handle_event(&Record { at, event });
            }
        }
    }

    #[expect(
        clippy::large_types_passed_by_value,
        reason = "events are made where they are fed"
    )]
    fn feed(&mut self, event: Event) {
        self.tracker.handle_event(&Record {
            at: self.kernel.now,
            event,
        });
    }

    fn act(&mut self) {
        while let Some(action) = self.tracker.poll_action() {
            match action {
                Action::Walk => {
                    let walk = self.walk();
                    self.answer(walk);
                }
                Action::Prove(asked) => {
                    let reading = self.reading(&asked);
                    self.answer(reading);
                }
                Action::Report(leak) => self.hear(leak),
                Action::Gap(_) => self.lossy = true,
            }
        }
        assert!(self.tracker.tracked() <= self.config.max_tracked);
        assert_eq!(self.tracker.open(), self.open.len());
    }

    /// A whole answer arrives, after what was in the ring by then, or does not.
    fn answer(&mut self, records: Vec<Record>) {
        if std::mem::take(&mut self.trouble.lose_answer) {
            self.gap(GapPlace::Decode, 1);
            return;
        }
        self.deliver();
        for record in records {
            self.tracker.handle_event(&record);
        }
    }

    /// What stands for a record that could not be decoded.
    fn hole(&mut self) -> Record {
        self.lossy = true;
        self.record(Event::Gap(Gap {
            place: GapPlace::Decode,
            lost: 0,
        }))
    }

    #[expect(clippy::large_types_passed_by_value, reason = "it is kept")]
    fn record(&self, event: Event) -> Record {
        Record {
            at: self.kernel.now,
            event,
        }
    }

    fn walk(&mut self) -> Vec<Record> {
        let mut records = vec![self.record(Event::Mark(Mark::WalkBegin))];
        let (told, oldest_young) = self.kernel.walk();
        for event in told {
            if std::mem::take(&mut self.trouble.lose_suspect) {
                self.gap(GapPlace::Decode, 1);
            } else {
                records.push(self.record(event));
            }
        }
        records.push(self.record(Event::Mark(Mark::WalkEnd { oldest_young })));
        records
    }

    fn reading(&mut self, asked: &[Question]) -> Vec<Record> {
        let mut records = vec![self.record(Event::Mark(Mark::TruthBegin))];
        self.read = self.kernel.now;
        let complete = !std::mem::take(&mut self.trouble.fail_reading);
        self.lossy |= !complete;
        let cookies: Vec<_> = self.kernel.socks.keys().copied().collect();
        let mut seen = BTreeSet::new();
        for (n, cookie) in cookies.iter().enumerate() {
            if n == cookies.len() / 2
                && let Some(op) = self.race.take()
            {
                self.kernel.now = self.kernel.now.after(Duration::from_millis(1));
                self.happen(&op);
                self.kernel.now = self.kernel.now.after(Duration::from_millis(1));
            }
            for event in self.kernel.sights(*cookie) {
                seen.insert(*cookie);
                if std::mem::take(&mut self.trouble.lose_sight) {
                    records.push(self.hole());
                } else {
                    records.push(self.record(event));
                }
            }
        }
        for question in asked
            .iter()
            .filter(|question| question.always || !seen.contains(&question.cookie))
        {
            if let Some(event) = self.kernel.answer(question.cookie) {
                if std::mem::take(&mut self.trouble.lose_suspect) {
                    records.push(self.hole());
                } else {
                    records.push(self.record(event));
                }
            }
        }
        records.push(self.record(Event::Mark(Mark::TruthEnd { complete })));
        records
    }

    /// Holds a report against the kernel's truth and against what was said before.
    fn hear(&mut self, leak: Leak) {
        let cookie = leak.socket.cookie;
        let before = self.open.get(&cookie);
        match leak.phase {
            Phase::Open => {
                assert!(before.is_none(), "opened twice: {leak:?}");
                assert!(
                    !self.over.contains(&(cookie, leak.episode)),
                    "a name used again: {leak:?}"
                );
                let ended = self.over.range((cookie, 0)..=(cookie, u32::MAX)).count();
                assert_eq!(leak.episode as usize, ended, "not its number: {leak:?}");
                assert!(leak.age() >= LEAK_AFTER, "too young: {leak:?}");
                // What moves while the reading is made may have been passed by.
                let sock = self.kernel.socks.get(&cookie);
                if let Some(sock) = sock.filter(|sock| sock.quiet_since < self.read) {
                    assert!(leak.since >= sock.quiet_since, "older than it is: {leak:?}");
                    let ripe = sock.quiet_since.after(LEAK_AFTER);
                    self.worst = self.worst.max(leak.at.since(ripe));
                }
                self.check_blame(&leak);
                self.open.insert(cookie, leak);
            }
            Phase::Update => {
                let before = before.expect("an update of something open");
                assert_eq!((before.since, before.episode), (leak.since, leak.episode));
                let said = |leak: &Leak| (leak.kind, leak.diagnosis, fds(leak), leak.blame);
                assert_ne!(said(before), said(&leak), "no news: {leak:?}");
                self.open.insert(cookie, leak);
            }
            Phase::Resolved(_) => {
                let before = self
                    .open
                    .remove(&cookie)
                    .expect("the end of something open");
                assert_eq!((before.since, before.episode), (leak.since, leak.episode));
                assert!(
                    self.over.insert((cookie, leak.episode)),
                    "resolved twice: {leak:?}"
                );
            }
        }
    }

    /// Never a wrong thread; and if the kernel's tables know the right one, no other.
    fn check_blame(&self, leak: &Leak) {
        let Some(owner) = self
            .kernel
            .socks
            .get(&leak.socket.cookie)
            .and_then(super::kernel::Sock::known_owner)
        else {
            return;
        };
        let holds = leak.holders.iter().any(|holder| holder.tgid == owner.tgid);
        if leak.kind != Kind::Unaccepted && holds && !self.lossy {
            let blame = leak.blame.expect("somebody is blamed");
            assert_eq!(
                (blame.via, blame.tid),
                (OwnerVia::Accept, Some(owner.tid)),
                "{leak:?}"
            );
        }
    }
}

pub(super) fn fds(leak: &Leak) -> BTreeSet<Fd> {
    leak.holders
        .iter()
        .map(|holder| (holder.tgid.0, holder.fd))
        .collect()
}
