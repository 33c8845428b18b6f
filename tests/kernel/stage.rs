//! What all cases share: the rung, an agent that watches everything, and one that traces it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use socktrace_tests::agent::Agent;
use socktrace_tests::child::Signal;
use socktrace_tests::json::{field, has, number, text};
use socktrace_tests::log::{Line, Watch};
use socktrace_tests::rung::{Hooks, Rung};
use socktrace_tests::workload::{Program, Workload};

use crate::expect::Leak;

/// `--leak-after` of every agent here.
pub(crate) const LEAK_AFTER: Duration = Duration::from_secs(1);

/// How many cases run at a time: they mostly wait.
pub(crate) const PARALLEL: usize = 4;

/// Every workload that a case uses.
pub(crate) const WORKLOADS: &[Program] = &[
    Program::C("acceptors"),
    Program::C("churn"),
    Program::C("client_leak"),
    Program::C("close_wait"),
    Program::C("closed_after_fin"),
    Program::C("closed_by_reset"),
    Program::C("dup_holders"),
    Program::C("fork_holders"),
    Program::C("half_closed"),
    Program::C("handover"),
    Program::C("held"),
    Program::C("io_uring"),
    Program::C("hostile_name"),
    Program::C("leader_exited"),
    Program::C("many_leaks"),
    Program::C("netns"),
    Program::C("scm_rights"),
    Program::C("script"),
    Program::C("sleeping_server"),
    Program::C("trickle"),
    Program::C("unaccepted"),
    Program::C("worker"),
    Program::Python("client_leak"),
    Program::Python("close_wait"),
    Program::Python("forking_server"),
    Program::Python("half_close_streaming"),
    Program::Python("slow_close"),
    Program::Python("worker"),
    Program::Rust("async_worker"),
    Program::Rust("client_leak"),
    Program::Rust("close_wait"),
    Program::Rust("worker"),
];

/// What the cases of one rung run on.
///
/// The agents are shared, because each costs seconds on an emulated machine, and because many
/// leaks at a time are what an agent meets in real life. A case picks out its own sockets.
#[derive(Debug)]
pub(crate) struct Stage {
    rung: Rung,
    running: OnceLock<Agent>,
    tracing: OnceLock<Agent>,
}

impl Stage {
    pub(crate) fn new(rung: Rung) -> Self {
        Self {
            rung,
            running: OnceLock::new(),
            tracing: OnceLock::new(),
        }
    }

    /// The agent that runs from the first case that needs it to the last.
    pub(crate) fn running(&self) -> &Agent {
        self.running.get_or_init(|| self.agent("run", &[]))
    }

    /// The same for `trace`.
    pub(crate) fn tracing(&self) -> &Agent {
        self.tracing.get_or_init(|| self.tracing_with(&[]))
    }

    /// A `trace` of the case's own, on this stage's rung.
    pub(crate) fn tracing_with(&self, more: &[&str]) -> Agent {
        Agent::start(&self.agent_args("trace", more))
    }

    /// An agent of the case's own, on this stage's rung, that holds no line back.
    pub(crate) fn agent(&self, command: &str, more: &[&str]) -> Agent {
        let usual = ["--leak-after", "1s", "--max-lines-per-process", "1000000"];
        Agent::start(&self.agent_args(command, &[&usual, more].concat()))
    }

    /// The arguments of a command on this stage's rung.
    pub(crate) fn agent_args<'a>(&self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        self.rung.args(command, more)
    }

    /// The rung.
    pub(crate) fn rung(&self) -> Rung {
        self.rung
    }

    /// The hooks that are really used.
    pub(crate) fn hooks(&self) -> Hooks {
        Hooks::of(self.running().started())
    }

    /// Starts a workload that leaks, under the eyes of the shared agent, and waits for its word.
    #[track_caller]
    pub(crate) fn leak(&self, program: Program, args: &[&str]) -> Leak {
        let watch = self.running().watch();
        Leak::of(self.hooks(), watch, Workload::start(program, args))
    }

    /// Starts a leak and waits until the reader of the shared agent's lines has come to it, having
    /// seen none that is unwanted: whatever is older than this leak has had its time.
    #[track_caller]
    pub(crate) fn never_before_next_leak(
        &self,
        what: &str,
        watch: &mut Watch,
        unwanted: impl Fn(&serde_json::Value) -> bool,
    ) {
        let sentinel = self.leak(Program::C("close_wait"), &[]);
        watch.never_until(what, crate::expect::FOUND, unwanted, |line| {
            sentinel.is_open(line)
        });
    }

    /// Stops the shared agents and looks at the whole of what they wrote. Returns how many of
    /// these checks passed and failed.
    pub(crate) fn curtain(&self) -> (u64, u64) {
        let mut results = Vec::new();
        for (name, agent) in [("run", self.running.get()), ("trace", self.tracing.get())] {
            let Some(agent) = agent else { continue };
            let check = || {
                let lines = agent.stop(Signal::Term);
                let missed = lines.last().map_or(0, |line| missed(&line.value));
                println!("curtain::{name}: programs did not run {missed} times");
                check_stream(&lines);
                check_findings(&lines);
            };
            let passed = catch_unwind(AssertUnwindSafe(check)).is_ok();
            println!(
                "test curtain::{name} ... {}",
                if passed { "ok" } else { "FAILED" }
            );
            results.push(passed);
        }
        let passed = results.iter().filter(|passed| **passed).count() as u64;
        (passed, results.len() as u64 - passed)
    }
}

/// Every stream is complete: its sequence has no gap, no line is there twice, nothing was lost.
fn check_stream(lines: &[Arc<Line>]) {
    let mut ids = BTreeSet::new();
    let first = lines
        .first()
        .map_or(0, |line| number(&line.value, "event.sequence"));
    for (line, expected) in lines.iter().zip(first..) {
        assert_eq!(
            number(&line.value, "event.sequence"),
            expected,
            "a gap at {}",
            line.raw
        );
        assert!(
            ids.insert(text(&line.value, "event.id").to_owned()),
            "twice: {}",
            line.raw
        );
        assert!(
            lost(&line.value).is_empty(),
            "records were lost: {}",
            line.raw
        );
    }
    let last = lines.last().expect("a line");
    assert_eq!(
        text(&last.value, "socktrace.status.reason"),
        "stopped",
        "{}",
        last.raw
    );
}

/// Where a status says that something was lost. A program that the kernel did not run, because it was running
/// on that CPU already, is none of the agent's making: how often that happens depends on the machine.
pub(crate) fn lost(line: &serde_json::Value) -> Vec<&str> {
    let lost = field(line, "socktrace.status.lost").as_object();
    let lost = lost.into_iter().flatten();
    lost.filter(|(place, n)| *place != "missed" && n.as_u64() != Some(0))
        .map(|(place, _)| place.as_str())
        .collect()
}

/// How often the kernel did not run a program because it was running on that CPU already, by this status.
fn missed(line: &serde_json::Value) -> u64 {
    let lost = field(line, "socktrace.status.lost");
    lost["missed"].as_u64().unwrap_or(0)
}

/// Every finding was opened once, resolved at most once, and said nothing before or after.
fn check_findings(lines: &[Arc<Line>]) {
    let mut open: BTreeMap<String, bool> = BTreeMap::new();
    for line in lines
        .iter()
        .filter(|line| has(&line.value, "socktrace.leak.id"))
    {
        let id = text(&line.value, "socktrace.leak.id").to_owned();
        let is_open = match text(&line.value, "socktrace.leak.phase") {
            "open" => {
                assert!(!open.contains_key(&id), "opened twice: {}", line.raw);
                true
            }
            phase => {
                assert_eq!(
                    open.get(&id),
                    Some(&true),
                    "{phase} of none open: {}",
                    line.raw
                );
                phase != "resolved"
            }
        };
        open.insert(id, is_open);
    }
}
