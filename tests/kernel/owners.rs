//! Who is blamed: the thread that used the socket last, as far as the rung's hooks can see it.

use serde_json::json;
use socktrace_tests::json::check;
use socktrace_tests::rung::Deed;
use socktrace_tests::workload::Program;

use crate::Case;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("owners::worker_in_c", |stage| {
        worker(stage, Program::C("worker"));
    }),
    ("owners::worker_in_python", |stage| {
        worker(stage, Program::Python("worker"));
    }),
    ("owners::worker_in_rust", |stage| {
        worker(stage, Program::Rust("worker"));
    }),
    ("owners::main_accepts_and_worker_reads", main_accepts),
    ("owners::worker_that_has_ended", worker_ended),
    ("owners::client_in_c", |stage| {
        client(stage, Program::C("client_leak"));
    }),
    ("owners::client_in_python", |stage| {
        client(stage, Program::Python("client_leak"));
    }),
    ("owners::client_in_rust", |stage| {
        client(stage, Program::Rust("client_leak"));
    }),
    ("owners::client_that_has_read", client_that_has_read),
];

/// The worker accepts and reads, the main thread only holds what is left.
fn worker(stage: &Stage, program: Program) {
    let mut leak = stage.leak(program, &[]);
    let tid = leak.tid();
    assert_ne!(tid, leak.pid(), "the worker is not the main thread");
    let deeds = [Deed::Accepted(tid), Deed::Read(tid)];
    let line = leak.opens("close_wait", Some("eof_unread"), &deeds);
    if stage.hooks().blamed(&deeds).1.is_some() {
        check(&line.value, &[("process.thread.name", json!("worker-2"))]);
    }
    leak.resolves_when_told_to_close();
}

fn main_accepts(stage: &Stage) {
    let mut leak = stage.leak(Program::C("worker"), &["--main-accepts"]);
    let deeds = [Deed::Accepted(leak.pid()), Deed::Read(leak.tid())];
    leak.opens("close_wait", Some("eof_unread"), &deeds);
    leak.resolves_when_told_to_close();
}

/// A thread that is no more is still the one to blame; only its name cannot be read.
fn worker_ended(stage: &Stage) {
    let mut leak = stage.leak(Program::C("worker"), &["--worker-exits"]);
    let tid = leak.tid();
    let deeds = [Deed::Accepted(tid), Deed::Read(tid)];
    leak.opens("close_wait", Some("eof_unread"), &deeds);
    leak.resolves_when_told_to_close();
}

fn client(stage: &Stage, program: Program) {
    let mut leak = stage.leak(program, &[]);
    let tid = leak.tid();
    let line = leak.opens("close_wait", Some("eof_unread"), &[Deed::Connected(tid)]);
    leak.came_in_time(&line);
    leak.resolves_when_told_to_close();
}

fn client_that_has_read(stage: &Stage) {
    let mut leak = stage.leak(Program::C("client_leak"), &["--read-eof"]);
    let tid = leak.tid();
    let deeds = [Deed::Connected(tid), Deed::Read(tid), Deed::ReadEnd(tid)];
    leak.opens("close_wait", Some(stage.hooks().end_was_read()), &deeds);
    leak.resolves_when_told_to_close();
}
