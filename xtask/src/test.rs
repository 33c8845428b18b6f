//! `cargo xtask test`: everything that has to pass, in the order in which it is likely to fail.
//!
//! The virtual machines come last. Under emulation they take longest, so every case runs on one rung of hooks
//! of the oldest and the newest kernel, and the cases about hooks on one other, and on two of the kernels in
//! between; `cargo xtask vm` runs every case on every rung.
//!
//! The first failing step ends it; the table at the end says which, and which steps were not reached.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::clock::Stopwatch;
use crate::{bench, build, fuzz, licences, lint, setup, shell, tidy, validate, vm};

/// How long each fuzz target runs.
const FUZZ_SECONDS: u32 = 5;

/// A part of the tests.
struct Step {
    name: &'static str,
    run: fn() -> Result<()>,
}

const STEPS: [Step; 11] = [
    Step {
        name: "setup",
        run: setup::tests,
    },
    Step {
        name: "tidy",
        run: tidy::command,
    },
    Step {
        name: "licences",
        run: licences::command,
    },
    Step {
        name: "lint",
        run: lint::command,
    },
    Step {
        name: "unit",
        run: unit,
    },
    Step {
        name: "command line",
        run: command_line,
    },
    Step {
        name: "validate",
        run: validate::command,
    },
    Step {
        name: "kernel, this machine",
        run: kernel,
    },
    Step {
        name: "cost",
        run: bench::check,
    },
    Step {
        name: "fuzz",
        run: || fuzz::command(FUZZ_SECONDS),
    },
    Step {
        name: "kernel, others",
        run: vm::test,
    },
];

/// Runs all steps and prints how long each took.
pub(crate) fn command() -> Result<()> {
    let begin = Stopwatch::start();
    let mut table = Vec::new();
    let mut failure = None;
    for step in &STEPS {
        eprintln!("\n=== {} ===", step.name);
        let since = Stopwatch::start();
        let result = (step.run)();
        table.push((step.name, since.elapsed()));
        if let Err(error) = result {
            failure = Some(error.context(format!("step `{}`", step.name)));
            break;
        }
    }
    summarise(&table, failure.is_some(), begin.elapsed());
    failure.map_or(Ok(()), Err)
}

fn summarise(table: &[(&str, Duration)], failed: bool, total: Duration) {
    eprintln!("\nstep                      time  result");
    for (index, step) in STEPS.iter().enumerate() {
        let (time, result) = match table.get(index) {
            Some((_, time)) if failed && index + 1 == table.len() => (seconds(*time), "FAILED"),
            Some((_, time)) => (seconds(*time), "ok"),
            None => ("-".into(), "not run"),
        };
        eprintln!("{:<22} {time:>7}  {result}", step.name);
    }
    eprintln!("{:<22} {:>7}", "total", seconds(total));
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Unit and property tests, with everything and with as little as can be.
fn unit() -> Result<()> {
    let all: [&[&str]; 2] = [
        &[
            "--workspace",
            "--exclude",
            "socktrace-tests",
            "--features",
            "socktrace/full",
        ],
        &["--package", "socktrace", "--no-default-features"],
    ];
    for which in all {
        shell::run(
            shell::cargo()
                .args(["test", "--locked", "--quiet"])
                .args(which),
        )?;
    }
    Ok(())
}

/// Black-box tests that need no kernel: arguments, exit statuses, files, signals.
fn command_line() -> Result<()> {
    shell::run(
        black_box(&build::tested()?).args(["--lib", "--bins", "--test", "cli", "--test", "feeds"]),
    )
}

/// The kernel tests on this kernel: every case on the rung that the agent chooses, which is listed first, and the
/// cases about hooks on each other one that the kernel offers.
fn kernel() -> Result<()> {
    ensure!(
        shell::is_root(),
        "the kernel tests load eBPF programs; run them as root: sudo -E cargo xtask test"
    );
    let socktrace = build::tested()?;
    let rungs = black_box(&socktrace)
        .args(["--quiet", "--test", "kernel", "--", "--list-rungs"])
        .output()
        .context("cannot start cargo")?;
    ensure!(
        rungs.status.success(),
        "cannot list the rungs: {}",
        String::from_utf8_lossy(&rungs.stderr)
    );
    let rungs = String::from_utf8(rungs.stdout).context("the rungs are no UTF-8")?;
    let mut tested = 0;
    for rung in rungs.lines().map(str::trim).filter(|rung| !rung.is_empty()) {
        let cases = if tested == 0 { "all" } else { "hooks" };
        let args = ["--test", "kernel", "--", "--rung", rung, "--cases", cases];
        shell::run(black_box(&socktrace).args(args))?;
        tested += 1;
    }
    ensure!(
        tested > 0,
        "this kernel offers no rung; `socktrace doctor` says why"
    );
    Ok(())
}

fn black_box(socktrace: &PathBuf) -> Command {
    let mut cargo = shell::cargo();
    cargo.env("SOCKTRACE_BIN", socktrace).args([
        "test",
        "--locked",
        "--package",
        "socktrace-tests",
    ]);
    cargo
}
