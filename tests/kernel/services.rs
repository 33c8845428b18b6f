//! The story that socktrace was written for, with the real programs: a Go service that deadlocks behind
//! nginx, a forking server whose sockets nobody can identify, a server that sleeps in its handler, and an
//! nginx that reloads.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use socktrace_tests::json::{check, field, number, text};
use socktrace_tests::log::{Line, Watch};
use socktrace_tests::netns::Netns;
use socktrace_tests::rung::{Deed, IoHook};
use socktrace_tests::wait::stretched;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, Leak};
use crate::lines::{check_holders, end_in, holders_in, is_between, mentions};
use crate::nginx::{LISTEN, Nginx, curl};
use crate::scan::scan_by;
use crate::stage::Stage;

pub(crate) const CASES: &[(&str, Case)] = &[
    (
        "nginx go curl",
        ("services::go_that_deadlocks_behind_nginx", deadlock),
    ),
    (
        "nginx curl",
        ("services::nginx_reload_with_old_workers", reload),
    ),
    (
        "curl",
        ("services::a_server_sleeps_in_its_handler", sleeping),
    ),
    (
        "python3",
        ("services::the_forking_server", |stage| {
            forking(stage, false);
        }),
    ),
    (
        "python3",
        ("services::the_forking_server_and_a_child", |stage| {
            forking(stage, true);
        }),
    ),
];

/// How many requests run into the deadlock.
const REQUESTS: usize = 5;

/// How long nginx waits for an answer.
const PROXY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a client waits.
const PATIENCE: Duration = Duration::from_millis(500);

/// What `curl` says when its time is over, and when all went well.
const TIMED_OUT: i32 = 28;

/// The Go service's port, in a namespace of its own.
const SERVICE: &str = "127.0.0.1:9918";

/// Each request that nginx has given up is a leak of the Go service, of nobody else, with nginx's address as
/// the peer. When the service's keep-alive meets a reset, what was `CLOSE_WAIT` is what lsof cannot identify,
/// and the same leak.
fn deadlock(stage: &Stage) {
    let watch = stage.running().watch();
    // nginx's half of each connection is forgotten soon, as it would be after a minute.
    let mut service = Program::Go("deadlock").command();
    service.args([SERVICE, "1s"]);
    let namespace = Netns::New(&["ipv4/tcp_fin_timeout=3"]);
    let mut service = Workload::of(&mut namespace.command(&service));
    service.step_within("listening", FOUND);
    let pid = u64::from(service.pid());
    let nginx = Nginx::start(service.pid(), SERVICE, PROXY_TIMEOUT);
    let threads: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let netns = Some(service.pid());
            std::thread::spawn(move || curl(netns, LISTEN, PROXY_TIMEOUT + FOUND))
        })
        .collect();
    let requests: Vec<Value> = (0..REQUESTS).map(|_| service.step("request")).collect();
    for thread in threads {
        let status = thread.join().expect("curl");
        assert_eq!(status, Some(0), "nginx answers for the service");
    }

    let mut opened: Vec<(Watch, Line)> = Vec::new();
    for request in &requests {
        let mut watch = watch.clone();
        let line = of_request(&mut watch, request, "open");
        check(
            &line.value,
            &[
                ("socktrace.leak.kind", json!("close_wait")),
                ("process.pid", json!(pid)),
                ("process.name", json!("deadlock")),
                ("socktrace.socket.state", json!("CLOSE_WAIT")),
                // Everything was read, the end too: Go reads on while the handler is at work.
                (
                    "socktrace.leak.diagnosis",
                    json!(stage.hooks().end_was_read()),
                ),
            ],
        );
        check_only_holder(&line.value, pid);
        if stage.hooks().io != IoHook::None {
            check(
                &line.value,
                &[("socktrace.leak.owner_via", json!("last_io"))],
            );
            let tid = number(&line.value, "process.thread.id");
            let task = format!("/proc/{pid}/task/{tid}");
            assert!(fs::exists(&task).unwrap_or(false), "{task}: {}", line.raw);
        }
        opened.push((watch, line));
    }

    for (request, (mut watch, open)) in requests.iter().zip(opened.clone()) {
        let update = of_request(&mut watch, request, "update");
        check(
            &update.value,
            &[
                ("socktrace.leak.kind", json!("closed_held")),
                ("socktrace.leak.diagnosis", json!("reset")),
                ("socktrace.socket.state", json!("CLOSE")),
                (
                    "socktrace.leak.id",
                    field(&open.value, "socktrace.leak.id").clone(),
                ),
                ("event.start", open.value["event"]["start"].clone()),
                ("process.pid", json!(pid)),
            ],
        );
    }
    let by_process = scan_by("process", &["--pid", &pid.to_string()]);
    assert_eq!(by_process, [(format!("deadlock[{pid}]"), REQUESTS as u64)]);

    service.say("exit");
    service.wait();
    for (request, (mut watch, _)) in requests.iter().zip(opened) {
        let end = of_request(&mut watch, request, "resolved");
        check(&end.value, &[("socktrace.leak.cause", json!("exited"))]);
    }
    // Until the very end nobody of nginx was ever accused.
    let mut all = watch;
    let innocent: Vec<u64> = nginx
        .workers()
        .into_iter()
        .chain([nginx.master()])
        .map(u64::from)
        .collect();
    stage.never_before_next_leak("leak of nginx", &mut all, |line| {
        innocent.iter().any(|pid| mentions(line, *pid))
    });
}

/// The next line of a phase on the service's end of a request's connection.
#[track_caller]
fn of_request(watch: &mut Watch, request: &Value, phase: &str) -> Line {
    let (local, peer) = (text(request, "local"), text(request, "peer"));
    let is_mine = |line: &Value| is_between(line, local, peer);
    // The kernel's timers and Go's keep-alive come first.
    let limit = FOUND * 3;
    watch.expect_among(phase, limit, is_mine, |line| {
        text(line, "socktrace.leak.phase") == phase
    })
}

/// One descriptor of one process holds the socket of a line, and it is really that socket's.
#[track_caller]
fn check_only_holder(line: &Value, pid: u64) -> u64 {
    let holders: Vec<_> = holders_in(line).into_iter().collect();
    let [(holder, fd)] = holders[..] else {
        panic!("one holder, not {holders:?} in {line}")
    };
    assert_eq!(holder, pid, "{line}");
    let link = fs::read_link(format!("/proc/{pid}/fd/{fd}")).expect("it is held");
    let inode = format!("socket:[{}]", number(line, "socktrace.socket.inode"));
    assert_eq!(link.display().to_string(), inode, "{line}");
    fd
}

/// A worker that is shutting down still holds the connection of a client that has gone: it is blamed, not
/// the worker that took its place, nor the master.
fn reload(stage: &Stage) {
    let mut watch = stage.running().watch();
    let service = Program::C("sleeping_server").command();
    let mut service = Workload::of(&mut Netns::New(&[]).command(&service));
    let upstream = service.step("listening");
    let nginx = Nginx::start(service.pid(), text(&upstream, "local"), 2 * FOUND);
    let [old] = nginx.workers()[..] else {
        panic!("one worker, not {:?}", nginx.workers())
    };
    let netns = Some(service.pid());
    let patience = stretched(Duration::from_secs(2));
    let client = std::thread::spawn(move || curl(netns, LISTEN, patience));
    service.step("handling");
    nginx.reload(old);
    assert_eq!(client.join().expect("curl"), Some(TIMED_OUT));

    let line = watch.expect("finding", FOUND, |line| {
        text(line, "socktrace.leak.phase") == "open" && is_at(line, LISTEN, service.pid())
    });
    check(
        &line.value,
        &[
            ("socktrace.leak.kind", json!("close_wait")),
            ("process.pid", json!(old)),
            ("process.name", json!("nginx")),
            ("process.parent.pid", json!(nginx.master())),
        ],
    );
    let title = text(&line.value, "process.command_line");
    assert!(title.contains("is shutting down"), "{}", line.raw);
    check_only_holder(&line.value, u64::from(old));
    let deeds = [Deed::Accepted(u64::from(old)), Deed::Read(u64::from(old))];
    let (via, tid) = stage.hooks().blamed(&deeds);
    check(
        &line.value,
        &[
            ("socktrace.leak.owner_via", json!(via)),
            ("process.thread.id", json!(tid)),
        ],
    );
}

/// Whether a line is about a socket at this local address in the network namespace of a process.
fn is_at(line: &Value, local: &str, netns_of: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let netns = fs::metadata(format!("/proc/{netns_of}/ns/net")).map(|meta| meta.ino());
    end_in(line, "socktrace.local").as_deref() == Some(local)
        && field(line, "socktrace.socket.netns").as_u64() == netns.ok()
}

/// The clients give up one after the other: the first one's connection is in the handler, those of the others
/// were never accepted.
fn sleeping(stage: &Stage) {
    let watch = stage.running().watch();
    let mut server = Workload::start(Program::C("sleeping_server"), &[]);
    let listening = server.step("listening");
    let local = text(&listening, "local").to_owned();
    for _ in 0..3 {
        assert_eq!(curl(None, &local, PATIENCE), Some(TIMED_OUT));
    }
    let pid = number(&listening, "pid");
    let mut queued = watch.clone();
    for _ in 0..2 {
        let line = queued.expect("unaccepted", FOUND, |line| {
            text(line, "socktrace.leak.kind") == "unaccepted"
                && end_in(line, "socktrace.local").as_deref() == Some(&local)
        });
        check(
            &line.value,
            &[
                ("socktrace.leak.phase", json!("open")),
                ("socktrace.leak.owner_via", json!("listener")),
                ("socktrace.socket.state", json!("CLOSE_WAIT")),
                ("process.pid", json!(pid)),
            ],
        );
        check_holders(&line.value, &[(pid, number(&listening, "fd"))].into());
    }
    let step = server.step_line("handling");
    let mut leak = Leak::told(stage.hooks(), watch, server, step);
    leak.opens(
        "close_wait",
        Some("eof_unread"),
        &[Deed::Accepted(pid), Deed::Read(pid)],
    );
    leak.resolves_when_told_to_close();
}

/// All ten of the sockets that lsof calls "protocol: TCP" or cannot identify are named, with every holder.
fn forking(stage: &Stage, with_child: bool) {
    let watch = stage.running().watch();
    let args: &[&str] = if with_child { &["--helper"] } else { &[] };
    let mut server = Workload::start(Program::Python("forking_server"), args);
    let steps: Vec<Value> = (0..10).map(|_| server.step("leaked")).collect();
    let pid = number(&steps[0], "pid");
    let next = |step: &Value, phase: &str| {
        let is_mine = |line: &Value| is_between(line, text(step, "local"), text(step, "peer"));
        watch.clone().expect_among(phase, FOUND, is_mine, |line| {
            text(line, "socktrace.leak.phase") == phase
        })
    };
    for step in &steps {
        let line = next(step, "open");
        let (via, tid) = stage.hooks().blamed(&[Deed::Accepted(number(step, "tid"))]);
        check(
            &line.value,
            &[
                ("socktrace.leak.kind", json!("closed_held")),
                ("socktrace.leak.diagnosis", json!("after_fin")),
                ("socktrace.socket.state", json!("CLOSE")),
                ("socktrace.leak.owner_via", json!(via)),
                ("process.pid", json!(pid)),
                ("process.thread.id", json!(tid)),
            ],
        );
        let mut holders = vec![(pid, number(step, "fd"))];
        holders.extend(with_child.then(|| (number(step, "helper_pid"), number(step, "fd"))));
        check_holders(&line.value, &holders.into_iter().collect());
    }
    let rows = scan_by("kind", &["--pid", &pid.to_string()]);
    assert_eq!(rows, [("closed_held".to_owned(), 10)]);

    server.say("close");
    let (cause, closer) = if with_child {
        server.say("release");
        let released = server.step("released");
        ("exited", number(&released, "pid"))
    } else {
        ("closed", pid)
    };
    for step in &steps {
        let end = next(step, "resolved");
        check(
            &end.value,
            &[
                ("socktrace.leak.cause", json!(cause)),
                ("socktrace.leak.closed_by.pid", json!(closer)),
            ],
        );
    }
}
