//! What was recorded and is read back gives the same findings: the two differ in nothing but where the
//! bytes come from.

use std::fs;

use serde_json::Value;
use socktrace_tests::agent::ATTACH;
use socktrace_tests::child::{Outcome, Signal};
use socktrace_tests::json::{field, has, text};
use socktrace_tests::program::socktrace;
use socktrace_tests::rung::Hooks;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::Leak;
use crate::lines::holders_in;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[("replay::gives_the_same_findings", same_findings)];

/// What makes a finding what it is.
type Essence = (Vec<String>, Vec<(u64, u64)>, u64);

/// One leak is closed, one dies, one goes on; then the file is read back, whole and cut short.
fn same_findings(stage: &Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("leaks.strec");
    let file = file.to_str().expect("a name");
    let agent = stage.agent("run", &["--record", file]);
    let hooks = Hooks::of(agent.started());
    let mut leaks: Vec<Leak> = ["close_wait", "closed_by_reset", "client_leak"]
        .map(|name| (agent.watch(), Workload::start(Program::C(name), &[])))
        .into_iter()
        .map(|(watch, workload)| Leak::of(hooks.clone(), watch, workload))
        .collect();
    for leak in &mut leaks {
        leak.is_opened();
    }
    leaks[0].resolves_when_told_to_close();
    leaks[1].workload.kill();
    leaks[1].resolves("exited");
    let live: Vec<Essence> = agent
        .stop(Signal::Term)
        .iter()
        .filter(|line| has(&line.value, "socktrace.leak"))
        .map(|line| essence(&line.value))
        .collect();
    assert!(live.len() >= 5, "three opened, two resolved: {live:?}");

    let replayed = replay(file);
    replayed.check_code(0);
    assert_eq!(replayed.stderr, "");
    assert_eq!(findings(&replayed), live);

    let whole = fs::read(file).expect("the recording");
    let cut = whole.len() - 5;
    fs::write(file, &whole[..cut]).expect("a shorter recording");
    let replayed = replay(file);
    replayed.check_code(1);
    let error = replayed.one_error_line();
    assert!(
        error.contains(file) && error.contains("offset"),
        "which file, and where: {error}"
    );
    let before = findings(&replayed);
    assert!(!before.is_empty(), "what came before the cut is told");
    assert_eq!(before, live[..before.len()]);
}

#[track_caller]
fn replay(file: &str) -> Outcome {
    Outcome::of(
        &mut socktrace(&["replay", file, "--format", "json"]),
        ATTACH,
    )
}

#[track_caller]
fn findings(outcome: &Outcome) -> Vec<Essence> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|err| panic!("{err} in {line}"));
    let lines = outcome.stdout.lines().map(parse);
    lines
        .filter(|line: &Value| has(line, "socktrace.leak"))
        .map(|line| essence(&line))
        .collect()
}

fn essence(line: &Value) -> Essence {
    const SAME: [&str; 9] = [
        "@timestamp",
        "event.start",
        "socktrace.leak.id",
        "socktrace.leak.kind",
        "socktrace.leak.phase",
        "socktrace.leak.diagnosis",
        "socktrace.leak.cause",
        "socktrace.leak.owner_via",
        "socktrace.socket.state",
    ];
    let words = SAME.map(|path| text(line, path).to_owned()).into();
    let cookie = field(line, "socktrace.socket.cookie")
        .as_u64()
        .unwrap_or_default();
    (words, holders_in(line).into_iter().collect(), cookie)
}
