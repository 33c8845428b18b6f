//! Who is compared: nobody, an empty program, socktrace, and the tracers of libbpf-tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::bpf::{self, Costs, Floor};
use super::process::{self, Process};
use crate::toolchain;

/// How long one may take to attach, and to write down what it has seen.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Who watches during a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// Nobody.
    None,
    /// Two programs that do nothing.
    Floor,
    /// Two more, where threads receive and send.
    UsesFloor,
    /// `socktrace run`.
    Run,
    /// `socktrace trace` to a file.
    Trace,
    /// libbpf-tools' `tcpstates` to a file.
    TcpStates,
    /// libbpf-tools' `tcplife` to a file.
    TcpLife,
}

/// All of them, in the order in which they take turns.
pub(super) const ALL: [Subject; 6] = [
    Subject::None,
    Subject::Floor,
    Subject::Run,
    Subject::TcpStates,
    Subject::Trace,
    Subject::TcpLife,
];

impl Subject {
    /// What it is called in tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Floor => "floor",
            Self::UsesFloor => "floor of uses",
            Self::Run => "run",
            Self::Trace => "trace",
            Self::TcpStates => "tcpstates",
            Self::TcpLife => "tcplife",
        }
    }

    /// Whether it is there; if not, that is said.
    pub(super) fn is_there(self) -> bool {
        let found = match self {
            Self::None | Self::Floor | Self::UsesFloor | Self::Run | Self::Trace => true,
            Self::TcpStates | Self::TcpLife => peer(self.name()).is_some(),
        };
        if !found {
            eprintln!("bench: {} is not installed and is left out", self.name());
        }
        found
    }

    /// Starts it and waits until it watches.
    pub(super) fn start(self, tools: &Tools) -> Result<Watcher> {
        let mut command = match self {
            Self::None => return Ok(Watcher::Nobody),
            Self::Floor => return Ok(Watcher::Floor(Floor::attach()?)),
            Self::UsesFloor => return Ok(Watcher::Floor(Floor::at_uses()?)),
            Self::Run => tools.socktrace(&["run", "--format", "json"]),
            Self::Trace => tools.socktrace(&["trace", "--format", "json"]),
            Self::TcpStates | Self::TcpLife => {
                Command::new(peer(self.name()).context("it was there before")?)
            }
        };
        let mut process = Process::start(&mut command, &tools.folder, self.name())?;
        process.wait_until(PATIENCE, |process| match self {
            Self::Run | Self::Trace => has_line(process.out()),
            // They write nothing once they are attached: that they hold programs has to do, and what they
            // do after loading is done when they are quiet.
            _ => bpf::programs_of(process.pid()).is_ok_and(|programs| !programs.is_empty()),
        })?;
        process.settle(PATIENCE)?;
        Ok(Watcher::Process(process))
    }
}

/// A subject at work.
pub(super) enum Watcher {
    Nobody,
    Floor(#[expect(dead_code, reason = "what counts is that it is attached")] Floor),
    Process(Process),
}

impl Watcher {
    /// What its programs have cost so far.
    pub(super) fn costs(&self) -> Result<Costs> {
        match self {
            Self::Nobody => Ok(Costs::new()),
            Self::Floor(_) => bpf::costs_of(std::process::id()),
            Self::Process(process) => bpf::costs_of(process.pid()),
        }
    }

    /// Processor time it has used so far, when it has nothing left to do.
    pub(super) fn cpu(&mut self) -> Result<Duration> {
        match self {
            Self::Nobody | Self::Floor(_) => Ok(Duration::ZERO),
            Self::Process(process) => {
                process.settle(PATIENCE)?;
                process::cpu(process.pid())
            }
        }
    }

    /// Resident memory now and at most, bytes; nothing where there is no process.
    pub(super) fn memory(&self) -> Result<Option<(u64, u64)>> {
        match self {
            Self::Nobody | Self::Floor(_) => Ok(None),
            Self::Process(process) => process::memory(process.pid()).map(Some),
        }
    }

    /// Ends it; how many events it says it has lost.
    pub(super) fn stop(self) -> Result<u64> {
        let Self::Process(mut process) = self else {
            return Ok(0);
        };
        process.stop()?;
        let ours = last_line(process.out()).map_or(0, |line| lost_of_status(&line));
        let lost = ours + lost_of_peer(&process.errors());
        // A round of `trace` is hundreds of megabytes.
        fs::remove_file(process.out()).context("cannot remove what was printed")?;
        Ok(lost)
    }
}

/// What measurements are made with.
pub(super) struct Tools {
    /// The program under test.
    pub(super) socktrace: PathBuf,
    /// Where files go.
    pub(super) folder: PathBuf,
}

impl Tools {
    /// The program under test with these arguments.
    pub(super) fn socktrace(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.socktrace);
        command.args(arguments);
        command
    }
}

/// Whether a whole line has been printed.
pub(super) fn has_line(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.contains(&b'\n'))
}

/// Where a program of another is; `sbin` is not on everybody's path.
pub(super) fn peer(name: &str) -> Option<PathBuf> {
    let sbin = Path::new("/usr/sbin").join(name);
    toolchain::on_path(name).or_else(|| sbin.exists().then_some(sbin))
}

/// The last line of a file that may be large.
pub(super) fn last_line(path: &Path) -> Option<Value> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = fs::File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(1 << 16)))
        .ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.lines().last()?).ok()
}

/// The sum over all places in a `socktrace.status` line.
pub(super) fn lost_of_status(line: &Value) -> u64 {
    let lost = line
        .pointer("/socktrace/status/lost")
        .and_then(Value::as_object);
    lost.map_or(0, |places| places.values().filter_map(Value::as_u64).sum())
}

/// The sum over `lost N events` and the like.
fn lost_of_peer(errors: &str) -> u64 {
    let lines = errors
        .lines()
        .filter(|line| line.to_lowercase().contains("lost"));
    let number = |line: &str| line.split(' ').find_map(|word| word.parse::<u64>().ok());
    lines.filter_map(number).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_added_up() {
        assert_eq!(
            lost_of_peer("lost 12 events on CPU #1!\nLost 3 events\nother 9\n"),
            15
        );
        let line = serde_json::json!({"socktrace": {"status": {"lost": {"ring": 3, "decode": 4}}}});
        assert_eq!(lost_of_status(&line), 7);
        assert_eq!(lost_of_status(&Value::Null), 0);
    }
}
