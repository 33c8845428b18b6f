//! A machine full of leaked sockets: the first verdict, the memory they need, and `scan` against others.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::super::bpf::EmptyWalk;
use super::super::figures::Figures;
use super::super::load::Leak;
use super::super::process::{self, Process};
use super::super::subject::{PATIENCE, Tools, has_line, peer};
use super::connection::mebibytes;
use crate::clock::{Stopwatch, pause};

/// Sockets of one process.
const EACH: u32 = 1_000;

const SCAN: &str = "all leaked sockets with owners";
const MEMORY: &str = "resident memory";

/// With `sockets` leaked.
pub(in super::super) fn measure(
    tools: &Tools,
    figures: &mut Figures,
    sockets: u32,
    rounds: u32,
) -> Result<()> {
    idle(tools, figures)?;
    let processes = u16::try_from(sockets.div_ceil(EACH)).context("too many processes")?;
    eprintln!("bench: leaking {sockets} sockets in {processes} processes");
    let leak = Leak::start(sockets, processes)?;
    // Older than --leak-after below.
    pause(Duration::from_millis(1500));
    for round in 0..rounds {
        eprintln!("bench: leaked, round {} of {rounds}", round + 1);
        findings(tools, figures, &leak, round + 1 == rounds)?;
        scan(tools, figures, &leak)?;
    }
    let of = |figures: &Figures, who| figures.median(SCAN, who);
    for (as_what, who) in [("JSON", "socktrace scan"), ("text", "socktrace scan, text")] {
        for other in ["ss -tanp", "lsof -nP -iTCP"] {
            let ratio = of(figures, other)
                .zip(of(figures, who))
                .map(|(other, ours)| other / ours);
            let what = format!("scan as {as_what}: time of {other} / ours");
            figures.at_least(&what, ratio, 20.0, "");
        }
    }
    Ok(())
}

/// An agent with nothing to do.
fn idle(tools: &Tools, figures: &mut Figures) -> Result<()> {
    let mut agent = run(tools)?;
    agent.settle(PATIENCE)?;
    let (now, most) = process::memory(agent.pid())?;
    figures.add(MEMORY, "run, idle", "MiB", mebibytes(now));
    figures.add(MEMORY, "run, idle, at most", "MiB", mebibytes(most));
    figures.at_most("run: resident, idle", Some(mebibytes(now)), 16.0, "MiB");
    agent.stop()
}

/// How long it takes to find what is there, and what it needs to remember it.
fn findings(tools: &Tools, figures: &mut Figures, leak: &Leak, last: bool) -> Result<()> {
    let since = Stopwatch::start();
    let mut agent = run(tools)?;
    let attached = since.elapsed();
    agent.wait_until(PATIENCE, |agent| opened(agent.out(), 1) >= 1)?;
    let first = since.elapsed();
    let all = leak.sockets as usize;
    agent.wait_until(PATIENCE, |agent| {
        // Reading hundreds of megabytes over and over would be what is measured.
        pause(Duration::from_millis(100));
        opened(agent.out(), all) >= all
    })?;
    let every = since.elapsed();
    agent.settle(PATIENCE)?;
    let (now, most) = process::memory(agent.pid())?;
    figures.add("start to attached", "run", "s", attached.as_secs_f64());
    figures.add("start to first verdict", "run", "s", first.as_secs_f64());
    figures.add("start to all verdicts", "run", "s", every.as_secs_f64());
    figures.add(MEMORY, "run, all findings open", "MiB", mebibytes(now));
    figures.add(
        MEMORY,
        "run, all findings open, at most",
        "MiB",
        mebibytes(most),
    );
    agent.stop()?;
    if last {
        let first = figures.median("start to first verdict", "run");
        figures.at_most("run: start to first verdict", first, 1.0, "s");
        let open = figures.median(MEMORY, "run, all findings open");
        figures.at_most("run: resident, all findings open", open, 64.0, "MiB");
        let idle = figures.median(MEMORY, "run, idle");
        let each = open
            .zip(idle)
            .map(|(open, idle)| (open - idle) * 1_048_576.0 / f64::from(leak.sockets));
        if let Some(each) = each {
            figures.add("agent's memory a finding", "run", "B", each);
        }
    }
    Ok(())
}

fn run(tools: &Tools) -> Result<Process> {
    let mut command = tools.socktrace(&[
        "run",
        "--format",
        "json",
        "--leak-after",
        "1s",
        "--max-lines-per-process",
        "1000000",
    ]);
    let mut agent = Process::start(&mut command, &tools.folder, "leaked")?;
    agent.wait_until(PATIENCE, |agent| has_line(agent.out()))?;
    Ok(agent)
}

/// How many findings were opened, counted up to `enough`.
fn opened(path: &Path, enough: usize) -> usize {
    let Ok(file) = fs::File::open(path) else {
        return 0;
    };
    let lines = BufReader::with_capacity(1 << 20, file)
        .split(b'\n')
        .map_while(Result::ok);
    let is_open = |line: &Vec<u8>| {
        let phase = br#""phase":"open""#;
        line.windows(phase.len()).any(|window| window == phase)
    };
    lines.filter(is_open).take(enough).count()
}

/// The three side by side; they have to come to the same answer.
fn scan(tools: &Tools, figures: &mut Figures, leak: &Leak) -> Result<()> {
    let walk = EmptyWalk::load()?;
    figures.add(
        SCAN,
        "a walk that does nothing",
        "s",
        walk.walk()?.as_secs_f64(),
    );
    drop(walk);
    let (time, text) =
        timed(&mut tools.socktrace(&["scan", "--format", "json", "--kind", "close_wait"]))?;
    figures.add(SCAN, "socktrace scan", "s", time);
    let ours: BTreeSet<(u64, u64)> = text.lines().flat_map(held_by_ours).collect();
    drop(text);
    let as_text = ["scan", "--format", "text", "--kind", "close_wait"];
    let (time, text) = timed(&mut tools.socktrace(&as_text))?;
    figures.add(SCAN, "socktrace scan, text", "s", time);
    ensure!(
        text.lines()
            .filter(|line| line.starts_with("close_wait"))
            .count()
            >= ours.len(),
        "as text, scan prints fewer sockets"
    );
    drop(text);
    // Sockets of others on this machine would be there as well.
    ensure!(
        ours.len() >= leak.sockets as usize,
        "scan found {} of {}",
        ours.len(),
        leak.sockets
    );
    if let Some(ss) = peer("ss") {
        let (time, text) = timed(Command::new(ss).arg("-tanp"))?;
        figures.add(SCAN, "ss -tanp", "s", time);
        let theirs = text.lines().filter(|line| line.starts_with("CLOSE-WAIT"));
        same(&ours, &theirs.flat_map(held_by_ss).collect(), "ss")?;
    } else {
        figures.note("ss is not installed and is left out".to_owned());
    }
    if let Some(lsof) = peer("lsof") {
        let (time, text) = timed(Command::new(lsof).args(["-nP", "-iTCP"]))?;
        figures.add(SCAN, "lsof -nP -iTCP", "s", time);
        let theirs = text.lines().filter(|line| line.contains("(CLOSE_WAIT)"));
        same(&ours, &theirs.filter_map(held_by_lsof).collect(), "lsof")?;
    } else {
        figures.note("lsof is not installed and is left out".to_owned());
    }
    Ok(())
}

fn same(ours: &BTreeSet<(u64, u64)>, theirs: &BTreeSet<(u64, u64)>, who: &str) -> Result<()> {
    let (missing, more) = (
        theirs.difference(ours).count(),
        ours.difference(theirs).count(),
    );
    ensure!(
        missing == 0 && more == 0,
        "scan and {who} differ: {missing} (process, descriptor) only there, {more} only here"
    );
    Ok(())
}

/// Runs a command and reads all it prints.
fn timed(command: &mut Command) -> Result<(f64, String)> {
    let since = Stopwatch::start();
    let output = command
        .stderr(Stdio::null())
        .output()
        .context("cannot start a program to compare")?;
    let time = since.elapsed().as_secs_f64();
    Ok((time, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// (process, descriptor) of a line of ours.
fn held_by_ours(line: &str) -> Vec<(u64, u64)> {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    let holders = [
        "/socktrace/leak/holders",
        "/socktrace/scan/holders",
        "/socktrace/holders",
    ];
    let holders = holders
        .iter()
        .find_map(|path| line.pointer(path)?.as_array());
    let held = |holder: &Value| Some((holder["pid"].as_u64()?, holder["fd"].as_u64()?));
    holders
        .map(|holders| holders.iter().filter_map(held).collect())
        .unwrap_or_default()
}

/// (process, descriptor) of `users:(("name",pid=1,fd=2),…)`.
fn held_by_ss(line: &str) -> Vec<(u64, u64)> {
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    };
    let holders = line.split("pid=").skip(1);
    holders
        .filter_map(|rest| Some((number(rest)?, number(rest.split_once("fd=")?.1)?)))
        .collect()
}

/// (process, descriptor) of lsof's columns: command, pid, user, descriptor and how it is open. A command may
/// have blanks in it, which lsof prints as `\x20`.
fn held_by_lsof(line: &str) -> Option<(u64, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let fd = fields
        .get(3)?
        .trim_end_matches(|c: char| !c.is_ascii_digit());
    Some((fields.get(1)?.parse().ok()?, fd.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_read_from_everybodys_lines() {
        let ss =
            r#"CLOSE-WAIT 1 0 127.0.0.1:1 127.0.0.1:2 users:(("a",pid=12,fd=3),("b",pid=13,fd=4))"#;
        assert_eq!(held_by_ss(ss), [(12, 3), (13, 4)]);
        let lsof = "xtask 812 root 17u IPv4 1234 0t0 TCP 127.0.0.1:1->127.0.0.1:2 (CLOSE_WAIT)";
        assert_eq!(held_by_lsof(lsof), Some((812, 17)));
        let ours = r#"{"socktrace":{"leak":{"holders":[{"pid":5,"fd":6}]}}}"#;
        assert_eq!(held_by_ours(ours), [(5, 6)]);
        assert_eq!(held_by_ours("no JSON"), []);
    }
}
