//! Whether a connection costs the same however many sockets are tracked, and what looking after them costs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::super::bpf::{Accounting, Cost, EmptyWalk, costs_of, spent};
use super::super::figures::Figures;
use super::super::load::{Lane, Leak, churn};
use super::super::process::{self, Process};
use super::super::subject::{PATIENCE, Tools, has_line, last_line, lost_of_status};
use super::connection::mebibytes;
use crate::clock::Stopwatch;

/// Connections while the kernel accounts.
const CONNECTIONS: u32 = 20_000;

/// Sockets of one process: below the usual hard limit.
const EACH: u32 = 15_000;

/// Where the agent tells of itself.
const METRICS: &str = "127.0.0.1:19753";

/// How long a million sockets may take to be told.
const LONG: Duration = Duration::from_mins(3);

const BPF: &str = "BPF time a connection, tracking";
const AGENT: &str = "sweep: agent's processor time a descriptor";
const PROGRAM: &str = "sweep: of that in BPF";
const FLOOR: &str = "sweep: an empty walk a descriptor";
const PAUSE: &str = "longest pause of the ring's reader";
const DELAY: &str = "delay beyond leak-after, sweeping";

/// The program that a sweep runs once a descriptor, cut to the length that the kernel keeps.
const SWEEP: &str = "truth_task_file";

/// `run` with as many sockets to look after, for each of `sizes`.
pub(in super::super) fn measure(tools: &Tools, figures: &mut Figures, sizes: &[u32]) -> Result<()> {
    for &size in sizes {
        let who = format!("{size} sockets");
        eprintln!("bench: scale, {who}");
        let measured = Leak::start(size, processes(size)?).and_then(|leak| {
            tracking(tools, figures, &who, size)?;
            sweeping(tools, figures, &who, size, leak)
        });
        if let Err(error) = measured {
            figures.note(format!("{who}: {error:#}"));
        }
    }
    for (what, goal) in [
        (
            BPF,
            "run: BPF time a connection with most / least sockets tracked",
        ),
        (AGENT, "run: sweep a descriptor with most / least sockets"),
    ] {
        let of = |size: Option<&u32>| figures.median(what, &format!("{} sockets", size?));
        let growth = of(sizes.last())
            .zip(of(sizes.first()))
            .map(|(last, first)| last / first);
        if sizes.len() > 1 {
            figures.at_most(goal, growth, 1.5, "");
        }
    }
    if let Some(size) = sizes.last() {
        let of = |what| figures.median(what, &format!("{size} sockets"));
        if let Some((ours, floor)) = of(AGENT).zip(of(FLOOR)) {
            let ratio = ours / floor;
            figures.note(format!(
                "a sweep takes {ratio:.1} times what a walk takes that does nothing"
            ));
        }
    }
    let delay = sizes
        .last()
        .and_then(|size| figures.median(DELAY, &format!("{size} sockets")));
    figures.at_most(
        "run: delay beyond leak-after, most sockets",
        delay,
        1.0,
        "s",
    );
    Ok(())
}

fn processes(size: u32) -> Result<u16> {
    u16::try_from(size.div_ceil(EACH)).context("too many processes")
}

fn start(tools: &Tools, size: u32, more: &[&str]) -> Result<Process> {
    let room = (u64::from(size) * 2).max(65_536).to_string();
    let mut command = tools.socktrace(&["run", "--format", "json", "--max-sockets", &room]);
    let mut agent = Process::start(command.args(more), &tools.folder, "scale")?;
    agent.wait_until(PATIENCE, |agent| has_line(agent.out()))?;
    Ok(agent)
}

/// Sockets that are suspects and no findings yet: all of them are in the kernel's table.
fn tracking(tools: &Tools, figures: &mut Figures, who: &str, size: u32) -> Result<()> {
    let mut agent = start(tools, size, &["--leak-after", "1h"])?;
    agent.settle(PATIENCE)?;
    let accounting = Accounting::start()?;
    let before = costs_of(agent.pid())?;
    churn(&Lane::loopback(CONNECTIONS, 1))?;
    let after = costs_of(agent.pid())?;
    drop(accounting);
    let ns: u64 = spent(&before, &after).values().map(|cost| cost.ns).sum();
    figures.add(BPF, who, "ns", each(ns, CONNECTIONS.into()));
    let speed = churn(&Lane::loopback(CONNECTIONS * 2, 1))?;
    figures.add("churn, tracking", who, "conn/s", speed);
    agent.stop()
}

/// All of them findings, and a sweep a second; then all closed at once.
fn sweeping(tools: &Tools, figures: &mut Figures, who: &str, size: u32, leak: Leak) -> Result<()> {
    let more = ["--leak-after", "1s", "--sweep-every", "1s"];
    let metrics = ["--metrics-listen", METRICS];
    let mut agent = start(tools, size, &[more.as_slice(), &metrics].concat())?;
    agent.wait_until(LONG, |agent| open_in_incidents(agent) >= u64::from(size))?;
    let accounting = Accounting::start()?;
    let before = (costs_of(agent.pid())?, process::cpu(agent.pid())?);
    let mut sweep = Cost::default();
    agent.wait_until(LONG, |agent| {
        let now = costs_of(agent.pid()).unwrap_or_default();
        sweep = spent(&before.0, &now)
            .get(SWEEP)
            .copied()
            .unwrap_or_default();
        // Sweeps enough to even out, and a second of them at least.
        sweep.runs >= u64::from(size.max(50_000)) * 4
    })?;
    let cpu = process::cpu(agent.pid())?.saturating_sub(before.1);
    drop(accounting);
    let cpu = u64::try_from(cpu.as_nanos()).context("too long")?;
    figures.add(AGENT, who, "ns", each(cpu, sweep.runs));
    figures.add(PROGRAM, who, "ns", each(sweep.ns, sweep.runs));
    figures.add(FLOOR, who, "ns", floor()?);
    // One more leak, by a process of its own.
    let late = Leak::start(1, 1)?;
    let since = Stopwatch::start();
    let pid = late.pids().next().context("a process")?;
    agent.wait_until(LONG, |agent| has_leak_of(agent, pid))?;
    let delay = since.elapsed().as_secs_f64() - 1.0;
    figures.add(DELAY, who, "s", delay);
    let (resident, most) = process::memory(agent.pid())?;
    figures.add(
        "resident, all findings open",
        who,
        "MiB",
        mebibytes(resident),
    );
    figures.add(
        "resident, all findings open, at most",
        who,
        "MiB",
        mebibytes(most),
    );
    drop(late);
    drop(leak);
    agent.wait_until(LONG, |agent| open_in_incidents(agent) == 0)?;
    let metrics = agent_says(METRICS)?;
    let seconds = value(&metrics, "socktrace_longest_pause_seconds");
    let seconds = seconds.context("the agent tells of no pause")?;
    figures.add(PAUSE, who, "ms", seconds * 1e3);
    let out = agent.out().to_owned();
    agent.stop()?;
    let lost = last_line(&out).map_or(0, |line| lost_of_status(&line));
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    figures.add("lost, all closed at once", who, "", lost as f64);
    Ok(())
}

/// Nanoseconds a descriptor of a walk that does nothing, the least of several.
fn floor() -> Result<f64> {
    let walk = EmptyWalk::load()?;
    let descriptors = walk.descriptors()?;
    let mut least = Duration::MAX;
    for _ in 0..5 {
        least = least.min(walk.walk()?);
    }
    let ns = u64::try_from(least.as_nanos()).context("too long")?;
    Ok(each(ns, descriptors))
}

/// What the agent answers whoever asks for its metrics.
fn agent_says(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).context("the agent does not answer")?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .context("cannot ask the agent")?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .context("cannot read the agent's answer")?;
    Ok(answer)
}

/// The value of a metric without labels.
fn value(metrics: &str, name: &str) -> Option<f64> {
    let mut lines = metrics.lines();
    lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// The lines of a sort so far.
fn lines(agent: &Process, action: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(agent.out()).unwrap_or_default();
    let lines = text.lines().filter(|line| line.contains(action));
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// How many findings the last lines of all incidents say are open.
fn open_in_incidents(agent: &Process) -> u64 {
    let mut open = std::collections::BTreeMap::new();
    for line in lines(agent, r#""action":"process.leak""#) {
        let incident = line.pointer("/socktrace/incident");
        let id = incident.and_then(|incident| incident["id"].as_str());
        let count = incident.and_then(|incident| incident["open"].as_u64());
        open.extend(id.map(str::to_owned).zip(count));
    }
    open.values().sum()
}

fn has_leak_of(agent: &Process, pid: u32) -> bool {
    lines(agent, r#""action":"socket.leak""#)
        .iter()
        .any(|line| line.pointer("/process/pid").and_then(Value::as_u64) == Some(pid.into()))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn each(ns: u64, count: u64) -> f64 {
    ns as f64 / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let metrics = "# HELP a_seconds x\na_seconds_more 1\na_seconds 0.0025\n";
        assert_eq!(value(metrics, "a_seconds"), Some(0.0025));
        assert_eq!(value(metrics, "b"), None);
    }
}
