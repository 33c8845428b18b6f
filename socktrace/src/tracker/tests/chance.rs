//! The tracker against the simulated kernel, under random operations, delays and losses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::kernel::{Fd, Kernel};
use super::ops::{Op, op};
use crate::model::{
    BootTime, Cookie, Event, Gap, GapPlace, Kind, Leak, Mark, Phase, Record, TcpState,
};
use crate::tracker::{Action, Tracker, TrackerConfig};
use crate::verdict::kind_of;

const LEAK_AFTER: Duration = Duration::from_secs(4);
const REPROOF: Duration = Duration::from_secs(7);

/// The agent, its kernel, and what it was told.
struct World {
    kernel: Kernel,
    tracker: Tracker,
    max_tracked: usize,
    delayed: u32,
    trouble: Trouble,
    race: Option<Op>,
    lossy: bool,
    /// What each open finding was last said to be.
    open: BTreeMap<Cookie, Leak>,
    over: BTreeSet<(Cookie, u32)>,
    /// The longest time from ripeness to report.
    worst: Duration,
}

/// What will go wrong once. See [`Op`].
#[derive(Default)]
struct Trouble {
    lose_suspect: bool,
    lose_entry: bool,
    fail_reading: bool,
}

impl World {
    fn new(max_tracked: usize) -> Self {
        let config = TrackerConfig {
            leak_after: LEAK_AFTER,
            reproof_every: REPROOF,
            max_tracked,
        };
        Self {
            kernel: Kernel::new(BootTime(1_000_000_000_000), LEAK_AFTER),
            tracker: Tracker::new(config),
            max_tracked,
            delayed: 0,
            trouble: Trouble::default(),
            race: None,
            lossy: false,
            open: BTreeMap::new(),
            over: BTreeSet::new(),
            worst: Duration::ZERO,
        }
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Wait(ms) => self.wait(Duration::from_millis(*ms)),
            Op::Delay => self.delayed = 3,
            Op::LoseSuspect => self.trouble.lose_suspect = true,
            Op::LoseEntry => self.trouble.lose_entry = true,
            Op::FailReading => self.trouble.fail_reading = true,
            Op::Race(op) => self.race = Some((**op).clone()),
            Op::LoseRing => {
                let lost = std::mem::take(&mut self.kernel.ring).len();
                self.gap(GapPlace::Ring, lost);
            }
            _ => self.happen(op),
        }
        self.delayed = self.delayed.saturating_sub(1);
        self.wait(Duration::from_millis(1));
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
                let room = !std::mem::take(&mut self.trouble.lose_entry);
                kernel.create(*state, Some(*process), *unread, room);
                if !room {
                    self.gap(GapPlace::Suspects, 1);
                }
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
    fn wait(&mut self, time: Duration) {
        let target = self.kernel.now.after(time);
        for _ in 0..2_000 {
            self.deliver();
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
            self.kernel.now = next.min(target);
        }
        panic!("woken too often in {time:?}");
    }

    fn deliver(&mut self) {
        if self.delayed == 0 {
            for (at, event) in std::mem::take(&mut self.kernel.ring) {
                self.tracker.handle_event(&Record { at, event });
                self.act();
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
                Action::Walk => self.walk(),
                Action::Prove(asked) => self.prove(asked.into_iter().map(|(cookie, _)| cookie)),
                Action::Report(leak) => self.hear(leak),
                Action::Gap(_) => self.lossy = true,
            }
        }
        assert!(self.tracker.tracked() <= self.max_tracked);
        assert_eq!(self.tracker.open(), self.open.len());
    }

    fn walk(&mut self) {
        self.feed(Event::Mark(Mark::WalkBegin));
        let (told, oldest_young) = self.kernel.walk();
        for event in told {
            if std::mem::take(&mut self.trouble.lose_suspect) {
                self.gap(GapPlace::Decode, 1);
            } else {
                self.feed(event);
            }
        }
        self.feed(Event::Mark(Mark::WalkEnd { oldest_young }));
    }

    fn prove(&mut self, asked: impl Iterator<Item = Cookie>) {
        self.feed(Event::Mark(Mark::TruthBegin));
        let cookies: Vec<_> = self.kernel.socks.keys().copied().collect();
        let mut held = BTreeSet::new();
        for (n, cookie) in cookies.iter().enumerate() {
            if n == cookies.len() / 2
                && let Some(op) = self.race.take()
            {
                self.happen(&op);
            }
            for event in self.kernel.sights(*cookie) {
                held.insert(*cookie);
                self.feed(event);
            }
        }
        for cookie in asked.filter(|cookie| !held.contains(cookie)) {
            if let Some(event) = self.kernel.answer(cookie) {
                self.feed(event);
            }
        }
        let complete = !std::mem::take(&mut self.trouble.fail_reading);
        self.lossy |= !complete;
        self.feed(Event::Mark(Mark::TruthEnd { complete }));
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
                assert!(leak.age() >= LEAK_AFTER, "too young: {leak:?}");
                // What moves while the reading is made may have been passed by.
                let sock = self.kernel.socks.get(&cookie);
                if let Some(sock) = sock.filter(|sock| sock.quiet_since < leak.at) {
                    assert!(leak.since >= sock.quiet_since, "older than it is: {leak:?}");
                    let ripe = sock.quiet_since.after(LEAK_AFTER);
                    self.worst = self.worst.max(leak.at.since(ripe));
                }
                self.open.insert(cookie, leak);
            }
            Phase::Update => {
                let before = before.expect("an update of something open");
                assert_eq!((before.since, before.episode), (leak.since, leak.episode));
                let said = |leak: &Leak| (leak.kind, leak.diagnosis, fds(leak));
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

    /// Waits until every loss has healed, and holds what is said to be open against the truth.
    fn settle(&mut self) {
        self.delayed = 0;
        self.race = None;
        self.trouble = Trouble::default();
        self.wait(REPROOF * 12 + LEAK_AFTER * 4);
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
        if self.kernel.socks.len() <= self.max_tracked {
            assert_eq!(said, truth);
        }
    }

    /// Closes everything.
    fn finish(&mut self) {
        for cookie in self.kernel.socks.keys().copied().collect::<Vec<_>>() {
            self.kernel.accept(cookie, 10);
            while self.kernel.socks.contains_key(&cookie) {
                self.kernel.close(cookie, false);
            }
        }
        self.wait(REPROOF * 3);
        assert_eq!((self.tracker.tracked(), self.tracker.open()), (0, 0));
        assert!(self.open.is_empty());
    }
}

fn fds(leak: &Leak) -> BTreeSet<Fd> {
    leak.holders
        .iter()
        .map(|holder| (holder.tgid.0, holder.fd))
        .collect()
}

fn play(max_tracked: usize, ops: &[Op]) -> World {
    let mut world = World::new(max_tracked);
    for op in ops {
        world.run(op);
    }
    world.settle();
    world.finish();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tracker_comes_back_to_the_truth(ops in prop::collection::vec(op(), 0..80)) {
        play(1_000, &ops);
    }

    #[test]
    fn a_small_table_stays_small(ops in prop::collection::vec(op(), 0..60), max in 0..6_usize) {
        play(max, &ops);
    }

    /// Without losses and without progress every leak is told of within a second.
    #[test]
    fn every_leak_is_told_of_in_time(waits in prop::collection::vec(1..3_000_u64, 1..40)) {
        let mut world = World::new(1_000);
        for wait in waits {
            world.run(&Op::Create { state: TcpState::CloseWait, process: 10, unread: 40 });
            world.run(&Op::Wait(wait));
        }
        world.settle();
        assert!(world.worst < Duration::from_secs(1), "{:?}", world.worst);
        assert!(!world.lossy);
    }
}
