//! Whether a connection costs the same however many sockets are tracked.

use anyhow::Result;

use super::super::bpf::{Accounting, costs_of, spent};
use super::super::figures::Figures;
use super::super::load::{Lane, Leak, churn};
use super::super::process::{self, Process};
use super::super::subject::{PATIENCE, Tools, has_line};

/// Connections while the kernel accounts.
const CONNECTIONS: u32 = 20_000;

/// Sockets of one process: below the usual hard limit.
const EACH: u32 = 15_000;

/// `run` with as many sockets in its table, for each of `sizes`.
pub(in super::super) fn measure(tools: &Tools, figures: &mut Figures, sizes: &[u32]) -> Result<()> {
    for &size in sizes {
        let who = format!("{size} sockets");
        eprintln!("bench: scale, {who}");
        let room = (u64::from(size) * 2).max(65_536).to_string();
        let mut command = tools.socktrace(&["run", "--format", "json", "--max-sockets", &room]);
        let mut agent = Process::start(&mut command, &tools.folder, "scale")?;
        agent.wait_until(PATIENCE, |agent| has_line(agent.out()))?;
        let processes = u16::try_from(size.div_ceil(EACH)).unwrap_or(u16::MAX);
        let leak = match Leak::start(size, processes) {
            Ok(leak) => leak,
            Err(error) => {
                figures.note(format!("{who}: {error:#}"));
                continue;
            }
        };
        agent.settle(PATIENCE)?;
        let accounting = Accounting::start()?;
        let before = costs_of(agent.pid())?;
        churn(&Lane::loopback(CONNECTIONS, 1))?;
        let after = costs_of(agent.pid())?;
        drop(accounting);
        let ns: u64 = spent(&before, &after).values().map(|cost| cost.ns).sum();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        figures.add(
            "BPF time a connection, tracking",
            &who,
            "ns",
            ns as f64 / f64::from(CONNECTIONS),
        );
        figures.add(
            "churn, tracking",
            &who,
            "conn/s",
            churn(&Lane::loopback(CONNECTIONS * 2, 1))?,
        );
        let (resident, _) = process::memory(agent.pid())?;
        figures.add(
            "resident, tracking",
            &who,
            "MiB",
            super::connection::mebibytes(resident),
        );
        drop(leak);
        agent.stop()?;
    }
    let of = |size: Option<&u32>| {
        figures.median(
            "BPF time a connection, tracking",
            &format!("{} sockets", size?),
        )
    };
    let growth = of(sizes.last())
        .zip(of(sizes.first()))
        .map(|(last, first)| last / first);
    if sizes.len() > 1 {
        figures.at_most(
            "run: BPF time with most / least sockets tracked",
            growth,
            1.5,
            "",
        );
    }
    Ok(())
}
