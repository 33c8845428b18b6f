//! A leak outlives the agent: the next one finds it again, under the same name.

use socktrace_tests::agent::Agent;
use socktrace_tests::child::Signal;
use socktrace_tests::json::text;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::FOUND;
use crate::lines::mentions;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("restarts::after_sigterm", |stage| {
        restart(stage, |agent| {
            agent.stop(Signal::Term);
        });
    }),
    ("restarts::after_sigkill", |stage| {
        restart(stage, Agent::kill);
    }),
];

/// A workload for every kind of leak.
const KINDS: [(&str, &[&str], &str); 4] = [
    ("close_wait", &[], "close_wait"),
    ("closed_by_reset", &[], "closed_held"),
    ("unaccepted", &["1"], "unaccepted"),
    ("half_closed", &[], "half_closed"),
];

/// Some leak before the first agent, some under its eyes; it ends, another one starts, and a third.
fn restart(stage: &Stage, end: fn(&Agent)) {
    let mut workloads = start();
    let first = stage.agent("run", &[]);
    workloads.extend(start());
    let ids = ids(&first, &workloads);
    end(&first);
    for _ in 0..2 {
        let next = stage.agent("run", &[]);
        assert_eq!(self::ids(&next, &workloads), ids);
        end(&next);
    }
}

/// Workloads that have leaked, with their kind.
pub(crate) fn start() -> Vec<(Workload, &'static str)> {
    let mut workloads: Vec<_> = KINDS
        .iter()
        .map(|(name, args, kind)| (Workload::start(Program::C(name), args), *kind))
        .collect();
    for (workload, _) in &mut workloads {
        workload.step("leaked");
    }
    workloads
}

/// The names under which an agent tells of each.
#[track_caller]
pub(crate) fn ids(agent: &Agent, workloads: &[(Workload, &str)]) -> Vec<String> {
    let id = |(workload, kind): &(Workload, &str)| {
        let line = agent.watch_from_start().expect(kind, FOUND, |line| {
            mentions(line, u64::from(workload.pid()))
                && text(line, "socktrace.leak.phase") == "open"
                && text(line, "socktrace.leak.kind") == *kind
        });
        text(&line.value, "socktrace.leak.id").to_owned()
    };
    workloads.iter().map(id).collect()
}
