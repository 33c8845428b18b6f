//! A collector of OTLP that is not ours (rotel). It sends on what it was sent, so what a strict fake gets from it is
//! what it has understood.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use socktrace_tests::child::{Outcome, Running};
use socktrace_tests::http::free_port;
use socktrace_tests::program::in_python;
use socktrace_tests::wait::{SOON, until};

use super::fake::{Dialect, Fake};
use super::otlp::{OTLP, records};
use super::outage::feed_until_away;
use super::{replay, sent};
use crate::load::{Load, count, without_surroundings};
use crate::stored;

/// A collector's requests, which hold the lines of more than one of ours.
const SENT_ON: Dialect = Dialect {
    url: "otlp+http://ADDRESS",
    events: |request| {
        assert_eq!(request.path, "/v1/logs");
        records(request)
    },
    ..OTLP
};

fn rotel() -> PathBuf {
    let mut find = Command::new(in_python("python3"));
    find.args([
        "-c",
        "import rotel.agent; print(rotel.agent.Agent.agent_path)",
    ]);
    let found = Outcome::of(&mut find, SOON);
    found.check_code(0);
    PathBuf::from(found.stdout.trim())
}

/// A collector at `port` that sends on to `fake`.
fn start(port: u16, fake: &Fake) -> Running {
    let mut command = Command::new(rotel());
    command
        .args([
            "start",
            "--otlp-http-endpoint",
            &format!("127.0.0.1:{port}"),
        ])
        .args([
            "--otlp-grpc-endpoint",
            &format!("127.0.0.1:{}", free_port()),
        ])
        .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
        .args([
            "--otlp-exporter-endpoint",
            &fake.url("").replace("otlp+", ""),
        ])
        .args(["--batch-timeout", "100ms"]);
    without_surroundings(&mut command);
    let collector = Running::spawn(&mut command).expect("rotel");
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(until(SOON * 3, listens), "{}", collector.stderr());
    collector
}

#[test]
fn a_collector_understands_every_line() {
    let fake = Fake::new(SENT_ON, vec![]);
    let port = free_port();
    let _collector = start(port, &fake);
    let output = format!("otlp+http://127.0.0.1:{port}");
    let outcome = Outcome::of(&mut replay(&stored("closed_held.strec"), &output), SOON);
    outcome.check_code(0);
    assert_eq!(outcome.stderr, "");
    fake.wait_all(sent().len());
    let (_, lost) = count("rotel", &sent(), &fake.ids());
    assert_eq!(lost, 0);
    fake.check(&sent());
}

/// Lines wait in the spool until there is a collector, and others come meanwhile.
#[test]
fn a_collector_that_comes_later_gets_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let fake = Fake::new(SENT_ON, vec![]);
    let port = free_port();
    let spool = folder.path().join("spool");
    let mut load = Load::new(folder.path(), 0);
    let mut agent = load.play(&format!(
        "otlp+http://127.0.0.1:{port}?spool={}",
        spool.display()
    ));
    feed_until_away(&mut load, &agent);
    let _collector = start(port, &fake);
    load.feed(1000);
    fake.wait_all(load.events() as usize);
    let sent = load.end();
    let status = agent.wait(SOON).expect("it ends");
    assert!(status.success(), "{}", agent.stderr());
    let (_, lost) = count("rotel, away at first", &sent, &fake.ids());
    assert_eq!(lost, 0);
    fake.check(&sent);
}
