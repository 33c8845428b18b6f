//! Processes that are measured: what they use, and how they are started and ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::clock::{Stopwatch, pause};

/// How often is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(10);

/// A process of ours. It is killed when dropped.
pub(super) struct Process {
    child: Child,
    what: String,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints goes to files in `folder` that begin with `name`.
    pub(super) fn start(command: &mut Command, folder: &Path, name: &str) -> Result<Self> {
        let (out, err) = (
            folder.join(format!("{name}.out")),
            folder.join(format!("{name}.err")),
        );
        let create = |path: &Path| {
            File::create(path).with_context(|| format!("cannot create {}", path.display()))
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(create(&out)?)
            .stderr(create(&err)?)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self {
            child,
            what: name.to_owned(),
            out,
            err,
        })
    }

    /// Its pid.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file with what it has printed.
    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    /// What it has printed on standard error.
    pub(super) fn errors(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits until `is_so`, at most for `limit`.
    pub(super) fn wait_until(
        &mut self,
        limit: Duration,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Result<Duration> {
        let since = Stopwatch::start();
        while !is_so(self) {
            if let Some(status) = self.child.try_wait().context("cannot ask after a child")? {
                bail!(
                    "{} has ended ({status}): {}",
                    self.what,
                    self.errors().trim()
                );
            }
            ensure!(
                since.elapsed() < limit,
                "{} does not come so far within {limit:?}",
                self.what
            );
            pause(LOOK);
        }
        Ok(since.elapsed())
    }

    /// Waits until it has nothing to do any more, at most for `limit`.
    pub(super) fn settle(&mut self, limit: Duration) -> Result<()> {
        let since = Stopwatch::start();
        let mut cpu = cpu(self.pid())?;
        while since.elapsed() < limit {
            pause(Duration::from_millis(200));
            let now = self::cpu(self.pid())?;
            // What wakes up now and then uses a little all the time.
            if now.saturating_sub(cpu) < Duration::from_millis(2) {
                return Ok(());
            }
            cpu = now;
        }
        bail!("{} is still busy after {limit:?}", self.what)
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(&mut self) -> Result<()> {
        // SAFETY: kill() touches no memory; the pid is that of a child that was not waited for.
        let _ = unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGINT) };
        let since = Stopwatch::start();
        while self
            .child
            .try_wait()
            .context("cannot wait for a child")?
            .is_none()
        {
            ensure!(
                since.elapsed() < Duration::from_secs(30),
                "{} does not end when asked to",
                self.what
            );
            pause(LOOK);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails where the child has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time that all threads of a process have used, to the nanosecond.
///
/// `utime` and `stime` of `/proc/PID/stat` count ticks of 10 ms and are sampled; the scheduler's own account
/// is exact.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let mut ns = 0_u64;
    for task in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        // A thread may end meanwhile.
        let Ok(text) = task.and_then(|task| fs::read_to_string(task.path().join("schedstat")))
        else {
            continue;
        };
        let first = text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok());
        ns += first.with_context(|| format!("{folder} has no schedstat as expected"))?;
    }
    Ok(Duration::from_nanos(ns))
}

/// Resident memory now and at most, bytes.
pub(super) fn memory(pid: u32) -> Result<(u64, u64)> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let field = |name: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Ok(kib.with_context(|| format!("{path} has no {name}"))? * 1024)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}
