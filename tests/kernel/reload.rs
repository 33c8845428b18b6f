//! Another configuration while the agent runs.

use std::fs;
use std::path::Path;

use serde_json::Value;
use socktrace_tests::agent::Agent;
use socktrace_tests::child::Signal;
use socktrace_tests::json::{number, text};
use socktrace_tests::wait::{SOON, until};
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::FOUND;
use crate::lines::mentions;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("reload::takes_over_filters_and_outputs", takes_over),
    ("reload::keeps_the_old_on_an_error", keeps_the_old),
];

const STDOUT: &str = "[[output]]\npath = \"-\"\n";

/// What is a flag cannot be changed by the configuration.
fn start(stage: &Stage, config: &Path) -> Agent {
    let config = config.to_str().expect("UTF-8");
    Agent::start(&stage.agent_args("run", &["--leak-after", "1s", "--config", config]))
}

/// Has the agent read its configuration, and waits until it says how that went.
#[track_caller]
fn reload(agent: &Agent, reason: &str) {
    let mut watch = agent.watch();
    agent.signal(Signal::Hup);
    watch.expect(reason, SOON, |line| {
        text(line, "event.action") == "socktrace.status"
            && text(line, "socktrace.status.reason") == reason
    });
}

fn leaked(program: &'static str) -> Workload {
    let mut workload = Workload::start(Program::C(program), &[]);
    workload.step("leaked");
    workload
}

/// Waits for the leak of a workload.
#[track_caller]
fn expect_leak(agent: &Agent, workload: &Workload) {
    agent.watch_from_start().expect("leak", FOUND, |line| {
        text(line, "event.action") == "socket.leak" && mentions(line, u64::from(workload.pid()))
    });
}

/// The lines of a file.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let parse = |line| serde_json::from_str(line).expect("a line of JSON");
    whole.lines().map(parse).collect()
}

/// An output that is there before and after misses nothing, a new one begins, an old one ends; a filter counts
/// from then on.
fn takes_over(stage: &Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let [config, old, new] =
        ["socktrace.toml", "old.json", "new.json"].map(|n| folder.path().join(n));
    let file = |path: &Path| {
        format!(
            "[[output]]\npath = \"{}\"\nactions = \"socket.leak\"\n",
            path.display()
        )
    };
    // Nothing here is half closed.
    let before = format!("[filter]\nkind = \"half_closed\"\n{STDOUT}{}", file(&old));
    fs::write(&config, before).expect("written");
    let agent = start(stage, &config);
    let unwanted = leaked("close_wait");
    let after = format!("[filter]\nkind = \"closed_held\"\n{STDOUT}{}", file(&new));
    fs::write(&config, after).expect("written");
    reload(&agent, "reloaded");
    let wanted = leaked("closed_by_reset");
    expect_leak(&agent, &wanted);
    let of_wanted = || -> Vec<Value> {
        let mut all = lines(&new);
        all.retain(|line| mentions(line, u64::from(wanted.pid())));
        all
    };
    assert!(until(SOON, || !of_wanted().is_empty()));
    let all = agent.stop(Signal::Term);
    for (number_expected, line) in (0..).zip(&all) {
        assert_eq!(
            number(&line.value, "event.sequence"),
            number_expected,
            "{}",
            line.raw
        );
    }
    let told: Vec<_> = all
        .iter()
        .filter(|line| mentions(&line.value, u64::from(unwanted.pid())))
        .filter(|line| text(&line.value, "event.action") == "socket.leak")
        .map(|line| &line.raw)
        .collect();
    assert!(told.is_empty(), "{told:?}");
    let of_unwanted = |line: &Value| mentions(line, u64::from(unwanted.pid()));
    assert!(!lines(&old).iter().chain(&lines(&new)).any(of_unwanted));
    // What it says is what the old one said, to somebody else: the numbers go on.
    let numbers: Vec<u64> = lines(&new)
        .iter()
        .map(|line| number(line, "event.sequence"))
        .collect();
    let follows = |pair: &[u64]| pair[1] == pair[0] + 1;
    assert!(numbers.windows(2).all(follows), "{numbers:?}");
    // The same event has the same name in both.
    let told = of_wanted();
    let id = text(&told[0], "event.id");
    assert!(
        all.iter().any(|line| text(&line.value, "event.id") == id),
        "{id}"
    );
}

/// A mistake changes nothing; it is told in a line, and in a status.
fn keeps_the_old(stage: &Stage) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("socktrace.toml");
    fs::write(&config, STDOUT).expect("written");
    let agent = start(stage, &config);
    let missing = folder.path().join("none/out.json");
    for (text, hint) in [
        (
            "leek-after = \"1s\"\n".to_owned(),
            ":1: there is no key leek-after",
        ),
        (
            format!("[[output]]\npath = \"{}\"\n", missing.display()),
            "none/out.json: No such file",
        ),
    ] {
        fs::write(&config, text).expect("written");
        let before = agent.stderr();
        reload(&agent, "reload_failed");
        let grown = || agent.stderr().len() > before.len() && agent.stderr().ends_with('\n');
        assert!(until(SOON, grown));
        let told = agent.stderr();
        let told = told.strip_prefix(&before).expect("it grows");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(
            told.contains("stays as it was") && told.contains(hint),
            "{told}"
        );
    }
    let workload = leaked("close_wait");
    expect_leak(&agent, &workload);
    // What cannot change is said and kept.
    fs::write(&config, format!("max-sockets = 7\n{STDOUT}")).expect("written");
    reload(&agent, "reloaded");
    let kept = "max-sockets cannot change without a restart";
    assert!(until(SOON, || agent.stderr().contains(kept)));
    agent.kill();
}
