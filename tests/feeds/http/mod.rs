//! Counterparts that speak HTTP, each strict about what it takes.
//!
//! * [`server`]: HTTP/1.1 on loopback; [`fake`]: counterparts that take events and do things wrong.
//! * [`outage`]: every sort of counterpart goes and comes back under load.
//! * [`hostile`]: counterparts that mean harm; [`secure`]: certificates and tokens.
//! * [`otlp`], [`elastic`], [`splunk`], [`loki`], [`webhook`]: what each wants, and what it may refuse.
//! * [`collector`]: one of OTLP that is not ours.

mod collector;
mod elastic;
mod fake;
mod hostile;
mod loki;
mod otlp;
mod outage;
mod secure;
mod server;
mod splunk;
mod webhook;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use socktrace_tests::child::Outcome;
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::SOON;

use crate::load::{count, printed, without_surroundings};
use crate::stored;
use fake::{Dialect, Fake, Fault};
use server::Reply;

/// Plays a recording back to `output`.
fn replay(recording: &Path, output: &str) -> Command {
    let mut command = socktrace(&["replay", "--output", output]);
    command.arg(recording);
    without_surroundings(&mut command);
    command
}

/// Plays a stored recording of a few leaks to a counterpart that first does these things wrong. It ends well, says
/// `expected` on standard error, besides that it works again, and only what the counterpart will never take is
/// lost, and counted.
#[track_caller]
fn check_with(dialect: Dialect, options: &str, faults: Vec<Fault>, expected: &[&str]) -> Fake {
    let fake = Fake::new(dialect, faults);
    let recording = stored("closed_held.strec");
    let outcome = Outcome::of(&mut replay(&recording, &fake.url(options)), SOON * 2);
    outcome.check_code(0);
    let told: Vec<&str> = outcome.stderr.lines().collect();
    let troubles: Vec<&&str> = told.iter().filter(|l| !l.contains("works again")).collect();
    assert_eq!(troubles.len(), expected.len(), "{told:#?}");
    for (told, expected) in troubles.iter().zip(expected) {
        assert!(told.contains(expected), "{told} should contain {expected}");
    }
    let sent = printed(&recording);
    let (_, lost) = count(dialect.url, &sent, &fake.ids());
    assert_eq!(lost, fake.lost(), "{told:#?}");
    fake.check(&sent);
    fake
}

/// As a collector that is away, in every way, and then well.
#[track_caller]
fn check_survives(dialect: Dialect) {
    let faults = vec![
        Fault::Refuse(Reply::status(503)),
        Fault::Refuse(Reply::status(429).with("Retry-After", "1")),
        Fault::Refuse(Reply::Reset),
        Fault::Lie(Reply::Half(200, b"{\"items\":[".to_vec())),
    ];
    check_with(dialect, "", faults, &["503"]);
}

/// A receiver of webhooks that is well.
pub(crate) fn webhook() -> Fake {
    Fake::new(webhook::WEBHOOK, vec![])
}

/// What a stored recording prints.
fn sent() -> BTreeMap<String, Value> {
    printed(&stored("closed_held.strec"))
}
