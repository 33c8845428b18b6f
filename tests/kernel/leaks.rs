//! The classic leak, in three languages, from its discovery to its end.

use std::fs;

use serde_json::json;
use socktrace_tests::json::{check, text};
use socktrace_tests::log::Line;
use socktrace_tests::rung::Deed;
use socktrace_tests::workload::Program;

use crate::Case;
use crate::expect::{FOUND, Leak};
use crate::lines::{check_holders, end_in};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("leaks::classic_in_c", |stage| {
        classic(stage, Program::C("close_wait"));
    }),
    ("leaks::classic_in_python", |stage| {
        classic(stage, Program::Python("close_wait"));
    }),
    ("leaks::classic_in_rust", |stage| {
        classic(stage, Program::Rust("close_wait"));
    }),
    ("leaks::unread_data", unread_data),
    ("leaks::data_read_but_not_the_end", read_data),
    ("leaks::end_read_but_not_closed", read_end),
    ("leaks::end_read_with_the_last_data", end_with_data),
    ("leaks::closed_by_another_thread", closed_by_another_thread),
    ("leaks::process_exits", |stage| {
        ends(stage, |leak| leak.workload.say("exit"));
    }),
    ("leaks::process_is_killed", |stage| {
        ends(stage, |leak| leak.workload.kill());
    }),
    ("leaks::read_at_last_is_progress", read_at_last),
    ("leaks::unaccepted", unaccepted),
    ("leaks::half_closed", half_closed),
];

/// Accepted, the peer is gone, never read, never closed; closed at last.
fn classic(stage: &Stage, program: Program) {
    let mut leak = stage.leak(program, &[]);
    let tid = leak.tid();
    let line = leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    leak.came_in_time(&line);
    check(&line.value, &[("socktrace.socket.rx_queue", json!(1))]);
    check_process(&line, &leak);
    let end = leak.resolves_when_told_to_close();
    let id = line.value["socktrace"]["leak"]["id"].clone();
    check(
        &end.value,
        &[
            ("socktrace.leak.id", id),
            ("socktrace.leak.kind", json!("close_wait")),
        ],
    );
}

/// What /proc says of the process is what the line says.
#[track_caller]
fn check_process(line: &Line, leak: &Leak) {
    let proc = format!("/proc/{}", leak.pid());
    let read = |file: &str| fs::read_to_string(format!("{proc}/{file}")).expect(file);
    let status = read("status");
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next())
            .expect(name)
            .to_owned()
    };
    let parent: u64 = value("PPid:").parse().expect("a pid");
    let executable = fs::read_link(format!("{proc}/exe"))
        .expect("exe")
        .display()
        .to_string();
    let command_line = read("cmdline").replace('\0', " ");
    check(
        &line.value,
        &[
            ("process.name", json!(read("comm").trim_end())),
            ("process.executable", json!(executable)),
            ("process.command_line", json!(command_line.trim_end())),
            ("process.user.id", json!(value("Uid:"))),
            ("process.parent.pid", json!(parent)),
        ],
    );
    if let Some(tid) = line.value["process"]["thread"]["id"].as_u64() {
        let name = read(&format!("task/{tid}/comm"));
        check(
            &line.value,
            &[("process.thread.name", json!(name.trim_end()))],
        );
    }
    let started = humantime::parse_rfc3339(text(&line.value, "process.start")).expect("a time");
    let became = humantime::parse_rfc3339(text(&line.value, "event.start")).expect("a time");
    assert!(
        started < became,
        "the process started before it leaked: {}",
        line.raw
    );
}

fn unread_data(stage: &Stage) {
    let mut leak = stage.leak(Program::C("close_wait"), &["--unread-data"]);
    let tid = leak.tid();
    let line = leak.opens("close_wait", Some("unread_data"), &[Deed::Accepted(tid)]);
    // Five bytes and the peer's FIN.
    check(&line.value, &[("socktrace.socket.rx_queue", json!(6))]);
    leak.resolves_when_told_to_close();
}

fn read_data(stage: &Stage) {
    let mut leak = stage.leak(Program::Rust("close_wait"), &["--read-data"]);
    let tid = leak.tid();
    let deeds = [Deed::Accepted(tid), Deed::Read(tid)];
    leak.opens("close_wait", Some("eof_unread"), &deeds);
    leak.resolves_when_told_to_close();
}

fn read_end(stage: &Stage) {
    let mut leak = stage.leak(Program::Python("close_wait"), &["--read-eof"]);
    let tid = leak.tid();
    let deeds = [Deed::Accepted(tid), Deed::Read(tid), Deed::ReadEnd(tid)];
    let line = leak.opens("close_wait", Some(stage.hooks().end_was_read()), &deeds);
    check(&line.value, &[("socktrace.socket.rx_queue", json!(0))]);
    leak.resolves_when_told_to_close();
}

/// The kernel takes a FIN that came with data for read as soon as the data is; without a read that
/// returned 0 nobody can know whether the program has noticed.
fn end_with_data(stage: &Stage) {
    let mut leak = stage.leak(Program::C("close_wait"), &["--fin-with-data"]);
    let tid = leak.tid();
    let deeds = [Deed::Accepted(tid), Deed::Read(tid)];
    let line = leak.opens("close_wait", Some("eof_unknown"), &deeds);
    check(&line.value, &[("socktrace.socket.rx_queue", json!(0))]);
    leak.resolves_when_told_to_close();
}

fn closed_by_another_thread(stage: &Stage) {
    let mut leak = stage.leak(Program::C("close_wait"), &["--closer-thread"]);
    let tid = leak.tid();
    leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    let line = leak.resolves_when_told_to_close();
    let closer = leak.step.value["closer_tid"].clone();
    assert_ne!(closer, json!(tid));
    check(
        &line.value,
        &[
            ("socktrace.leak.closed_by.tid", closer),
            ("socktrace.leak.closed_by.comm", json!("closer")),
        ],
    );
}

fn ends(stage: &Stage, end: fn(&mut Leak)) {
    let mut leak = stage.leak(Program::C("close_wait"), &[]);
    let tid = leak.tid();
    leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    end(&mut leak);
    leak.resolves("exited");
}

/// A program that takes the data after all is at work again; it leaks anew, under another name, if
/// it then stops.
fn read_at_last(stage: &Stage) {
    let mut leak = stage.leak(Program::C("close_wait"), &["--unread-data"]);
    let tid = leak.tid();
    let first = leak.opens("close_wait", Some("unread_data"), &[Deed::Accepted(tid)]);
    leak.workload.say("read");
    let read = leak.workload.step("read");
    check(&read, &[("bytes", json!(5))]);
    leak.resolves("progress");
    let deeds = [Deed::Accepted(tid), Deed::Read(tid)];
    // The read took the end along with the data, without saying so.
    let again = leak.opens("close_wait", Some("eof_unknown"), &deeds);
    let id = |line: &Line| text(&line.value, "socktrace.leak.id").to_owned();
    assert_ne!(
        id(&first),
        id(&again),
        "the second leak has a name of its own"
    );
    leak.resolves_when_told_to_close();
}

/// Nobody has such a connection, so the holders of its listener are told. Being accepted at last is
/// no progress: the finding goes on.
fn unaccepted(stage: &Stage) {
    let watch = stage.running().watch();
    let mut leak = stage.leak(Program::C("unaccepted"), &["1"]);
    let (pid, fd) = (leak.pid(), leak.step.value["fd"].clone());
    let local = text(&leak.step.value, "local").to_owned();
    let open = watch.clone().expect("unaccepted", FOUND, |line| {
        text(line, "socktrace.leak.kind") == "unaccepted"
            && end_in(line, "socktrace.local").as_deref() == Some(local.as_str())
    });
    check(
        &open.value,
        &[
            ("socktrace.leak.phase", json!("open")),
            ("socktrace.leak.owner_via", json!("listener")),
            ("socktrace.leak.diagnosis", json!(null)),
            ("socktrace.socket.state", json!("CLOSE_WAIT")),
            ("process.pid", json!(pid)),
            ("process.thread", json!(null)),
        ],
    );
    check_holders(&open.value, &[(pid, fd.as_u64().expect("a number"))].into());
    leak.came_in_time(&open);

    leak.workload.say("accept");
    leak.step = leak.workload.step_line("accepted");
    let update = leak.becomes("close_wait");
    check_holders(&update.value, &leak.holders());
    check(
        &update.value,
        &[
            (
                "socktrace.leak.id",
                open.value["socktrace"]["leak"]["id"].clone(),
            ),
            ("event.start", open.value["event"]["start"].clone()),
        ],
    );
    leak.resolves_when_told_to_close();
}

fn half_closed(stage: &Stage) {
    let mut leak = stage.leak(Program::C("half_closed"), &[]);
    let tid = leak.tid();
    let open = leak.opens("half_closed", None, &[Deed::Accepted(tid)]);
    leak.came_in_time(&open);
    leak.workload.say("peer-close");
    leak.workload.step("peer_closed");
    let update = leak.becomes("closed_held");
    check(
        &update.value,
        &[
            (
                "socktrace.leak.id",
                open.value["socktrace"]["leak"]["id"].clone(),
            ),
            ("socktrace.socket.state", json!("CLOSE")),
        ],
    );
    leak.resolves_when_told_to_close();
}
