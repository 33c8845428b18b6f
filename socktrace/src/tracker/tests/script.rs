//! A small language for what the kernel tells and what the tracker is expected to say.
//!
//! A script is a list of steps separated by `;`: a time in seconds, a verb, and sockets. `walk c1@0`
//! is a walk that tells of socket 1, a suspect since 0; `truth c1:10/3 c2:- c3:?` a complete reading in
//! which process 10 holds socket 1 as descriptor 3, nobody holds socket 2, and socket 3 is in the
//! kernel's table only. `L:20/4` is a listener's descriptor. Attributes follow a comma:
//! `c1:10/3,close,rx=5`.
//!
//! The expectation is a list of reports, separated by `;`. All reports must be there, in this order;
//! each begins with its phase, and the other words given must be among `phase cN kind holders at= since= ep= diagnosis via= by= …`.

use std::time::Duration;

use crate::model::{BootTime, Cause, Event, Gap, GapPlace, Leak, Mark, Phase, Record};
use crate::tracker::{Action, Tracker, TrackerConfig};

use super::records::{Spec, secs};

/// Scripts begin at this time after boot.
pub(super) const EPOCH: u64 = 1_000_000_000_000;

/// The settings of scripts: seconds that are easy to add.
pub(super) const CONFIG: TrackerConfig = TrackerConfig {
    leak_after: Duration::from_secs(10),
    reproof_every: Duration::from_secs(30),
    max_tracked: 100,
};

/// A tracker, and an agent that does what the script says.
pub(super) struct Script {
    pub(super) tracker: Tracker,
    /// What the tracker wanted, but reports: `walk`, `prove c1 c2!`, `lost 3`.
    pub(super) wishes: Vec<String>,
    pub(super) reports: Vec<String>,
    walking: bool,
    proving: bool,
}

/// Runs a script after an uneventful start and compares the reports.
#[track_caller]
pub(super) fn check(script: &str, expected: &str) {
    let mut run = Script::started(CONFIG);
    run.run(script);
    run.expect(expected);
}

/// Runs a script from the very beginning and compares the reports.
#[track_caller]
pub(super) fn check_cold(script: &str, expected: &str) {
    let mut run = Script::cold(CONFIG);
    run.run(script);
    run.expect(expected);
}

impl Script {
    pub(super) fn cold(config: TrackerConfig) -> Self {
        Self {
            tracker: Tracker::new(config),
            wishes: Vec::new(),
            reports: Vec::new(),
            walking: false,
            proving: false,
        }
    }

    pub(super) fn started(config: TrackerConfig) -> Self {
        let mut run = Self::cold(config);
        run.run("0 tick; 0 truth; 0 walk");
        run.wishes.clear();
        run
    }

    #[track_caller]
    pub(super) fn run(&mut self, script: &str) {
        for step in script
            .split(';')
            .map(str::trim)
            .filter(|step| !step.is_empty())
        {
            self.step(step);
        }
    }

    #[track_caller]
    pub(super) fn expect(&self, expected: &str) {
        let expected: Vec<_> = expected
            .split(';')
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let same = |(line, said): (&&str, &String)| {
            let said: Vec<_> = said.split_whitespace().collect();
            line.split_whitespace().next() == said.first().copied()
                && line.split_whitespace().all(|word| said.contains(&word))
        };
        assert!(
            expected.len() == self.reports.len() && expected.iter().zip(&self.reports).all(same),
            "expected {expected:#?}, got {:#?}",
            self.reports
        );
    }

    #[track_caller]
    fn step(&mut self, step: &str) {
        let mut words = step.split_whitespace();
        let at = words.next().expect("a time");
        let at = BootTime(EPOCH + secs(at));
        let verb = words.next().expect("a verb");
        let specs: Vec<Spec> = words.map(Spec::parse).collect();
        match verb {
            "tick" => self.feed(at, Event::Mark(Mark::Tick)),
            "walk" => self.walk(at, &specs),
            "truth" => {
                self.begin(at);
                self.see(at, &specs);
                self.end(at, true);
            }
            "fail" => {
                self.begin(at);
                self.see(at, &specs);
                self.end(at, false);
            }
            "begin" => self.begin(at),
            "see" => self.see(at, &specs),
            "end" => self.end(at, true),
            "told" => specs
                .iter()
                .for_each(|spec| self.feed(at, spec.suspect(false))),
            "release" => specs
                .iter()
                .for_each(|spec| self.feed(at, spec.release(false))),
            "exit" => specs
                .iter()
                .for_each(|spec| self.feed(at, spec.release(true))),
            "change" => specs.iter().for_each(|spec| self.feed(at, spec.change())),
            "accept" => specs.iter().for_each(|spec| self.feed(at, spec.accepted())),
            "ring" => self.gap(at, GapPlace::Ring),
            "decode" => self.gap(at, GapPlace::Decode),
            "suspects" => self.gap(at, GapPlace::Suspects),
            "owners" => self.gap(at, GapPlace::Owners),
            "tracker" => self.gap(at, GapPlace::Tracker),
            "missed" => self.gap(at, GapPlace::Missed),
            "queues" => self.gap(at, GapPlace::Queues),
            _ => panic!("no such verb: {verb}"),
        }
    }

    fn walk(&mut self, at: BootTime, specs: &[Spec]) {
        self.feed(at, Event::Mark(Mark::WalkBegin));
        for spec in specs {
            self.feed(at, spec.suspect(false));
        }
        // A walk asked for by the records of this one is not this one.
        self.walking = false;
        self.feed(at, Event::Mark(Mark::WalkEnd { oldest_young: None }));
    }

    /// Begins a reading. If the tracker does not want one by itself, a loss makes it want one.
    #[track_caller]
    fn begin(&mut self, at: BootTime) {
        self.feed(at, Event::Mark(Mark::Tick));
        for _ in 0..4 {
            if self.proving {
                self.feed(at, Event::Mark(Mark::TruthBegin));
                return;
            }
            if self.walking {
                self.walk(at, &[]);
            } else {
                self.gap(at, GapPlace::Ring);
            }
        }
        panic!("no reading to be had at {at:?}");
    }

    fn see(&mut self, at: BootTime, specs: &[Spec]) {
        for spec in specs {
            self.feed(at, spec.sight());
        }
    }

    fn end(&mut self, at: BootTime, complete: bool) {
        self.proving = false;
        self.feed(at, Event::Mark(Mark::TruthEnd { complete }));
    }

    fn gap(&mut self, at: BootTime, place: GapPlace) {
        self.feed(at, Event::Gap(Gap { place, lost: 1 }));
    }

    #[expect(
        clippy::large_types_passed_by_value,
        reason = "so that a step is one short line"
    )]
    fn feed(&mut self, at: BootTime, event: Event) {
        self.tracker.handle_event(&Record { at, event });
        while let Some(action) = self.tracker.poll_action() {
            match action {
                Action::Walk => {
                    self.walking = true;
                    self.wishes.push("walk".to_owned());
                }
                Action::Prove(asked) => {
                    self.proving = true;
                    let names = asked.iter().map(|question| {
                        let mark = if question.always { "!" } else { "" };
                        format!(" c{}{mark}", question.cookie.0)
                    });
                    self.wishes
                        .push(names.fold("prove".to_owned(), |line, name| line + &name));
                }
                Action::Gap(gap) => {
                    self.wishes
                        .push(format!("lost {} {}", gap.place.name(), gap.lost));
                }
                Action::Report(leak) => self.reports.push(said(&leak)),
            }
        }
    }
}

/// A report in words.
pub(super) fn said(leak: &Leak) -> String {
    let phase = match leak.phase {
        Phase::Open => "open",
        Phase::Update => "update",
        Phase::Resolved(cause) => cause.name(),
    };
    let holders: Vec<_> = leak
        .holders
        .iter()
        .map(|holder| format!("{}/{}", holder.tgid.0, holder.fd))
        .collect();
    let holders = if holders.is_empty() {
        "-".to_owned()
    } else {
        holders.join(",")
    };
    let mut words = vec![
        phase.to_owned(),
        format!("c{}", leak.socket.cookie.0),
        leak.kind.name().to_owned(),
        holders,
        format!("at={}", when(leak.at)),
        format!("since={}", when(leak.since)),
        if leak.since_seen { "seen" } else { "found" }.to_owned(),
        format!("ep={}", leak.episode),
        leak.diagnosis
            .map_or("undiagnosed", |diagnosis| diagnosis.name())
            .to_owned(),
        leak.socket.state.name().to_owned(),
        format!("{:?}", leak.role).to_lowercase(),
    ];
    if let Some(inode) = leak.socket.inode {
        words.push(format!("ino={inode}"));
    }
    if let Some(blame) = leak.blame {
        let tid = blame.tid.map_or("?".to_owned(), |tid| tid.0.to_string());
        words.push(format!("via={}", blame.via.name()));
        words.push(format!("blame={}/{tid}", blame.tgid.0));
    }
    if let Phase::Resolved(Cause::Closed(by) | Cause::Exited(by)) = leak.phase {
        let by = by.map_or("?".to_owned(), |task| {
            format!("{}/{}", task.tgid.0, task.tid.0)
        });
        words.push(format!("by={by}"));
    }
    words.join(" ")
}

fn when(at: BootTime) -> String {
    let millis = i128::from(at.0 / 1_000_000) - i128::from(EPOCH / 1_000_000);
    if millis % 1000 == 0 {
        format!("{}", millis / 1000)
    } else {
        let text = format!("{}.{:03}", millis / 1000, millis.abs() % 1000);
        text.trim_end_matches('0').to_owned()
    }
}
