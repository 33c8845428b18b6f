//! Configuration files: what counts, and status 78 with a line for each mistake.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use socktrace_tests::program::socktrace;

use crate::{check_refused, outcome, run, stored};

/// `socktrace check-config --config FILE` of a file with this text.
fn check(text: &str) -> socktrace_tests::child::Outcome {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("socktrace.toml");
    fs::write(&file, text).unwrap();
    run(&["check-config", "--config", file.to_str().unwrap()])
}

#[test]
fn what_counts_is_printed_with_who_says_so() {
    let shown =
        check("leak-after = \"5s\"\n\n[[output]]\nurl = \"syslog://\"\nkinds = [\"close_wait\"]\n");
    shown.check_code(0);
    assert_eq!(shown.stderr, "");
    let line = |begin: &str| {
        let found = shown.stdout.lines().find(|line| line.starts_with(begin));
        found.unwrap_or_else(|| panic!("no {begin:?} in {}", shown.stdout))
    };
    assert!(line("leak-after = \"5s\"").ends_with("socktrace.toml:1"));
    assert!(line("url = \"syslog://?kinds=close_wait\"").ends_with("socktrace.toml:3"));
    assert!(line("max-lines-per-process = ").ends_with("default"));
    // What is printed says the same again.
    check(&shown.stdout).check_code(0);
}

#[test]
fn each_mistake_is_a_line_and_the_status_is_that_of_a_bad_configuration() {
    let refused = check("leek-after = \"5s\"\n[filter]\nport = 70000\n");
    refused.check_code(78);
    assert_eq!(refused.stdout, "");
    let lines: Vec<_> = refused.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("socktrace.toml:1: ") && lines[0].contains("did you mean leak-after?")
    );
    assert!(lines[1].contains("socktrace.toml:3: ") && lines[1].contains("70000"));
}

#[test]
fn every_command_with_a_configuration_refuses_a_bad_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    fs::write(&file, "x = 1").unwrap();
    let file = file.to_str().unwrap();
    for command in ["run", "trace", "scan", "check-config"] {
        check_refused(
            &run(&[command, "--config", file]),
            78,
            &["bad.toml:1", "no key x"],
        );
        check_refused(
            &run(&[command, "--config", "/none.toml"]),
            78,
            &["/none.toml", "No such file"],
        );
        let mut with_variable = socktrace(&[command]);
        with_variable.env("SOCKTRACE_CONFIG", file);
        check_refused(&outcome(&mut with_variable), 78, &["bad.toml:1"]);
        check_refused(
            &run(&[command, "--config", file, "--no-config"]),
            2,
            &["--no-config"],
        );
    }
}

#[test]
fn variables_may_be_any_bytes() {
    let strange = std::ffi::OsStr::from_bytes(b"/tmp/\xff.json");
    let mut command = socktrace(&["check-config", "--no-config"]);
    command.env("SOCKTRACE_OUTPUT", strange);
    let shown = outcome(&mut command);
    shown.check_code(0);
    assert!(
        shown.stdout.contains("# SOCKTRACE_OUTPUT"),
        "{}",
        shown.stdout
    );
    let mut command = socktrace(&["check-config", "--no-config"]);
    command.env("SOCKTRACE_LEAK_AFTER", strange);
    check_refused(&outcome(&mut command), 78, &["SOCKTRACE_LEAK_AFTER"]);
}

/// Each output has the events that it wants, numbered by themselves; the same event has one name.
#[test]
fn outputs_have_their_own_events_and_formats() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [all, some, cef] = ["all.json", "some.json", "events.cef"].map(path);
    let options = format!("file://{some}?actions=process.leak&min-severity=warning");
    let recording = stored("close_wait.strec");
    let played = run(&[
        "replay",
        recording.to_str().unwrap(),
        "--output",
        &all,
        "--output",
        &options,
        "--output",
        &format!("file://{cef}?format=cef"),
    ]);
    played.check_code(0);
    let values = |path: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(Path::new(path)).unwrap();
        let parse = |line| serde_json::from_str(line).unwrap();
        text.lines().map(parse).collect()
    };
    let wanted: Vec<_> = values(&all)
        .into_iter()
        .filter(|value| {
            let incident = &value["socktrace"]["incident"];
            value["event"]["action"] == "process.leak" && incident["phase"] != "resolved"
        })
        .collect();
    let got = values(&some);
    assert!(!wanted.is_empty());
    assert_eq!(got.len(), wanted.len());
    for (n, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
        assert_eq!(got["event"]["sequence"], n);
        assert_eq!(got["event"]["id"], wanted["event"]["id"]);
    }
    let lines = fs::read_to_string(&cef).unwrap();
    assert_eq!(lines.lines().count(), values(&all).len());
    assert!(lines.lines().all(|line| line.starts_with("CEF:0|")));
}
