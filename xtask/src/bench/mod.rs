//! `cargo xtask bench`: what watching costs, side by side with others in the same run.
//!
//! * `load`: connections, requests, leaks; in processes of their own.
//! * `subject`: who watches.
//! * `bpf`, `process`: what that costs, by the kernel's own accounts; `btf`: how a function is named there.
//! * `measure`: the measurements; `figures`: medians, spreads and goals.
//! * `micro`: decoding, following and encoding by themselves.
//! * `check`: the short form for every test run, in ratios that do not depend on the machine.
//!
//! Whoever is compared takes turns in short rounds, so that what else happens on the machine hits all alike.

mod bpf;
mod btf;
mod check;
mod figures;
mod load;
mod measure;
mod micro;
mod process;
mod subject;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;

pub(crate) use check::command as check;
pub(crate) use load::{Load, command as load};

use crate::{build, shell};
use figures::Figures;
use measure::{connection, delay, leaked, request, scale};
use subject::Tools;

/// What to measure, and how thoroughly.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this; repeatable
    #[arg(long, value_enum)]
    only: Vec<Measurement>,
    /// Connections of a round; a quarter of it over veth, twice as many requests
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=2_000_000))]
    connections: u32,
    /// Threads that make connections
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// Rounds in which all take turns
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Sockets leaked for `leaked`
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    leaked: u32,
    /// Numbers of sockets for `scale`
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000, 1_000_000])]
    scale: Vec<u32>,
    /// Write all figures with their samples to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Instead: the short form that tests run, in ratios
    #[arg(long, conflicts_with = "micro")]
    check: bool,
    /// Instead: what the agent does with a record, function by function
    #[arg(long)]
    micro: bool,
}

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Measurement {
    /// A healthy connection: throughput, BPF time, processor time, losses
    Connection,
    /// Requests and responses on kept connections
    Request,
    /// Many leaked sockets: first verdict, memory, `scan` against ss and lsof
    Leaked,
    /// How much later than leak-after a leak is told
    Delay,
    /// The cost of a connection with more and more sockets tracked
    Scale,
}

/// Measures, and prints a table.
pub(crate) fn command(options: &Options) -> Result<()> {
    if options.micro {
        return micro::command();
    }
    if options.check {
        return check();
    }
    let (tools, _folder) = tools(&build::release()?)?;
    let mut figures = Figures::default();
    let rounds = options.rounds;
    for which in [
        Measurement::Connection,
        Measurement::Request,
        Measurement::Leaked,
        Measurement::Delay,
        Measurement::Scale,
    ] {
        if !options.only.is_empty() && !options.only.contains(&which) {
            continue;
        }
        let measured = match which {
            Measurement::Connection => {
                let much = (options.connections, options.threads, rounds);
                connection::measure(&tools, &mut figures, much)
            }
            Measurement::Request => {
                request::measure(&tools, &mut figures, options.connections * 2, rounds)
            }
            Measurement::Leaked => {
                leaked::measure(&tools, &mut figures, options.leaked, rounds.min(3))
            }
            Measurement::Delay => delay::measure(&tools, &mut figures),
            Measurement::Scale => scale::measure(&tools, &mut figures, &options.scale),
        };
        // What was measured before is not thrown away for it.
        if let Err(error) = measured {
            figures.note(format!("{which:?} came to no end: {error:#}"));
        }
    }
    println!("{}", figures.table());
    if let Some(path) = &options.json {
        let text = json!({ "machine": machine(), "results": figures.json() });
        std::fs::write(path, format!("{text:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    for missed in figures.missed() {
        eprintln!("bench: missed: {missed}");
    }
    Ok(())
}

/// The program under test, and a folder for its output that goes when dropped.
fn tools(socktrace: &Path) -> Result<(Tools, tempfile::TempDir)> {
    ensure!(
        shell::is_root(),
        "measuring loads eBPF programs; run it as root: sudo -E cargo xtask bench"
    );
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let tools = Tools {
        socktrace: socktrace.to_owned(),
        folder: folder.path().to_owned(),
    };
    Ok((tools, folder))
}

/// On what it was measured.
fn machine() -> serde_json::Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    json!({
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "cpu": model.unwrap_or_default().trim_start_matches([' ', '\t', ':']),
        "cpus": cpus,
    })
}
