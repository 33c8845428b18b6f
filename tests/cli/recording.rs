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
