//! Which thread: pools, runtimes, many that wait at once, and io_uring.

use serde_json::{Value, json};
use socktrace_tests::child::Outcome;
use socktrace_tests::json::{check, field, has, number, text};
use socktrace_tests::rung::{AcceptHook, Deed};
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, Leak};
use crate::lines::{holders_in, is_between};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("threads::of_a_pool_hand_a_connection_on", |stage| {
        handed_on(stage, false);
    }),
    ("threads::of_a_pool_answer_last", |stage| {
        handed_on(stage, true);
    }),
    ("threads::of_an_async_runtime", async_runtime),
    ("threads::thirty_blocked_acceptors", blocked_acceptors),
    ("threads::io_uring", |stage| uring(stage, "rings")),
    ("threads::io_uring_workers", |stage| {
        uring(stage, "workers");
    }),
    ("threads::io_uring_registered_file", registered),
];

/// More than a kretprobe has instances for.
const ACCEPTORS: usize = 30;

/// One thread accepts, others read, the last one is blamed.
fn handed_on(stage: &Stage, answered: bool) {
    let args: &[&str] = if answered { &["--answered"] } else { &[] };
    let mut leak = stage.leak(Program::C("handover"), args);
    let threads = leak.step.value["threads"].clone();
    let tid = |n: usize| number(&threads[n], "tid");
    let mut deeds = vec![
        Deed::Accepted(tid(0)),
        Deed::Read(tid(1)),
        Deed::Read(tid(2)),
    ];
    deeds.extend(answered.then(|| Deed::Wrote(tid(3))));
    let line = leak.opens("close_wait", Some("eof_unread"), &deeds);
    let threads = threads.as_array().expect("threads");
    let blamed = stage.hooks().blamed(&deeds).1;
    let named = threads
        .iter()
        .find(|thread| thread["tid"].as_u64() == blamed);
    let name = named.map_or(Value::Null, |thread| thread["name"].clone());
    check(&line.value, &[("process.thread.name", name)]);
    for used in field(&line.value, "socktrace.leak.threads")
        .as_array()
        .into_iter()
        .flatten()
    {
        let thread = threads.iter().find(|thread| thread["tid"] == used["tid"]);
        let thread = thread.unwrap_or_else(|| panic!("{used} is none of {threads:?}"));
        check(
            used,
            &[
                ("name", thread["name"].clone()),
                ("pid", leak.step.value["pid"].clone()),
            ],
        );
    }
    leak.resolves_when_told_to_close();
}

/// The thread is that of the runtime on which the last read happened to run.
fn async_runtime(stage: &Stage) {
    let mut leak = stage.leak(Program::Rust("async_worker"), &[]);
    let (accepted, read) = (number(&leak.step.value, "accept_tid"), leak.tid());
    assert!(![accepted, read].contains(&leak.pid()), "{}", leak.step.raw);
    let deeds = [Deed::Accepted(accepted), Deed::Read(read)];
    let line = leak.opens("close_wait", Some("eof_unread"), &deeds);
    if stage.hooks().blamed(&deeds).1.is_some() {
        check(&line.value, &[("process.thread.name", json!("rt-worker"))]);
    }
    leak.resolves_when_told_to_close();
}

/// Each of the threads that waited at once is blamed for its own connection. Where a kretprobe misses
/// some, they are not named at all, and the status says so from the start.
fn blocked_acceptors(stage: &Stage) {
    let watch = stage.running().watch();
    let mut workload = Workload::start(Program::C("acceptors"), &[&ACCEPTORS.to_string()]);
    let mut named = 0;
    for _ in 0..ACCEPTORS {
        let step = workload.step("leaked");
        let is_mine = |line: &Value| is_between(line, text(&step, "local"), text(&step, "peer"));
        let line = watch
            .clone()
            .expect_among("finding", FOUND, is_mine, |line| {
                text(line, "socktrace.leak.phase") == "open"
            });
        check(
            &line.value,
            &[
                ("process.pid", step["pid"].clone()),
                ("socktrace.leak.kind", json!("close_wait")),
                ("socktrace.leak.diagnosis", json!("eof_unread")),
            ],
        );
        let holder = (number(&step, "pid"), number(&step, "fd"));
        assert_eq!(holders_in(&line.value), [holder].into(), "{}", line.raw);
        if has(&line.value, "process.thread") {
            let accepted = [
                ("process.thread.id", step["tid"].clone()),
                ("socktrace.leak.owner_via", json!("accept")),
            ];
            check(&line.value, &accepted);
            named += 1;
        } else {
            check(
                &line.value,
                &[("socktrace.leak.owner_via", json!("holder"))],
            );
        }
    }
    match stage.hooks().accept {
        AcceptHook::Fexit => assert_eq!(named, ACCEPTORS),
        AcceptHook::Kretprobe => {
            let lost = lost_for(stage.running().started(), "accept");
            assert!(lost.contains("accepts are missed"), "{lost}");
        }
        AcceptHook::None => assert_eq!(named, 0),
    }
}

/// Accept, receive and close that pass no system call of their own are seen like any other, whether the
/// thread that submitted them does them or one of the ring's workers.
fn uring(stage: &Stage, way: &str) {
    let watch = stage.running().watch();
    let Some(workload) = uring_workload(way) else {
        return;
    };
    let mut leak = Leak::of(stage.hooks(), watch, workload);
    let tid = leak.tid();
    assert_eq!(tid != leak.pid(), way == "workers", "{}", leak.step.raw);
    leak.opens(
        "close_wait",
        Some("eof_unread"),
        &[Deed::Accepted(tid), Deed::Read(tid)],
    );
    leak.resolves_when_told_to_close();
}

/// A file that only the ring refers to is in no table of descriptors. It is no finding, and `doctor` says
/// what cannot be seen; once it has a descriptor again it leaks like any other.
fn registered(stage: &Stage) {
    let doctor = Outcome::of(
        &mut socktrace_tests::program::socktrace(&["doctor", "--format", "text"]),
        socktrace_tests::agent::ATTACH,
    );
    assert!(
        doctor.stdout.contains("io_uring's registered files"),
        "{doctor:#?}"
    );
    let lost = lost_for(stage.running().started(), "holders");
    assert!(lost.contains("io_uring"), "{lost}");

    let mut watch = stage.running().watch();
    let Some(mut workload) = uring_workload("registered") else {
        return;
    };
    let step = workload.step("registered");
    stage.never_before_next_leak("socket without a descriptor", &mut watch, |line| {
        is_between(line, text(&step, "local"), text(&step, "peer"))
    });
    workload.say("install");
    let mut steps = workload.all_steps();
    let installed = steps.expect("answer", FOUND, |step| {
        ["leaked", "unsupported"].contains(&text(step, "step"))
    });
    if text(&installed.value, "step") == "unsupported" {
        println!("this kernel cannot give a registered file a descriptor (Linux 6.8 can)");
        return;
    }
    let mut leak = Leak::of(stage.hooks(), watch, workload);
    let pid = leak.pid();
    leak.opens(
        "close_wait",
        Some("eof_unread"),
        &[Deed::Accepted(pid), Deed::Read(pid)],
    );
    leak.resolves_when_told_to_close();
}

/// The workload, unless this kernel has no io_uring, which is said.
#[track_caller]
fn uring_workload(way: &str) -> Option<Workload> {
    let workload = Workload::start(Program::C("io_uring"), &[way]);
    let first = workload
        .all_steps()
        .expect("a step", FOUND, |step| text(step, "step") != "started");
    if text(&first.value, "step") != "unsupported" {
        return Some(workload);
    }
    println!("this kernel has no io_uring, or forbids it: {}", first.raw);
    None
}

/// What a status says is lost for a purpose.
#[track_caller]
fn lost_for<'s>(status: &'s Value, purpose: &str) -> &'s str {
    let hooks = field(status, "socktrace.status.hooks").as_array();
    let hook = hooks
        .into_iter()
        .flatten()
        .find(|hook| hook["purpose"] == purpose);
    text(
        hook.unwrap_or_else(|| panic!("no word on {purpose}")),
        "lost",
    )
}
