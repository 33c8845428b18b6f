//! Sockets whose connection is over and whose descriptor is still held.

use std::io::Read as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;

use serde_json::{Value, json};
use socktrace_tests::json::check;
use socktrace_tests::rung::Deed;
use socktrace_tests::workload::Program;

use crate::Case;
use crate::expect::Leak;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("closed::by_reset", |stage| {
        closed(stage, "closed_by_reset", "reset");
    }),
    ("closed::after_fin", |stage| {
        closed(stage, "closed_after_fin", "after_fin");
    }),
    (
        "closed::a_close_wait_that_closes_is_the_same_leak",
        same_leak,
    ),
];

/// The addresses are still told, as they were before the end.
fn closed(stage: &Stage, workload: &'static str, diagnosis: &str) {
    let mut leak = stage.leak(Program::C(workload), &[]);
    let tid = leak.tid();
    let line = leak.opens("closed_held", Some(diagnosis), &[Deed::Accepted(tid)]);
    leak.came_in_time(&line);
    check(&line.value, &[("socktrace.socket.state", json!("CLOSE"))]);
    leak.resolves_when_told_to_close();
}

/// This program leaks a socket itself and then finishes it without a byte of data: it becomes
/// another kind of leak, but not another leak.
fn same_leak(stage: &Stage) {
    let watch = stage.running().watch();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let client = TcpStream::connect(address).expect("a client");
    let (mut server, peer) = listener.accept().expect("a connection");
    let tid = thread_id();
    drop(client);
    // It waits for the peer's FIN, which has thereby been read.
    let read = server.read(&mut [0]).expect("the end");
    assert_eq!(read, 0);
    let step = json!({
        "pid": std::process::id(),
        "tid": tid,
        "fd": server.as_raw_fd(),
        "local": address.to_string(),
        "peer": peer.to_string(),
        "state": "CLOSE_WAIT",
    });
    let mut leak = Leak::here(stage.hooks(), watch, step);
    let deeds = [Deed::Accepted(tid), Deed::ReadEnd(tid)];
    let open = leak.opens("close_wait", Some(stage.hooks().end_was_read()), &deeds);
    let same: [(&str, Value); 2] = [
        (
            "socktrace.leak.id",
            open.value["socktrace"]["leak"]["id"].clone(),
        ),
        ("event.start", open.value["event"]["start"].clone()),
    ];

    server.shutdown(Shutdown::Write).expect("a shutdown");
    let update = leak.becomes("closed_held");
    check(&update.value, &same);
    check(&update.value, &[("socktrace.socket.state", json!("CLOSE"))]);

    drop(server);
    let end = leak.resolves("closed");
    check(&end.value, &same);
    check(
        &end.value,
        &[
            ("socktrace.leak.closed_by.pid", json!(std::process::id())),
            ("socktrace.leak.closed_by.tid", json!(tid)),
        ],
    );
}

fn thread_id() -> u64 {
    // SAFETY: gettid() has no preconditions and cannot fail.
    u64::from(unsafe { libc::gettid() }.cast_unsigned())
}
