//! Where lines go, and what happens when they cannot.

use std::fs;

use socktrace_tests::child::Running;
use socktrace_tests::program::socktrace;

use crate::{AT_ONCE, check_failure, run, stored};

const RECORDING: &str = "close_wait.strec";

#[test]
fn a_file_that_cannot_be_opened() {
    let recording = stored(RECORDING);
    let recording = recording.to_str().expect("a name");
    for (file, reason) in [
        ("/no/such/folder/events.json", "No such file or directory"),
        ("/", "Is a directory"),
        ("/proc/version/events", "Not a directory"),
    ] {
        check_failure(&["replay", recording, "--output", file], 1, &[file, reason]);
    }
}

#[test]
fn a_file_gets_what_stdout_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.json");
    let recording = stored(RECORDING);
    let args = [
        "replay",
        recording.to_str().expect("a name"),
        "--format",
        "json",
    ];
    let to_stdout = run(&args);
    to_stdout.check_code(0);
    assert_ne!(to_stdout.stdout, "");
    let to_file = run(&[&args[..], &["--output", file.to_str().expect("a name")]].concat());
    to_file.check_code(0);
    assert_eq!(to_file.stdout, "");
    assert_eq!(
        fs::read_to_string(&file).expect("the file"),
        to_stdout.stdout
    );
}

#[test]
fn a_reader_that_has_gone_is_a_quiet_end() {
    let recording = stored(RECORDING);
    let args = [
        "replay",
        recording.to_str().expect("a name"),
        "--format",
        "json",
    ];
    let mut child = Running::spawn(&mut socktrace(&args)).expect("socktrace");
    // Dropped before the first line in most runs, and in all before the end is awaited.
    drop(child.take_stdout());
    let status = child.wait(AT_ONCE).expect("it ends");
    assert_eq!((status.code(), child.stderr().as_str()), (Some(0), ""));
}

#[test]
fn colour_is_for_terminals_and_for_those_who_insist() {
    let recording = stored(RECORDING);
    let args = [
        "replay",
        recording.to_str().expect("a name"),
        "--format",
        "text",
    ];
    for (more, coloured) in [
        (&[][..], false),
        (&["--color", "never"], false),
        (&["--color", "always"], true),
    ] {
        let outcome = run(&[&args[..], more].concat());
        outcome.check_code(0);
        assert_eq!(
            outcome.stdout.contains('\x1b'),
            coloured,
            "{more:?}: {outcome:#?}"
        );
    }
}

#[test]
fn a_pipe_gets_json_by_default() {
    let recording = stored(RECORDING);
    let outcome = run(&["replay", recording.to_str().expect("a name")]);
    outcome.check_code(0);
    for line in outcome.stdout.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
}
