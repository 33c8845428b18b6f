//! Black-box tests of the command line: what needs neither root nor a kernel that takes programs.

mod config;
mod history;
mod output;
mod privilege;
mod recording;
mod schema;
mod usage;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use socktrace_tests::child::Outcome;
use socktrace_tests::program::socktrace;

/// How long a command may take that has nothing to wait for.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Runs socktrace to its end.
#[track_caller]
fn run(args: &[&str]) -> Outcome {
    outcome(&mut socktrace(args))
}

/// Runs a command to its end.
#[track_caller]
fn outcome(command: &mut Command) -> Outcome {
    Outcome::of(command, AT_ONCE)
}

/// Asserts that a command fails with a status, nothing on stdout and one line on stderr that has
/// some words in it.
#[track_caller]
fn check_failure(args: &[&str], status: i32, words: &[&str]) {
    check_refused(&run(args), status, words);
}

/// The same of one that has run.
#[track_caller]
fn check_refused(outcome: &Outcome, status: i32, words: &[&str]) {
    outcome.check_code(status);
    assert_eq!(outcome.stdout, "", "{outcome:#?}");
    let line = outcome.one_error_line();
    for word in words {
        assert!(line.contains(word), "no {word:?} in {line:?}");
    }
}

/// A recording that comes with the tests.
fn stored(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "recordings", name]
        .iter()
        .collect()
}
