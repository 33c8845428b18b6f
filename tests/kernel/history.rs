//! The evidence outlives the agent, however that ends.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::agent::Agent;
use socktrace_tests::child::Outcome;
use socktrace_tests::json::text;
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::until;

use crate::Case;
use crate::expect::FOUND;
use crate::restarts;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[("history::outlives_sigkill", outlives_sigkill)];

/// How long `history` may take.
const ANSWER: Duration = Duration::from_secs(10);

/// Leaks are kept while the agent watches; it is killed and they are still told; the next one goes on with
/// them, and tells of their ends.
fn outlives_sigkill(stage: &Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("history.db");
    let file = file.to_str().expect("a name");
    let agent = stage.agent("run", &["--history", file]);
    let workloads = restarts::start();
    let ids = restarts::ids(&agent, &workloads);
    await_phase(file, &ids, "open");
    agent.kill();
    let killed = ask(file);
    check_phase(&killed, &ids, "open");

    let agent: Agent = stage.agent("run", &["--history", file]);
    assert_eq!(restarts::ids(&agent, &workloads), ids);
    for (workload, _) in workloads {
        drop(workload);
    }
    await_phase(file, &ids, "resolved");
    agent.kill();
    let ended = ask(file);
    check_phase(&ended, &ids, "resolved");
    for id in &ids {
        let told =
            |lines: &BTreeMap<String, Value>| lines[id]["socktrace"]["history"]["first"].clone();
        assert_eq!(told(&killed), told(&ended), "{id} was told anew");
    }
}

/// Waits until each finding has come to a phase.
#[track_caller]
fn await_phase(file: &str, ids: &[String], phase: &str) {
    let all = || {
        let lines = ask(file);
        let is = |id: &String| {
            let line = lines.get(id);
            line.is_some_and(|line| text(line, "socktrace.leak.phase") == phase)
        };
        ids.iter().all(is)
    };
    assert!(until(FOUND, all), "not all are {phase}: {:#?}", ask(file));
}

#[track_caller]
fn check_phase(lines: &BTreeMap<String, Value>, ids: &[String], phase: &str) {
    for id in ids {
        let line = lines.get(id);
        let line = line.unwrap_or_else(|| panic!("{id} is not among {lines:#?}"));
        assert_eq!(text(line, "socktrace.leak.phase"), phase, "{line}");
    }
}

/// What `history` says now of each finding.
#[track_caller]
fn ask(file: &str) -> BTreeMap<String, Value> {
    let args = ["history", "--history", file, "--format", "json"];
    let outcome = Outcome::of(&mut socktrace(&args), ANSWER);
    outcome.check_code(0);
    let lines = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let findings = lines.filter(|line| line["socktrace"]["leak"].is_object());
    findings
        .map(|line| (text(&line, "socktrace.leak.id").to_owned(), line))
        .collect()
}
