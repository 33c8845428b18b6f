//! Recordings that are cut short, are something else, or are not there.

use std::fs;
use std::path::Path;

use socktrace_tests::child::Outcome;

use crate::{check_failure, check_refused, run, stored};

const RECORDING: &str = "close_wait.strec";

#[test]
fn no_recording_at_all() {
    for (file, reason) in [
        ("/no/such/recording", "No such file or directory"),
        ("/", "Is a directory"),
    ] {
        check_failure(&["replay", file], 1, &[file, reason]);
    }
}

#[test]
fn something_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("foreign");
    for foreign in [
        &b""[..],
        b"\n",
        b"#!/bin/sh\nexit 0\n",
        &[0; 4096],
        b"SOCKTRACE",
    ] {
        fs::write(&file, foreign).expect("a file");
        check_refused(&replay(&file), 1, &[name(&file), "offset"]);
    }
}

#[test]
fn what_comes_before_a_cut_is_told() {
    let whole = fs::read(stored(RECORDING)).expect("the recording");
    let all = replay(&stored(RECORDING));
    all.check_code(0);
    assert!(all.stdout.lines().count() > 0, "{all:#?}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cut.strec");
    for missing in [1, 7, 40] {
        fs::write(&file, &whole[..whole.len() - missing]).expect("a file");
        let cut = replay(&file);
        cut.check_code(1);
        let error = cut.one_error_line();
        assert!(
            error.contains("offset") && error.contains(name(&file)),
            "{error}"
        );
        assert!(
            all.stdout.starts_with(&cut.stdout),
            "what is told differs: {cut:#?}"
        );
    }
}

/// What did not fit into a table of the agent's own counts where it happens: in the replay, by the
/// replay's table, not once more as recorded.
#[test]
fn losses_of_the_agents_own_table_are_those_of_the_replay() {
    let lost = |recording, more: &[&str]| {
        let file = stored(recording);
        let outcome = run(&[&["replay", name(&file), "--format", "json"], more].concat());
        outcome.check_code(0);
        let lines = outcome.stdout.lines();
        lines
            .filter_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let lost = &line["socktrace"]["status"]["lost"];
                lost.is_object().then(|| lost.clone())
            })
            .next_back()
    };
    let recorded = serde_json::json!({"decode": 3, "owners": 2, "ring": 12, "suspects": 1});
    assert_eq!(lost("losses.strec", &[]), Some(recorded));
    assert_eq!(lost("unaccepted.strec", &[]), None);
    let own = serde_json::json!({"tracker": 1});
    assert_eq!(lost("unaccepted.strec", &["--max-sockets", "1"]), Some(own));
}

/// A strange record in the middle: the offset points at it.
#[test]
fn a_record_that_is_none() {
    let mut bytes = fs::read(stored(RECORDING)).expect("the recording");
    let end = bytes.len();
    bytes.extend([0xff; 64]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("strange.strec");
    fs::write(&file, &bytes).expect("a file");
    let outcome = replay(&file);
    outcome.check_code(1);
    let error = outcome.one_error_line();
    assert!(
        error.contains(&end.to_string()),
        "the offset {end} in {error}"
    );
    assert!(!outcome.stdout.is_empty(), "{outcome:#?}");
}

#[track_caller]
fn replay(file: &Path) -> Outcome {
    run(&["replay", name(file), "--format", "json"])
}

fn name(file: &Path) -> &str {
    file.to_str().expect("a name")
}
