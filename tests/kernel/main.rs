//! Black-box tests on a real kernel, as root: real programs leak real sockets, and what the agent
//! says of them is compared with what is known to be true.
//!
//! ```text
//! kernel [--rung NAME] [libtest's arguments]   every case, with the hooks of one rung
//! kernel --cases hooks …                       only the cases about hooks; the others are ignored, visibly
//! kernel --list-rungs                          the rungs this kernel offers, a line each
//! kernel --install-workloads DIR               copies the workloads for WORKLOADS_DIR elsewhere
//! ```
//!
//! `SOCKTRACE_RUNG` names the rung too. `socktrace_tests` lists the other variables.

mod closed;
mod delivery;
mod expect;
mod heals;
mod healthy;
mod held;
mod history;
mod holders;
mod incidents;
mod leaks;
mod lines;
mod losses;
mod metrics;
mod names;
mod namespaces;
mod nginx;
mod options;
mod oracle;
mod owners;
mod progress;
mod reload;
mod replay;
mod restarts;
mod retry;
mod scan;
mod service;
mod services;
mod sockets;
mod stage;
mod startup;
mod threads;
mod times;
mod trace;
mod traps;
mod users;
mod watching;
mod whereabouts;
mod without_ebpf;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Trial;
use socktrace_tests::rung::RUNGS;
use socktrace_tests::{program, workload};

use crate::options::{Job, Options};
use crate::retry::Retries;
use crate::stage::Stage;
use crate::times::Times;

/// A test: its name and what it does on a stage.
type Case = (&'static str, fn(&Stage));

/// Cases whose outcome rests on the hooks that are used, by theme: they run on every rung.
const ABOUT_HOOKS: [&[Case]; 8] = [
    leaks::CASES,
    owners::CASES,
    closed::CASES,
    holders::CASES,
    threads::CASES,
    watching::CASES,
    trace::CASES,
    service::CASES,
];

/// Cases about what is made of what the hooks saw. Where time is short one rung of a kernel is enough.
const OTHERS: [&[Case]; 20] = [
    incidents::CASES,
    metrics::CASES,
    held::CASES,
    names::CASES,
    heals::CASES,
    healthy::CASES,
    losses::CASES,
    progress::CASES,
    startup::CASES,
    traps::CASES,
    scan::CASES,
    namespaces::CASES,
    restarts::CASES,
    delivery::CASES,
    history::CASES,
    reload::CASES,
    whereabouts::CASES,
    without_ebpf::CASES,
    service::MORE,
    replay::CASES,
];

/// Cases about real programs, with what each needs beside a kernel. A machine that is given its workloads
/// ready made is not given those: there they are ignored, visibly.
const WITH_PROGRAMS: [&[(&str, Case)]; 2] = [services::CASES, metrics::WITH_PROGRAMS];

fn main() -> ExitCode {
    let options = match Options::of(std::env::args()) {
        Ok(options) => options,
        Err(why) => return refused(&why),
    };
    match options.job {
        Job::InstallWorkloads(into) => match workload::install(stage::WORKLOADS, &into) {
            Ok(()) => ExitCode::SUCCESS,
            Err(err) => refused(&format!(
                "cannot copy the workloads to {}: {err}",
                into.display()
            )),
        },
        Job::ListRungs => needs_root().unwrap_or_else(list_rungs),
        // Listing needs no kernel.
        Job::Test if options.libtest.list => test(options),
        Job::Test => needs_root().unwrap_or_else(|| test(options)),
    }
}

/// Runs every case that the arguments select, then looks at what the agents that all cases shared
/// have to say at their end.
fn test(options: Options) -> ExitCode {
    let rung = options.rung;
    let stage = Arc::new(Stage::new(rung));
    let retries = Arc::new(Retries::default());
    let times = Arc::new(Times::default());
    let trial = |(name, case): Case| {
        let stage = Arc::clone(&stage);
        let retries = Arc::clone(&retries);
        let times = Arc::clone(&times);
        Trial::test(name, move || {
            times.measure(name, || retries.run(name, || case(&stage)));
            Ok(())
        })
    };
    let ready_made = std::env::var_os("WORKLOADS_DIR").is_some();
    let with_programs = WITH_PROGRAMS.into_iter().flatten();
    let with_programs = with_programs.map(|(programs, case)| {
        let is_there = !ready_made || programs.split_whitespace().all(program::is_installed);
        trial(*case)
            .with_kind(format!("needs {programs}"))
            .with_ignored_flag(!is_there || options.only_hooks)
    });
    let about_hooks = ABOUT_HOOKS.into_iter().flatten().map(|case| trial(*case));
    let others = OTHERS.into_iter().flatten();
    let others = others.map(|case| trial(*case).with_ignored_flag(options.only_hooks));
    let trials = about_hooks.chain(others).chain(with_programs);
    let mut arguments = options.libtest;
    arguments.test_threads.get_or_insert(stage::PARALLEL);
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if arguments.list {
        return ExitCode::SUCCESS;
    }
    let (passed, failed) = stage.curtain();
    times.summarise();
    let passed = conclusion.num_passed + passed;
    let failed = conclusion.num_failed + failed;
    println!(
        "socktrace-kernel-tests: rung={} passed={passed} failed={failed} ignored={} tried_twice={}",
        rung.name,
        conclusion.num_ignored,
        retries.summarise()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints each rung that is offered, but none that is what an earlier one came to: what the agent chooses
/// is mostly the best rung too.
fn list_rungs() -> ExitCode {
    let mut listed = Vec::new();
    for rung in RUNGS {
        match rung.offered() {
            Ok(Some(hooks)) if !listed.contains(&hooks) => {
                println!("{}", rung.name);
                listed.push(hooks);
            }
            Ok(_) => {}
            Err(why) => return refused(&format!("rung {}: {why}", rung.name)),
        }
    }
    ExitCode::SUCCESS
}

/// What to end with if this is not root.
fn needs_root() -> Option<ExitCode> {
    // SAFETY: geteuid() has no preconditions and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    (!root)
        .then(|| refused("the kernel tests load eBPF programs and must run as root: use sudo -E"))
}

fn refused(why: &str) -> ExitCode {
    eprintln!("socktrace-kernel-tests: {why}");
    ExitCode::FAILURE
}
