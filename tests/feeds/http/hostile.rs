//! Counterparts that mean harm, or are broken so that it comes to the same: they hold up nobody but themselves.

use std::time::Duration;

use socktrace_tests::child::Outcome;
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::SOON;

use super::elastic::ELASTIC;
use super::fake::{Dialect, Fake, Fault};
use super::otlp::OTLP;
use super::server::Reply;
use super::splunk::SPLUNK;
use super::webhook::WEBHOOK;
use super::{check_with, sent};
use crate::load::{Load, without_surroundings};
use crate::stored;

/// Each of these is given up in time, told, and tried again.
#[test]
fn answers_that_do_not_end_are_given_up() {
    let cases: [(Dialect, Reply, &str); 6] = [
        (OTLP, Reply::Silent, "no answer in time"),
        (OTLP, Reply::Trickle, "otlp+http"),
        (OTLP, Reply::Endless(200), "more than 65536 bytes"),
        (ELASTIC, Reply::Endless(200), "more than 1048576 bytes"),
        (
            SPLUNK,
            Reply::Half(200, b"{\"text\":".to_vec()),
            "breaks off",
        ),
        (SPLUNK, Reply::Endless(503), "503 Service Unavailable"),
    ];
    for (dialect, reply, told) in cases {
        let faults = vec![Fault::Refuse(reply)];
        check_with(dialect, "timeout=500ms", faults, &[told]);
    }
}

/// Where the status says everything, a body that does not end changes nothing.
#[test]
fn a_body_nobody_reads_does_not_matter() {
    let faults = vec![Fault::Lie(Reply::Endless(200))];
    check_with(WEBHOOK, "timeout=500ms", faults, &[]);
}

/// "Come back in three years": five minutes are believed at most, and the end of the command does not wait.
#[test]
fn nobody_waits_for_ever() {
    let never = Reply::status(429).with("Retry-After", "99999999999");
    let fake = Fake::new(WEBHOOK, vec![Fault::Refuse(never)]);
    let recording = stored("closed_held.strec");
    let mut command = super::replay(&recording, &fake.url(""));
    Outcome::of(&mut command, SOON).check_code(0);
    fake.wait_all(sent().len());
}

/// One that never answers delays no other, and no memory is spent on it.
#[test]
fn a_sink_that_hangs_holds_up_no_other() {
    const EVENTS: u32 = 8000;
    /// A few seconds for what is still queued, and room for a busy machine.
    const ENDS: Duration = Duration::from_secs(15);
    let silent = Fake::new(WEBHOOK, vec![Fault::Refuse(Reply::Silent); 100]);
    let well = Fake::new(ELASTIC, vec![]);
    let folder = tempfile::tempdir().expect("a folder");
    let mut load = Load::new(folder.path(), 0);
    let spool = folder.path().join("spool");
    let spool = format!("spool={}", spool.display());
    let mut command = socktrace(&["replay"]);
    without_surroundings(&mut command);
    command.args(["--output", &silent.url(&spool), "--output", &well.url("")]);
    let mut agent = load.play_with(&mut command);
    load.feed(EVENTS);
    well.wait_all(EVENTS as usize);
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid()));
    let status = status.expect("a process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak
        .and_then(|peak| peak.trim().strip_suffix(" kB"))
        .expect("a peak");
    let peak: u64 = peak.parse().expect("a number");
    assert!(peak < 64 << 10, "{peak} KiB");
    let sent = load.end();
    assert!(agent.wait(ENDS).is_some(), "it does not end");
    assert!(
        agent.stderr().contains("wait in its spool"),
        "{}",
        agent.stderr()
    );
    well.check(&sent);
}
