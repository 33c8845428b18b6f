//! `cargo xtask vm`: the kernel tests on the kernels of Debian, in virtual machines.
//!
//! * [`apt`]: packages of other releases than this machine's.
//! * [`kernels`]: finds a kernel's package and unpacks it, once.
//! * [`guest`]: builds the programs that run in the guest.
//! * [`initramfs`]: the guest's files.
//! * [`qemu`]: the emulator, the system's or one of our own.
//! * [`machine`]: boots it, shows its console, reads the results.

mod apt;
mod guest;
mod initramfs;
mod kernels;
mod machine;
mod qemu;

use std::collections::VecDeque;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use self::guest::Guest;
use self::machine::Report;
use crate::{setup, shell};

/// The kernels of the matrix, if none is named, each with what a test of everything takes: the rung that the
/// agent chooses there, and one other, so that each rung runs on one kernel at least. Every case runs on the oldest
/// and the newest kernel, and on this machine's; an emulated machine takes minutes for that.
const MATRIX: [(&str, [&str; 2], Breadth); 4] = [
    ("5.10", ["auto", "tracepoint"], Breadth::Chosen),
    ("6.1", ["auto", "cgroup"], Breadth::Hooks),
    ("6.12", ["auto", "minimal"], Breadth::Hooks),
    ("7.3", ["auto", "trampoline"], Breadth::Chosen),
];

/// What to test on a kernel.
#[derive(Debug)]
struct Order {
    version: String,
    /// All that it offers, if none is named.
    rungs: Vec<String>,
    breadth: Breadth,
}

/// How many machines run side by side. Each has two processors; more than two would slow each other down
/// until deadlines in the guests pass.
const SIDE_BY_SIDE: usize = 2;

/// Makes sure that machines can be started.
pub(crate) fn setup() -> Result<()> {
    if cfg!(target_arch = "x86_64") {
        qemu::setup()
    } else {
        Ok(())
    }
}

/// How much of the product of cases and rungs is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// Every case on every rung.
    Full,
    /// Every case on the rung that the agent chooses; on the others the cases about hooks.
    Chosen,
    /// The cases about hooks.
    Hooks,
}

impl Breadth {
    /// The quick one, or all.
    pub(crate) fn of(quick: bool) -> Self {
        if quick { Self::Chosen } else { Self::Full }
    }
}

/// The matrix as a part of all tests, where time is short: [`MATRIX`].
pub(crate) fn test() -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        eprintln!("vm: NOT TESTED: the virtual machines are x86-64 ones, and this machine is not");
        return Ok(());
    }
    run(&MATRIX.map(|(version, rungs, breadth)| Order {
        version: version.to_owned(),
        rungs: rungs.map(String::from).to_vec(),
        breadth,
    }))
}

/// Runs the kernel tests on each of `versions`, or on all kernels of the matrix, on the rungs named, or else on
/// all that a kernel offers.
pub(crate) fn command(versions: &[String], rungs: &[String], breadth: Breadth) -> Result<()> {
    let all = MATRIX.map(|(version, ..)| version.to_owned());
    let versions = if versions.is_empty() { &all } else { versions };
    let orders: Vec<Order> = versions
        .iter()
        .map(|version| Order {
            version: version.clone(),
            rungs: rungs.to_vec(),
            breadth,
        })
        .collect();
    run(&orders)
}

fn run(orders: &[Order]) -> Result<()> {
    setup::tests()?;
    ensure!(
        cfg!(target_arch = "x86_64"),
        "the virtual machines are x86-64 ones; on this machine run the kernel tests on the host"
    );
    let guest = Guest::build()?;
    let waiting = Mutex::new(orders.iter().collect::<VecDeque<_>>());
    let reports = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(orders.len()) {
            scope.spawn(|| {
                // The lock is let go before the machine runs.
                let next = || {
                    // The oldest and the newest kernel take longest: they begin.
                    let mut waiting = locked(&waiting);
                    if waiting.len() % 2 == 0 {
                        waiting.pop_front()
                    } else {
                        waiting.pop_back()
                    }
                };
                while let Some(order) = next() {
                    let report = one(order, &guest);
                    let version = order.version.as_str();
                    if let Err(error) = &report {
                        eprintln!("vm: {version}: {error:#}");
                    }
                    locked(&reports).push((version, report));
                }
            });
        }
    });
    summarise(orders, &locked(&reports))
}

fn one(order: &Order, guest: &Guest) -> Result<Report> {
    let version = order.version.as_str();
    let kernel = kernels::find(version).with_context(|| format!("no kernel {version}"))?;
    let folder = shell::target().join("vm").join(version);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let image = initramfs::build(&folder, guest, &kernel, &order.rungs, order.breadth)?;
    machine::run(version, &kernel, &image)
}

/// Prints a line for each kernel and rung; fails unless every test of every kernel passed.
fn summarise(orders: &[Order], reports: &[(&str, Result<Report>)]) -> Result<()> {
    eprintln!("\nkernel    rung           passed  failed  ignored    time");
    let mut failed = 0;
    for Order { version, .. } in orders {
        let report = reports
            .iter()
            .find(|(of, _)| of == version)
            .map(|(_, report)| report);
        match report.unwrap_or(&Err(anyhow!("it did not run"))) {
            Ok(report) => {
                for rung in &report.rungs {
                    eprintln!(
                        "{version:<9} {:<14} {:>6}  {:>6}  {:>7}  {:>4} s",
                        rung.name, rung.passed, rung.failed, rung.ignored, rung.seconds
                    );
                }
                let result = if report.is_good() { "ok" } else { "FAILED" };
                eprintln!("{version:<9} {} {result}", report.kernel);
                failed += usize::from(!report.is_good());
            }
            Err(error) => {
                eprintln!("{version:<9} {error:#}");
                failed += 1;
            }
        }
    }
    ensure!(
        failed == 0,
        "the kernel tests failed on {failed} of {} kernels",
        orders.len()
    );
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
