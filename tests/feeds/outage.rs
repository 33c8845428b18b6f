//! What is lost while a counterpart is down and when the agent is killed: nothing, counted by `event.id`.
//!
//! `SOCKTRACE_TEST_OUTAGE=60` has counterparts be away for that many seconds instead of as short as can be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::child::{Outcome, Running, Signal};
use socktrace_tests::program::socktrace;
use socktrace_tests::spool;
use socktrace_tests::wait::{Deadline, SOON, now, until};

use crate::load::{Load, count};
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

/// An output whose lines wait in `spool` while its counterpart is away.
fn with_spool(output: &str, spool: &Path) -> String {
    let sign = if output.contains('?') { '&' } else { '?' };
    format!("{output}{sign}spool={}", spool.display())
}

fn replay(recording: &Path, output: &str) -> Command {
    let mut command = socktrace(&["replay", "--output", output]);
    command.arg(recording);
    command
}

/// `event.id` of every line of JSON, in order.
pub(crate) fn ids<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let parse = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
    };
    lines.map(|line| id(&parse(line))).collect()
}

fn id(line: &Value) -> String {
    line["event"]["id"].as_str().expect("event.id").to_owned()
}

/// What playing it back tells.
fn told(recording: &Path) -> Vec<String> {
    ids(Outcome::of(&mut replay(recording, "-"), SOON)
        .stdout
        .lines())
}

/// `event.id` of every line in the spool of an agent that is gone.
fn spooled(folder: &Path) -> Vec<String> {
    spool::lines(folder).iter().map(id).collect()
}

/// The counterpart is down while lines are made, comes up, and then the agent is killed again and again.
///
/// `received` are the `event.id`s that have arrived so far.
pub(crate) fn check(output: &str, up: impl FnOnce(), received: impl Fn() -> Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    let output = with_spool(output, &spool);
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

/// Events before and after an outage, and during it at least.
const EVENTS: u32 = 400;
/// So many at once during an outage, and how often: 250 a second.
const AT_ONCE: u32 = 5;
const EVERY: Duration = Duration::from_millis(20);
/// The pauses between two tries become as long as that.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A counterpart that can go and come back.
pub(crate) trait Counterpart {
    /// For `--output`, without a spool.
    fn output(&self) -> String;
    /// It is there, with what it had received.
    fn up(&mut self);
    /// It is gone.
    fn down(&mut self);
    /// `event.id` of all that it has received, in order.
    fn ids(&self) -> Vec<String>;
    /// Whether it answers that it has received something. Without that, what it has not read when it goes is lost.
    fn answers(&self) -> bool {
        true
    }
}

/// How long a counterpart is away at least.
fn length() -> Duration {
    let seconds = std::env::var("SOCKTRACE_TEST_OUTAGE").ok();
    let seconds = seconds.map(|given| given.parse().expect("SOCKTRACE_TEST_OUTAGE is seconds"));
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Feeds a steady load for at least `time`, until `done`.
#[track_caller]
fn feed(load: &mut Load, time: Duration, what: &str, done: impl Fn() -> bool) {
    let (least, most) = (Deadline::within(time), Deadline::within(time + SOON * 3));
    while least.left().is_some() || !done() {
        assert!(most.left().is_some(), "{what}");
        load.feed(AT_ONCE);
        std::thread::park_timeout(EVERY);
    }
}

/// The counterpart goes under load and comes back: nothing is lost, and what arrives twice is known by its
/// `event.id`. With `spool` lines wait there, else in memory. What was sent, by `event.id`.
#[track_caller]
pub(crate) fn check_under_load(
    what: &str,
    counterpart: &mut impl Counterpart,
    spool: bool,
) -> BTreeMap<String, Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut output = counterpart.output();
    if spool || !length().is_zero() {
        output = with_spool(&output, &folder.path().join("spool"));
    }
    counterpart.up();
    let mut load = Load::new(folder.path(), 0);
    let mut agent = load.play(&output);
    load.feed(EVENTS);
    let patience = SOON * 3;
    let first = until(patience, || !counterpart.ids().is_empty());
    assert!(first, "{}", agent.stderr());
    if !counterpart.answers() {
        let all = until(patience, || counterpart.ids().len() >= EVENTS as usize);
        assert!(all, "{}", agent.stderr());
    }
    counterpart.down();
    feed(&mut load, length(), "it is never away", || {
        agent.stderr().contains("trying again")
    });
    load.feed(EVENTS);
    counterpart.up();
    load.feed(EVENTS);
    let fed = load.events() as usize;
    let has_all = || counterpart.ids().into_iter().collect::<HashSet<_>>().len() >= fed;
    // A pause may just have begun, and what has come in the meantime takes its time.
    let all = until(
        patience + length().min(LONGEST_PAUSE) + length() * 4,
        has_all,
    );
    let sent = load.end();
    let status = agent.wait(SOON * 2).expect("it ends");
    let (_, lost) = count(&format!("{what}, outage"), &sent, &counterpart.ids());
    assert_eq!(lost, 0, "{}", agent.stderr());
    assert!(all && status.success(), "{}", agent.stderr());
    let stderr = agent.stderr();
    let without_loss = stderr
        .lines()
        .all(|line| !line.contains("lost") || line.contains("lost 0"));
    assert!(without_loss, "{stderr}");
    sent
}
