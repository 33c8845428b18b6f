//! What is lost while a counterpart is down and when the agent is killed: nothing, counted by `event.id`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::child::{Outcome, Running, Signal};
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::{SOON, now, until};

use crate::stored;

/// How often the recorded story happens in a load.
const TIMES: usize = 300;
/// How often the agent is killed.
const KILLS: u64 = 5;
/// Where the header of a recording says when its agent started, and where the lengths of its names are.
const STARTED: usize = 40;
const LENGTHS: usize = 64;
const FIXED: usize = 72;

/// A recording of an agent that started at `run`, so that its lines have names of their own.
fn load(folder: &Path, run: u64) -> PathBuf {
    let mut bytes = fs::read(stored("closed_held.strec")).expect("a recording");
    let length = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let header = FIXED + (0..3).map(|n| length(LENGTHS + 2 * n)).sum::<usize>();
    bytes[STARTED..STARTED + 8].copy_from_slice(&(1000 + run).to_le_bytes());
    let story = bytes.split_off(header);
    bytes.extend(story.repeat(TIMES));
    let path = folder.join(format!("{run}.strec"));
    fs::write(&path, bytes).expect("a file");
    path
}

fn replay(recording: &Path, output: &str) -> Command {
    let mut command = socktrace(&["replay", "--output", output]);
    command.arg(recording);
    command
}

/// `event.id` of every line of JSON, in order.
pub(crate) fn ids<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let id = |line: &str| -> String {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        line["event"]["id"].as_str().expect("event.id").to_owned()
    };
    lines.map(id).collect()
}

/// What playing it back tells.
fn told(recording: &Path) -> Vec<String> {
    ids(Outcome::of(&mut replay(recording, "-"), SOON)
        .stdout
        .lines())
}

/// The lines in the files of a spool, after the agent is gone: each record is length, checksum, number, lines.
fn spooled(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the spool") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "spool") {
            continue;
        }
        let bytes = fs::read(path).expect("a segment");
        let mut rest = bytes.as_slice();
        while let Some((length, others)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some(record) = others.get(12..12 + length) else {
                break;
            };
            let text = str::from_utf8(record).expect("UTF-8");
            // Before the line there may be a header, which has no brace.
            found.extend(ids(text.lines().map(|l| &l[l.find('{').unwrap_or(0)..])));
            rest = &others[12 + length..];
        }
    }
    found
}

/// The counterpart is down while lines are made, comes up, and then the agent is killed again and again.
///
/// `received` are the `event.id`s that have arrived so far.
pub(crate) fn check(output: &str, up: impl FnOnce(), received: impl Fn() -> Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    let sign = if output.contains('?') { '&' } else { '?' };
    let output = format!("{output}{sign}spool={}", spool.display());
    let mut owed = HashSet::new();

    let recording = load(folder.path(), 0);
    let expected = told(&recording);
    assert!(expected.len() > 500, "{}", expected.len());
    let outcome = Outcome::of(&mut replay(&recording, &output), SOON);
    outcome.check_code(0);
    assert!(outcome.stderr.contains("wait in its spool"), "{outcome:#?}");
    assert_eq!(outcome.stderr.lines().count(), 2, "{outcome:#?}");
    owed.extend(expected);
    up();

    let mut killed = Vec::new();
    for run in 1..=KILLS {
        let recording = load(folder.path(), run);
        let mut agent = Running::spawn(&mut replay(&recording, &output)).expect("socktrace");
        // Any moment between its beginning and its end.
        let moment = Duration::from_millis(now().0 / 1000 % 97 + 3);
        let _ = agent.wait(moment);
        agent.signal(Signal::Kill);
        let _ = agent.wait(SOON);
        if spool.exists() {
            owed.extend(spooled(&spool));
        }
        killed.push(told(&recording));
    }
    let recording = load(folder.path(), KILLS + 1);
    owed.extend(told(&recording));
    let mut outcome = Outcome::of(&mut replay(&recording, &output), SOON);
    for _ in 0..5 {
        if !outcome.stderr.contains("wait in its spool") {
            break;
        }
        // A loaded machine: the same once more, which is named as before.
        outcome = Outcome::of(&mut replay(&recording, &output), SOON);
    }
    outcome.check_code(0);

    let all = || owed.is_subset(&received().into_iter().collect());
    let _ = until(SOON, all);
    let mut times: HashMap<String, u64> = HashMap::new();
    for id in received() {
        *times.entry(id).or_default() += 1;
    }
    let lost = owed.iter().filter(|id| !times.contains_key(*id)).count();
    let more: u64 = times.values().map(|times| times - 1).sum();
    println!(
        "{output}: sent {}, received {}, duplicated {more}, lost {lost}",
        owed.len(),
        times.len()
    );
    assert_eq!(lost, 0);
    for told in killed {
        // What a killed run had handed over comes without holes.
        let arrived = told.iter().take_while(|id| times.contains_key(*id)).count();
        let all = told.iter().filter(|id| times.contains_key(*id)).count();
        assert_eq!(arrived, all, "a hole in what a killed agent sent");
    }
}
