//! What a healthy connection costs: throughput, time in BPF programs, the agent's processor time, losses.

use std::time::Duration;

use anyhow::{Context, Result};

use super::super::bpf::{Accounting, Cost, spent};
use super::super::figures::Figures;
use super::super::load::{Lane, Veth, churn};
use super::super::subject::{ALL, Subject, Tools};

/// How many connections are made while the kernel accounts for programs: the accounting has a cost of its
/// own, so throughput and processor time are measured without.
const ACCOUNTED: u32 = 20_000;

pub(in super::super) const THROUGHPUT: &str = "churn on loopback";
pub(in super::super) const BPF: &str = "BPF time a connection";
pub(in super::super) const CPU: &str = "agent CPU a connection";
const RUNS: &str = "BPF runs a connection";
const LOST: &str = "lost events";
const VETH: &str = "churn over veth";

/// Every subject in turn, `rounds` times.
pub(in super::super) fn measure(
    tools: &Tools,
    figures: &mut Figures,
    (connections, threads, rounds): (u32, u16, u32),
) -> Result<()> {
    let subjects: Vec<Subject> = ALL
        .into_iter()
        .filter(|subject| subject.is_there())
        .collect();
    let veth = Veth::make()
        .map_err(|error| figures.note(format!("nothing over veth: {error:#}")))
        .ok();
    let lane = Lane::loopback(connections, threads);
    // Caches, and the ports of the connections before us.
    churn(&Lane::loopback(connections.min(20_000), threads))?;
    for round in 0..rounds {
        for index in 0..subjects.len() {
            // Nobody always comes after the same one otherwise.
            let subject = subjects[(index + round as usize) % subjects.len()];
            eprintln!(
                "bench: connection, round {} of {rounds}: {}",
                round + 1,
                subject.name()
            );
            one(tools, figures, subject, &lane, veth.as_ref())
                .with_context(|| format!("while {} was watching", subject.name()))?;
        }
    }
    goals(figures);
    Ok(())
}

fn one(
    tools: &Tools,
    figures: &mut Figures,
    subject: Subject,
    lane: &Lane,
    veth: Option<&Veth>,
) -> Result<()> {
    let who = subject.name();
    let mut watcher = subject.start(tools)?;
    let idle = watcher.cpu()?;
    figures.add(THROUGHPUT, who, "conn/s", churn(lane)?);
    let used = watcher.cpu()?.saturating_sub(idle);
    if let Some(veth) = veth {
        figures.add(
            VETH,
            who,
            "conn/s",
            churn(&Lane::over(veth, lane.count() / 4))?,
        );
    }
    if subject != Subject::None {
        let cost = accounted(&watcher)?;
        figures.add(BPF, who, "ns", per_connection(cost.ns, ACCOUNTED));
        figures.add(RUNS, who, "", per_connection(cost.runs, ACCOUNTED));
    }
    if let Some((resident, _)) = watcher.memory()? {
        figures.add(CPU, who, "ns", nanoseconds(used) / f64::from(lane.count()));
        figures.add("resident after churn", who, "MiB", mebibytes(resident));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        figures.add(LOST, who, "", watcher.stop()? as f64);
    }
    Ok(())
}

/// What its programs cost during some connections.
fn accounted(watcher: &super::super::subject::Watcher) -> Result<Cost> {
    let accounting = Accounting::start()?;
    let before = watcher.costs()?;
    churn(&Lane::loopback(ACCOUNTED, 1))?;
    let after = watcher.costs()?;
    drop(accounting);
    let programs = spent(&before, &after);
    for (name, cost) in &programs {
        eprintln!(
            "bench:   {name}: {:.0} ns × {:.2}",
            per_connection(cost.ns, 1) / per_connection(cost.runs, 1),
            per_connection(cost.runs, ACCOUNTED)
        );
    }
    Ok(programs.values().fold(Cost::default(), |sum, cost| Cost {
        ns: sum.ns + cost.ns,
        runs: sum.runs + cost.runs,
    }))
}

fn goals(figures: &mut Figures) {
    let of = |figures: &Figures, what, subject: Subject| figures.median(what, subject.name());
    let bpf = |subject| of(figures, BPF, subject);
    let ratio = |a: Option<f64>, b: Option<f64>| Some(a? / b?);
    let sum = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
    let run = bpf(Subject::Run);
    let against_life = ratio(bpf(Subject::TcpLife), run);
    let against_states = ratio(bpf(Subject::TcpStates), run);
    let above_floor = ratio(run, bpf(Subject::Floor));
    let throughput = ratio(
        of(figures, THROUGHPUT, Subject::Run),
        of(figures, THROUGHPUT, Subject::None),
    );
    let healthy = of(figures, CPU, Subject::Run).map(|ns| ns * 1e6 / 1e9);
    let whole = |subject| sum(bpf(subject), of(figures, CPU, subject));
    let traced = ratio(whole(Subject::Trace), whole(Subject::TcpStates));
    let traced_bpf = ratio(bpf(Subject::Trace), bpf(Subject::TcpStates));
    let lost = of(figures, LOST, Subject::Trace);
    figures.at_most(
        "run: BPF time a connection",
        run.map(|ns| ns / 1e3),
        0.9,
        "µs",
    );
    figures.at_least("run: BPF time of tcplife / ours", against_life, 10.0, "");
    figures.at_least(
        "run: BPF time of tcpstates / ours",
        against_states,
        23.0,
        "",
    );
    figures.at_least("run: churn / none", throughput, 0.98, "");
    figures.at_most("run: CPU of 1 M healthy connections", healthy, 0.05, "s");
    figures.at_most("trace: (BPF + CPU) / tcpstates", traced, 0.5, "");
    figures.at_most("trace: BPF / tcpstates", traced_bpf, 0.5, "");
    figures.at_most("trace: lost", lost, 0.0, "");
    if let Some(ratio) = above_floor {
        figures.note(format!(
            "run's BPF time is {ratio:.2} times that of empty programs"
        ));
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn per_connection(sum: u64, connections: u32) -> f64 {
    sum as f64 / f64::from(connections)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(in super::super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
