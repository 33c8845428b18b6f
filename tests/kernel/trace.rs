//! `trace` tells the whole life of a connection, at both ends.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use socktrace_tests::json::{check, field, number, text};
use socktrace_tests::log::Line;
use socktrace_tests::rung::{AcceptHook, Hooks};
use socktrace_tests::wait::now;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::FOUND;
use crate::lines::{end_in, is_between};
use crate::sockets::DeafPort;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("trace::a_connection_over_ipv4", |stage| {
        connection(stage, &["--read-data"]);
    }),
    ("trace::a_connection_over_ipv6", |stage| {
        connection(stage, &["--read-data", "--ipv6"]);
    }),
    ("trace::a_refused_connect", refused),
];

/// How long the server holds its end in `CLOSE_WAIT`, at least.
const HELD: Duration = Duration::from_millis(300);

/// Bytes of data the client sends.
const DATA: u64 = 5;

/// What `CLOSE_WAIT` to `CLOSE` looks like at the server, and the whole at the client.
const SERVER: [(&str, &str); 4] = [
    ("SYN_RECV", "ESTABLISHED"),
    ("ESTABLISHED", "CLOSE_WAIT"),
    ("CLOSE_WAIT", "LAST_ACK"),
    ("LAST_ACK", "CLOSE"),
];
const CLIENT: [(&str, &str); 5] = [
    ("CLOSE", "SYN_SENT"),
    ("SYN_SENT", "ESTABLISHED"),
    ("ESTABLISHED", "FIN_WAIT1"),
    ("FIN_WAIT1", "FIN_WAIT2"),
    ("FIN_WAIT2", "CLOSE"),
];

/// The client connects, sends and closes; the server reads, waits and closes.
fn connection(stage: &Stage, args: &[&str]) {
    let hooks = Hooks::of(stage.tracing().started());
    let mut watch = stage.tracing().watch();
    let all = watch.clone();
    let before = now();
    let mut workload = Workload::start(Program::C("close_wait"), args);
    let leaked = workload.step_line("leaked");
    let (local, peer) = (text(&leaked.value, "local"), text(&leaked.value, "peer"));
    let at_server = |line: &Value| is_between(line, local, peer);
    watch.never("release of a held socket", HELD, |line| {
        at_server(line) && is(line, "release")
    });
    let held_at_least = now().since(leaked.read_at);
    workload.say("close");
    let closed = workload.step_line("closed");
    let held_at_most = closed.read_at.since(before);
    let is_end = |line: &Value| at_server(line) && changes(line) == Some(("LAST_ACK", "CLOSE"));
    watch.expect("end of the server's end", FOUND, is_end);

    // The client was done before the server, and lines come in the kernel's order.
    let lines = all.up_to(&watch);
    let server: Vec<&Line> = lines
        .iter()
        .map(|line| &**line)
        .filter(|line| at_server(&line.value))
        .collect();
    let server: Vec<&Line> = server
        .into_iter()
        .skip_while(|line| !is_established(line))
        .collect();
    check_changes(&server, &SERVER);
    check_one_socket(&server);
    check_owners(
        &server,
        &leaked.value["pid"],
        "accept",
        hooks.accept != AcceptHook::None,
    );
    let release = the(&server, "release");
    check(
        &release.value,
        &[("process.thread.id", closed.value["tid"].clone())],
    );
    let bytes = bytes_between(&release.value, peer);
    assert!(
        (DATA..=DATA + 1).contains(&bytes),
        "bytes from the client, and its FIN: {bytes}"
    );
    let waited = server
        .iter()
        .find(|line| changes(&line.value) == Some(SERVER[2]))
        .expect("checked");
    let waited = number(&waited.value, "socktrace.socket.old_state_duration");
    let waited = Duration::from_nanos(waited);
    assert!(
        held_at_least <= waited && waited <= held_at_most,
        "in CLOSE_WAIT for {waited:?}"
    );

    // The local port is not chosen yet when connect() begins: the cookie leads there.
    let at_client = |line: &Value| is_between(line, peer, local);
    let connect = lines
        .iter()
        .find(|line| at_client(&line.value) && is(&line.value, "connect"));
    let cookie = cookie_of(&connect.expect("the connect").value);
    let client: Vec<&Line> = lines
        .iter()
        .map(|line| &**line)
        .filter(|line| cookie_of(&line.value) == cookie)
        .collect();
    check_changes(&client, &CLIENT);
    check_one_socket(&client);
    check_owners(&client, &leaked.value["peer_pid"], "connect", true);
    assert!(number(&the(&client, "release").value, "event.duration") > 0);
}

/// A `connect()` that fails is told, with the thread that called it.
fn refused(stage: &Stage) {
    let mut watch = stage.tracing().watch();
    let deaf_port = DeafPort::new();
    let nobody = deaf_port.address();
    let error = TcpStream::connect(nobody).expect_err("nobody listens there");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let line = watch.expect("connect", FOUND, |line| {
        is(line, "connect") && end_in(line, "socktrace.peer") == Some(nobody.to_string())
    });
    check(
        &line.value,
        &[
            ("event.outcome", json!("failure")),
            ("socktrace.socket.state", json!("CLOSE")),
            ("network.direction", json!("egress")),
            ("process.pid", json!(std::process::id())),
        ],
    );
    assert!(
        number(&line.value, "socktrace.local.port") > 0,
        "a local port: {}",
        line.raw
    );
}

fn is(line: &Value, what: &str) -> bool {
    text(line, "event.action").strip_prefix("socket.") == Some(what)
}

fn changes(line: &Value) -> Option<(&str, &str)> {
    let state = |path| text(line, path);
    is(line, "state_change").then(|| {
        (
            state("socktrace.socket.old_state"),
            state("socktrace.socket.state"),
        )
    })
}

fn is_established(line: &Line) -> bool {
    changes(&line.value) == Some(SERVER[0])
}

fn cookie_of(line: &Value) -> &Value {
    field(line, "socktrace.socket.cookie")
}

/// The one line of a socket that tells of `what`.
#[track_caller]
fn the<'l>(lines: &[&'l Line], what: &str) -> &'l Line {
    let found: Vec<&&Line> = lines.iter().filter(|line| is(&line.value, what)).collect();
    let [line] = found[..] else {
        panic!("one {what}, not {} in {lines:#?}", found.len())
    };
    line
}

#[track_caller]
fn check_changes(lines: &[&Line], expected: &[(&str, &str)]) {
    let seen: Vec<_> = lines
        .iter()
        .filter_map(|line| changes(&line.value))
        .collect();
    assert_eq!(seen, expected);
}

/// One cookie, this network namespace, times that do not run backwards.
#[track_caller]
fn check_one_socket(lines: &[&Line]) {
    let netns = fs::metadata("/proc/self/ns/net")
        .expect("a namespace")
        .ino();
    let cookie = cookie_of(&lines[0].value);
    for line in lines {
        check(
            &line.value,
            &[
                ("socktrace.socket.netns", json!(netns)),
                ("socktrace.socket.cookie", cookie.clone()),
                ("event.dataset", json!("socktrace.trace")),
            ],
        );
    }
}

/// Who opened the socket is told, by its own line and by every line after it; nobody else ever is.
#[track_caller]
fn check_owners(lines: &[&Line], pid: &Value, opening: &str, seen: bool) {
    if seen {
        let line = the(lines, opening);
        check(&line.value, &[("process.pid", pid.clone())]);
        assert!(number(&line.value, "process.thread.id") > 0);
    }
    check(
        &the(lines, "release").value,
        &[("process.pid", pid.clone())],
    );
    for line in lines {
        let told = field(&line.value, "process.pid");
        assert!(
            told.is_null() || told == pid,
            "a bystander is blamed: {}",
            line.raw
        );
    }
}

/// The bytes that came from one end, whichever of source and destination that is.
fn bytes_between(line: &Value, from: &str) -> u64 {
    let is_source = end_in(line, "source").as_deref() == Some(from);
    number(
        line,
        if is_source {
            "source.bytes"
        } else {
            "destination.bytes"
        },
    )
}
