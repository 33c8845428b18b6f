//! What is no leak must never be told, however much it looks like one.
//!
//! Each case ends with a real leak: when that is found, whatever was there before would have been.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

use serde_json::{Value, json};
use socktrace_tests::agent::Agent;
use socktrace_tests::json::{check, number, text};
use socktrace_tests::rung::Deed;
use socktrace_tests::wait::stretched;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, Leak};
use crate::lines::{holders_in, is_between, mentions};
use crate::sockets::{DeafPort, connect, connection, shut_down, tcp_socket};
use crate::stage::{LEAK_AFTER, Stage, lost};

pub(crate) const CASES: &[Case] = &[
    ("healthy::churn_is_silent", churn),
    ("healthy::slow_close", slow_close),
    (
        "healthy::half_close_that_streams_until_it_stalls",
        streaming,
    ),
    ("healthy::idle_connection", idle_connection),
    ("healthy::never_connected", never_connected),
];

/// How long the workload may churn.
const CHURN: Duration = Duration::from_secs(30);

/// Nothing at all is said of connections that open, work and close.
fn churn(stage: &Stage) {
    let mut churn = Workload::start(Program::C("churn"), &["1000", "--wait"]);
    let mut sentinel = Workload::gated(Program::C("close_wait"), &[]);
    let [pid, other] = [churn.pid(), sentinel.pid()].map(|pid| pid.to_string());
    let agent = stage.agent("run", &["--pid", &pid, "--pid", &other]);
    churn.say("go");
    churn.step_within("churned", CHURN);
    sentinel.go();
    let leaked = sentinel.step("leaked");
    let status = |line: &Value| text(line, "event.action") == "socktrace.status";
    let mut watch = agent.watch_from_start();
    let first = watch.expect("status", FOUND, |_| true);
    assert!(status(&first.value), "{}", first.raw);
    // A program that interrupts itself is not run by the kernel: that is told, and says nothing of a socket.
    let missed = |line: &Value| status(line) && lost(line).is_empty();
    let second = watch.expect("finding", FOUND, |line| !missed(line));
    check(
        &second.value,
        &[
            ("event.action", json!("socket.leak")),
            ("process.pid", leaked["pid"].clone()),
        ],
    );
}

/// Every connection is hundreds of milliseconds in `CLOSE_WAIT`, but less than leak-after.
fn slow_close(stage: &Stage) {
    let leak_after = stretched(Duration::from_secs(2));
    let mut slow = Workload::gated(Program::Python("slow_close"), &["20"]);
    let mut sentinel = Workload::gated(Program::C("close_wait"), &[]);
    let [pid, other] = [slow.pid(), sentinel.pid()].map(|pid| pid.to_string());
    let leak_after_ms = format!("{}ms", leak_after.as_millis());
    let more = [
        "--leak-after",
        &leak_after_ms,
        "--pid",
        &pid,
        "--pid",
        &other,
    ];
    let agent = Agent::start(&stage.agent_args("run", &more));
    slow.go();
    let closed = slow.step_within("slow_closed", CHURN);
    let longest = Duration::from_millis(number(&closed.value, "longest_ms"));
    assert!(
        longest < leak_after,
        "the machine is too slow for this test: {longest:?}"
    );
    sentinel.go();
    let leaked = sentinel.step("leaked");
    agent.watch_from_start().never_until(
        "slow close",
        leak_after + FOUND,
        |line| mentions(line, u64::from(slow.pid())),
        |line| mentions(line, number(&leaked, "pid")),
    );
}

/// The peer has shut down its writing and reads on, which is its right; once nothing is sent any
/// more, it is a leak.
fn streaming(stage: &Stage) {
    let mut watch = stage.running().watch();
    let mut workload = Workload::start(Program::Python("half_close_streaming"), &[]);
    let step = workload.step("streaming");
    let (local, peer) = (
        text(&step, "local").to_owned(),
        text(&step, "peer").to_owned(),
    );
    let is_mine = |line: &Value| is_between(line, &local, &peer);
    watch.never("stream that is alive", 2 * LEAK_AFTER, is_mine);
    stage.never_before_next_leak("stream that is alive", &mut watch, is_mine);
    workload.say("stall");
    let mut leak = Leak::of(stage.hooks(), watch, workload);
    let deeds = [Deed::Accepted(leak.pid()), Deed::Wrote(leak.tid())];
    leak.opens("close_wait", Some("eof_unread"), &deeds);
    leak.resolves_when_told_to_close();
}

/// A pooled connection on which nothing happens is no suspect at all.
fn idle_connection(stage: &Stage) {
    let mut watch = stage.running().watch();
    let (client, server) = connection();
    let ends = ends_of(&server);
    stage.never_before_next_leak("idle connection", &mut watch, |line| {
        is_between(line, &ends[0], &ends[1]) || is_between(line, &ends[1], &ends[0])
    });
    drop((client, server));
}

/// Sockets in `TCP_CLOSE` that were never connected: fresh, bound, refused, and a listener shut down.
fn never_connected(stage: &Stage) {
    let mut watch = stage.running().watch();
    let fresh = tcp_socket();
    let refused = tcp_socket();
    let deaf_port = DeafPort::new();
    let error = connect(&refused, deaf_port.address()).expect_err("nobody listens there");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    shut_down(&deaf);
    let held = [fresh.as_raw_fd(), refused.as_raw_fd(), deaf.as_raw_fd()];
    let mine = u64::from(std::process::id());
    stage.never_before_next_leak("socket that never had a connection", &mut watch, |line| {
        let is_held = |fd: RawFd| holders_in(line).contains(&(mine, u64::from(fd.cast_unsigned())));
        text(line, "socktrace.leak.phase") == "open" && held.into_iter().any(is_held)
    });
    drop((fresh, refused, deaf));
}

fn ends_of(stream: &TcpStream) -> [String; 2] {
    [stream.local_addr(), stream.peer_addr()].map(|end| end.expect("an address").to_string())
}
