//! The load: connections that are made, used and closed, requests on kept ones, and connections that leak.
//!
//! It runs in processes of its own (`cargo xtask load …`), bounded in count, so that what it uses is not
//! mixed up with what is measured. Both ends are in one thread: no context switch blurs what a
//! connection costs.

mod churn;
mod leak;
mod netns;
mod request;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};

use crate::clock;

pub(super) use leak::Leak;
pub(super) use netns::Veth;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Load {
    /// Connections one after the other, closed by the client first
    Churn(Lane),
    /// Requests and responses of a few bytes on kept connections
    Request(Lane),
    /// Sockets that are never closed although their peers are gone, until standard input ends
    Hold {
        /// How many
        connections: u32,
        /// Which process among several this is
        index: u16,
    },
}

/// How much, and where.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Lane {
    /// How many in all
    count: u32,
    /// Threads that share the work
    #[arg(long, default_value_t = 1)]
    threads: u16,
    /// The network namespace of the accepting side
    #[arg(long)]
    server: Option<PathBuf>,
    /// The network namespace of the connecting side
    #[arg(long, requires = "server")]
    client: Option<PathBuf>,
}

impl Lane {
    /// On loopback.
    pub(super) fn loopback(count: u32, threads: u16) -> Self {
        Self {
            count,
            threads: threads.max(1),
            ..Self::default()
        }
    }

    /// Over a pair of devices.
    pub(super) fn over(veth: &Veth, count: u32) -> Self {
        Self {
            server: Some(veth.server()),
            client: Some(veth.client()),
            ..Self::loopback(count, 1)
        }
    }

    /// How many in all.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    fn arguments(&self) -> Vec<std::ffi::OsString> {
        let mut arguments = vec![self.count.to_string().into(), "--threads".into()];
        arguments.push(self.threads.to_string().into());
        for (name, value) in [("--server", &self.server), ("--client", &self.client)] {
            if let Some(value) = value {
                arguments.extend([name.into(), value.clone().into_os_string()]);
            }
        }
        arguments
    }
}

/// `cargo xtask load`: prints the nanoseconds that the work has taken, and those of processor time.
pub(crate) fn command(load: Load) -> Result<()> {
    let took = match load {
        Load::Churn(lane) => in_threads(&lane, churn::run)?,
        Load::Request(lane) => in_threads(&lane, request::run)?,
        Load::Hold { connections, index } => return leak::hold(connections, index),
    };
    println!("{} {}", took.as_nanos(), clock::processor().as_nanos());
    Ok(())
}

/// Makes `lane.count` connections one after the other and returns how many it were a second.
pub(super) fn churn(lane: &Lane) -> Result<f64> {
    Ok(measured("churn", lane)?.a_second)
}

/// Sends `lane.count` requests.
pub(super) fn request(lane: &Lane) -> Result<Done> {
    measured("request", lane)
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    /// How many in a second of time.
    pub(super) a_second: f64,
    /// Processor time of one, both ends and what the kernel does for them, nanoseconds. What else runs on the
    /// machine disturbs that least.
    pub(super) cpu_ns: f64,
}

fn measured(what: &str, lane: &Lane) -> Result<Done> {
    let mut child = of_ours()?
        .arg(what)
        .args(lane.arguments())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the load")?;
    let mut printed = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut printed)
            .context("cannot read what the load prints")?;
    }
    let status = child.wait().context("cannot wait for the load")?;
    ensure!(status.success(), "the load failed: {status}");
    let numbers: Vec<f64> = printed
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    let [ns, cpu_ns] = numbers[..] else {
        bail!("the load prints no two numbers, but {printed:?}");
    };
    Ok(Done {
        a_second: f64::from(lane.count) * 1e9 / ns,
        cpu_ns: cpu_ns / f64::from(lane.count),
    })
}

/// This program once more.
fn of_ours() -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
    command.arg("load");
    Ok(command)
}

fn in_threads(
    lane: &Lane,
    run: fn(&Lane, u16, u32) -> Result<std::time::Duration>,
) -> Result<std::time::Duration> {
    let threads = lane.threads.clamp(1, 64);
    let each = lane.count / u32::from(threads);
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|index| scope.spawn(move || run(lane, index, each)))
            .collect();
        let mut longest = std::time::Duration::ZERO;
        for thread in started {
            let took = thread
                .join()
                .map_err(|_| anyhow::anyhow!("a thread panicked"))??;
            longest = longest.max(took);
        }
        Ok(longest)
    })
}
