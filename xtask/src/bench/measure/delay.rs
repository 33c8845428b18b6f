//! How much later than leak-after a leak is told.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::figures::{Figures, quantile};
use super::super::load::Leak;
use super::super::subject::{PATIENCE, Tools};
use crate::clock::{Stopwatch, pause, wall};

/// Processes that leak at different times.
const BURSTS: u16 = 40;
/// Sockets that each of them leaks.
const SOCKETS: u32 = 25;
const LEAK_AFTER: Duration = Duration::from_secs(2);

/// Leaks here and there, and compares when they began with when their lines arrived.
pub(in super::super) fn measure(tools: &Tools, figures: &mut Figures) -> Result<()> {
    let mut agent = tools
        .socktrace(&[
            "run",
            "--format",
            "json",
            "--leak-after",
            "2s",
            "--max-lines-per-process",
            "1000000",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the agent")?;
    let out = agent.stdout.take().context("it is a pipe")?;
    let (lines, arriving) = channel();
    // It ends with the agent.
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if lines.send((wall(), line)).is_err() {
                return;
            }
        }
    });
    let result = watch(&arriving);
    // SAFETY: kill() touches no memory; the pid is that of a child that was not waited for.
    let _ = unsafe { libc::kill(agent.id().cast_signed(), libc::SIGTERM) };
    agent.wait().context("cannot wait for the agent")?;
    let _ = reader.join();
    let delays = result?;
    for (who, share) in [("p50", 0.5), ("p99", 0.99), ("at most", 1.0)] {
        figures.add(
            "delay beyond leak-after",
            who,
            "s",
            quantile(&delays, share),
        );
    }
    figures.at_most(
        "run: delay beyond leak-after, p99",
        Some(quantile(&delays, 0.99)),
        1.0,
        "s",
    );
    Ok(())
}

fn watch(arriving: &std::sync::mpsc::Receiver<(Duration, String)>) -> Result<Vec<f64>> {
    arriving
        .recv_timeout(PATIENCE)
        .context("the agent does not start")?;
    let mut leaks = Vec::new();
    for burst in 0..BURSTS {
        leaks.push(Leak::start(SOCKETS, 1)?);
        // So that no period of the agent's falls together with ours.
        pause(Duration::from_millis(u64::from(burst) * 7 % 90));
    }
    let all = usize::from(BURSTS) * SOCKETS as usize;
    let ours: Vec<u32> = leaks.iter().flat_map(Leak::pids).collect();
    let mut delays = Vec::new();
    let since = Stopwatch::start();
    while delays.len() < all {
        match arriving.recv_timeout(since.left_of(PATIENCE)) {
            Ok((at, line)) => delays.extend(delay(at, &line, &ours)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    ensure!(
        delays.len() == all,
        "{} of {all} leaks were told",
        delays.len()
    );
    Ok(delays)
}

/// Seconds by which the finding of one of our sockets came later than it had to.
fn delay(arrived: Duration, line: &str, ours: &[u32]) -> Option<f64> {
    let line: Value = serde_json::from_str(line).ok()?;
    let pid = line.pointer("/process/pid")?.as_u64()?;
    let is_open = line.pointer("/socktrace/leak/phase")? == "open";
    if !is_open || !ours.iter().any(|own| u64::from(*own) == pid) {
        return None;
    }
    let start = line.pointer("/event/start")?.as_str()?;
    let start = humantime::parse_rfc3339(start).ok()?;
    let start = start.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(arrived.as_secs_f64() - start.as_secs_f64() - LEAK_AFTER.as_secs_f64())
}
