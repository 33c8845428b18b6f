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
use crate::outage::{Counterpart, check_under_load};
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

impl Counterpart for Fake {
    fn output(&self) -> String {
        self.url("")
    }

    fn up(&mut self) {
        self.restart();
    }

    fn down(&mut self) {
        self.stop();
    }

    fn ids(&self) -> Vec<String> {
        Self::ids(self)
    }
}

/// It goes and comes, and every request is as it should be.
#[track_caller]
fn check_outage(what: &str, dialect: Dialect, with_spool: bool) {
    let mut fake = Fake::new(dialect, vec![]);
    let sent = check_under_load(what, &mut fake, with_spool);
    fake.check(&sent);
}

#[test]
fn otlp_collectors_go_and_come() {
    check_outage("otlp", OTLP, true);
}

#[test]
fn webhooks_go_and_come() {
    check_outage("webhook", WEBHOOK, false);
}

#[test]
fn elasticsearches_go_and_come() {
    check_outage("elasticsearch", ELASTIC, true);
}

#[test]
fn splunks_go_and_come() {
    check_outage("splunk", SPLUNK, true);
}

#[test]
fn lokis_go_and_come() {
    check_outage("loki", LOKI, false);
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
