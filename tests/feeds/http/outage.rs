//! Every sort of counterpart goes away under load and comes back: nothing is lost, and what arrives twice is known
//! by its `event.id`.

use std::time::Duration;

use socktrace_tests::child::{Outcome, Running, Signal};
use socktrace_tests::wait::{Deadline, SOON, until};

use super::elastic::ELASTIC;
use super::fake::{Dialect, Fake};
use super::loki::LOKI;
use super::otlp::OTLP;
use super::replay;
use super::splunk::SPLUNK;
use super::webhook::WEBHOOK;
use crate::load::{Load, count, printed};
use crate::stored;

/// Events before, during and after the outage.
const EVENTS: u32 = 400;

/// Feeds until the agent says that the counterpart is away: it tells of troubles when it has something to write.
#[track_caller]
pub(super) fn feed_until_away(load: &mut Load, agent: &Running) {
    load.feed(EVENTS);
    let deadline = Deadline::within(SOON * 3);
    while !agent.stderr().contains("trying again") {
        assert!(deadline.left().is_some(), "{}", agent.stderr());
        load.feed(1);
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// What arrives in time is one request's lines at most twice a failure; all of it arrives.
#[track_caller]
fn check_outage(what: &str, dialect: Dialect, with_spool: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = format!("spool={}", folder.path().join("spool").display());
    let mut fake = Fake::new(dialect, vec![]);
    let mut load = Load::new(folder.path(), 0);
    let options = if with_spool { &*spool } else { "" };
    let mut agent = load.play(&fake.url(options));
    load.feed(EVENTS);
    fake.wait_requests(1);
    fake.stop();
    feed_until_away(&mut load, &agent);
    load.feed(EVENTS);
    let before = fake.requests();
    fake.restart();
    // The longer it was away, the longer the pauses have become.
    fake.wait_requests(before + 1);
    load.feed(EVENTS);
    fake.wait_all(load.events() as usize);
    let sent = load.end();
    let status = agent.wait(SOON).expect("it ends");
    assert!(status.success(), "{}", agent.stderr());
    let (_, lost) = count(what, &sent, &fake.ids());
    assert_eq!(lost, 0);
    fake.check(&sent);
    let stderr = agent.stderr();
    assert!(
        !stderr.contains("lost") || stderr.contains("lost 0"),
        "{stderr}"
    );
}

#[test]
fn otlp_goes_and_comes() {
    check_outage("otlp, outage", OTLP, true);
}

#[test]
fn webhooks_go_and_come() {
    check_outage("webhook, outage", WEBHOOK, false);
}

#[test]
fn elasticsearch_goes_and_comes() {
    check_outage("elasticsearch, outage", ELASTIC, true);
}

#[test]
fn splunk_goes_and_comes() {
    check_outage("splunk, outage", SPLUNK, true);
}

#[test]
fn loki_goes_and_comes() {
    check_outage("loki, outage", LOKI, false);
}

/// The agent is killed while the counterpart is away. What it had taken into its spool is delivered by the next.
/// `last` is in the last line.
#[track_caller]
fn check_killed(what: &str, dialect: Dialect, last: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spool");
    let spool = format!("spool={}", path.display());
    let mut fake = Fake::new(dialect, vec![]);
    let mut load = Load::new(folder.path(), 0);
    let mut agent = load.play(&fake.url(&spool));
    load.feed(EVENTS);
    fake.wait_requests(1);
    fake.stop();
    feed_until_away(&mut load, &agent);
    let last = last.replace("LAST", &load.events().to_string());
    let last = last.as_bytes();
    let is_there = || {
        let files = std::fs::read_dir(&path).into_iter().flatten().flatten();
        let mut contents = files.filter_map(|file| std::fs::read(file.path()).ok());
        contents.any(|bytes| bytes.windows(last.len()).any(|window| window == last))
    };
    assert!(until(SOON, is_there), "the last line is not in the spool");
    agent.signal(Signal::Kill);
    assert!(agent.wait(SOON).is_some());
    let taken = fake.ids().len();
    fake.restart();
    let recording = stored("closed_held.strec");
    Outcome::of(&mut replay(&recording, &fake.url(&spool)), SOON * 2).check_code(0);
    let mut sent = load.end();
    let (first, second) = (sent.len(), printed(&recording));
    sent.extend(second);
    fake.wait_all(sent.len());
    let (duplicated, lost) = count(what, &sent, &fake.ids());
    assert_eq!(lost, 0, "{taken} of {first} were taken before");
    assert!(duplicated <= taken);
    fake.check(&sent);
}

#[test]
fn a_killed_agent_has_lost_nothing_that_was_in_its_spool() {
    check_killed("elasticsearch, killed", ELASTIC, "\"cookie\":LAST,");
    check_killed("otlp, killed", OTLP, "{\"stringValue\":\"LAST\"}");
}
