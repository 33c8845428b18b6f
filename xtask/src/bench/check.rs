//! The short form: fails if watching has become much dearer, on any machine.
//!
//! Absolute times differ from machine to machine and from minute to minute; here everything is set against
//! empty programs at the same hooks, or against `run`, in the same minute.

use anyhow::{Result, ensure};

use crate::build;

use super::bpf::{Accounting, Costs, spent};
use super::figures::quantile;
use super::load::{Lane, churn};
use super::subject::{Subject, Tools, Watcher};

/// Connections of one sample: enough for the clock, few enough that all is done within half a minute.
const CONNECTIONS: u32 = 4_000;
const ROUNDS: usize = 7;

/// The most that the time of `run`'s programs may be as a multiple of the empty ones'. It was 2.1 when this
/// was set: whoever doubles the cost fails, whoever lowers it lowers this too.
const RUN: f64 = 3.5;
/// The same for `trace`, which was 14.7.
const TRACE: f64 = 24.0;

/// Measures and judges.
pub(crate) fn command() -> Result<()> {
    let (tools, _folder) = super::tools(&build::tested()?)?;
    let mut wrong = Vec::new();
    for (subject, limit) in [(Subject::Run, RUN), (Subject::Trace, TRACE)] {
        let ratio = ratio(&tools, subject)?;
        eprintln!(
            "bench: {}: {ratio:.2} times the time of empty programs, at most {limit}",
            subject.name()
        );
        if ratio.is_nan() || ratio > limit {
            wrong.push(subject.name());
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} has become dearer",
        wrong.join(" and ")
    );
    Ok(())
}

/// The least time over all rounds for each: what disturbs only ever adds.
fn ratio(tools: &Tools, subject: Subject) -> Result<f64> {
    let floor = Subject::Floor.start(tools)?;
    let watcher = subject.start(tools)?;
    let accounting = Accounting::start()?;
    let (mut least, mut own) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = (floor.costs()?, watcher.costs()?);
        churn(&Lane::loopback(CONNECTIONS, 1))?;
        least.push(time(&before.0, &floor)?);
        own.push(time(&before.1, &watcher)?);
    }
    drop(accounting);
    watcher.stop()?;
    floor.stop()?;
    Ok(quantile(&own, 0.0) / quantile(&least, 0.0))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn time(before: &Costs, watcher: &Watcher) -> Result<f64> {
    let ns: u64 = spent(before, &watcher.costs()?)
        .values()
        .map(|cost| cost.ns)
        .sum();
    ensure!(ns > 0, "the kernel accounts for no BPF program");
    Ok(ns as f64)
}
