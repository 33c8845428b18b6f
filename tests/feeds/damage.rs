//! A spool that was damaged: what is whole is delivered, and the rest is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use socktrace_tests::child::Outcome;
use socktrace_tests::http::free_port;
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::SOON;

use crate::load::printed;
use crate::stored;

const RECORDING: &str = "closed_held.strec";

/// Plays the recording back to a webhook at `port` through the spool in `folder`.
fn replay(port: u16, folder: &Path) -> Outcome {
    let output = format!("webhook+http://127.0.0.1:{port}?spool={}", folder.display());
    let mut command = socktrace(&["replay", "--output", &output]);
    crate::load::without_surroundings(&mut command);
    Outcome::of(command.arg(stored(RECORDING)), SOON * 2)
}

/// The files with lines, the largest last.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the spool").flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "spool"))
        .collect();
    files.sort_by_key(|path| fs::metadata(path).map_or(0, |of| of.len()));
    files
}

/// Lines wait in a spool, `harm` is done to its largest file, and the next run delivers what is whole.
#[track_caller]
fn check(harm: impl Fn(&mut Vec<u8>)) {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = free_port();
    let waiting = replay(nobody, folder.path());
    assert!(waiting.stderr.contains("wait in its spool"), "{waiting:#?}");
    let path = files(folder.path()).pop().expect("a file");
    let mut bytes = fs::read(&path).expect("the file");
    harm(&mut bytes);
    fs::write(&path, bytes).expect("the file");
    let sent: BTreeMap<String, Value> = printed(&stored(RECORDING));
    let fake = crate::http::webhook();
    let outcome = {
        let output = format!("{}&spool={}", fake.url(""), folder.path().display());
        let mut command = socktrace(&["replay", "--output", &output]);
        crate::load::without_surroundings(&mut command);
        Outcome::of(command.arg(stored(RECORDING)), SOON * 2)
    };
    outcome.check_code(0);
    let line = outcome.one_error_line();
    assert!(
        line.contains("is damaged:") && line.ends_with("bytes of it are lost"),
        "{line}"
    );
    // The second run's own lines have arrived, whatever was lost of the first one's.
    fake.wait_all(sent.len());
    fake.check(&sent);
    let received = fake.ids().len();
    assert!(
        received >= sent.len() && received < 2 * sent.len(),
        "{received}"
    );
}

#[test]
fn a_flipped_byte_costs_its_record() {
    check(|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    });
}

#[test]
fn a_file_that_was_cut_short_costs_its_end() {
    check(|bytes| bytes.truncate(bytes.len() - 100));
}

#[test]
fn a_file_of_something_else_is_lost_as_a_whole() {
    check(|bytes| bytes.fill(b'x'));
}
