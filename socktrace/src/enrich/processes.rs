//! Facts about processes, kept by pid *and* start time: a reused pid is another process.

use crate::model::{
    BootTime, Comm, DATED_EARLY, Descriptors, Process, SocketUse, Tgid, Thread, Tid,
};

use super::cache::Cache;
use super::parse::{self, Stat};
use super::place;
use super::procfs::ProcFs;

/// At most so much of a command line is kept: 4 KiB.
const COMMAND_LINE: usize = 4096;
/// `comm` is shorter for programs; kernel workers have longer ones.
const COMM: usize = 64;
/// `stat` is one line of some fifty numbers.
const STAT: usize = 2048;
/// `Uid:` is among the first lines of `status`, before the lists of unbounded length.
const STATUS: usize = 1024;
/// A line a hierarchy, each with a path; the unified one is the last.
const CGROUP: usize = 64 << 10;
/// `limits` is a table of sixteen lines.
const LIMITS: usize = 4096;
/// How many threads are looked at for one that lives, once the leader has ended.
const THREADS: usize = 64;

/// Facts about processes, from /proc once and then from memory.
///
/// A process that executes another program keeps its pid and its start; [`Self::facts_named`] notices.
#[derive(Debug)]
pub struct Processes {
    proc: ProcFs,
    cache: Cache<(Tgid, BootTime), Process>,
}

impl Processes {
    /// Keeps the facts of at most `capacity` processes (at least two), some hundred bytes each, a few
    /// KiB at worst.
    #[must_use]
    pub fn new(proc: ProcFs, capacity: usize) -> Self {
        Self {
            proc,
            cache: Cache::new(capacity),
        }
    }

    /// Facts about the process `tgid` that started at `started` (the kernel's `start_boottime`).
    ///
    /// `None` if it is gone, may not be looked at, or the pid is another process's by now, and it was
    /// not asked for before. What is cached costs no system call.
    pub fn facts(&mut self, tgid: Tgid, started: BootTime) -> Option<Process> {
        match self.cache.get(&(tgid, started)) {
            Some(process) => Some(process.clone()),
            None => self.read(tgid, started),
        }
    }

    /// The same, but read again if `name`, which the kernel tells of the leader now, is another than when
    /// the facts were read: it has executed another program, or renamed itself.
    pub fn facts_named(&mut self, tgid: Tgid, started: BootTime, name: Comm) -> Option<Process> {
        let cached = self.cache.get(&(tgid, started)).cloned();
        match cached {
            Some(process) if process.name == name.as_bytes() => Some(process),
            cached => self.read(tgid, started).or(cached),
        }
    }

    /// The name of thread `tid` of the process `tgid` that started at `started`; without a name if either
    /// is gone. Never cached: names change, and so do threads.
    #[must_use]
    pub fn thread(&self, tgid: Tgid, started: BootTime, tid: Tid) -> Thread {
        let name = self
            .proc
            .read(format!("{}/task/{}/comm", tgid.0, tid.0), COMM)
            .map(parse::comm);
        // The process is looked at after the name was read: if it lives then, the name was its thread's.
        let name = name.filter(|_| self.stat(tgid, started).is_some());
        Thread { tid, name }
    }

    /// The name of a thread that used a socket; `None` if the process or the thread is gone, or started after
    /// the use and only has the number, or if it is not known when that was. Never cached.
    #[must_use]
    pub fn user(&self, used: &SocketUse) -> Option<Vec<u8>> {
        let at = used.at?.after(DATED_EARLY);
        let process = used.tgid.0.to_string();
        let thread = format!("{process}/task/{}", used.tid.0);
        let name = parse::comm(self.proc.read(format!("{thread}/comm"), COMM)?);
        let was_there = |dir: &str| {
            let stat = self.proc.read(format!("{dir}/stat"), STAT);
            stat.and_then(|stat| parse::stat(&stat))
                .is_some_and(|stat| stat.started_by(at, self.proc.ticks_per_second()))
        };
        // Looked at after the name was read: if they live then, the name was the thread's.
        (was_there(&process) && was_there(&thread)).then_some(name)
    }

    /// How many descriptors the process has and may have now. Never cached; nothing if it is gone.
    #[must_use]
    pub fn descriptors(&self, tgid: Tgid, started: BootTime) -> Descriptors {
        let Some(stat) = self.stat(tgid, started) else {
            return Descriptors::default();
        };
        let dir = living_dir(&self.proc, tgid, stat);
        let read = Descriptors {
            limit: self
                .proc
                .read(format!("{dir}/limits"), LIMITS)
                .and_then(|limits| parse::open_files_limit(&limits)),
            open: self.proc.descriptors(&format!("{dir}/fd")),
        };
        // If the same process is there afterwards, it was its own.
        self.stat(tgid, started)
            .map_or_else(Descriptors::default, |_| read)
    }

    /// The cgroup `tgid` is in now, whoever has that pid. Never cached: there is no start time to tell
    /// one process from the next.
    #[must_use]
    pub fn cgroup(&self, tgid: Tgid) -> Option<Vec<u8>> {
        self.proc
            .read(format!("{}/cgroup", tgid.0), CGROUP)
            .and_then(|file| parse::cgroup(&file))
    }

    fn read(&mut self, tgid: Tgid, started: BootTime) -> Option<Process> {
        let process = read(&self.proc, tgid, started, self.stat(tgid, started)?)?;
        // If the same process is there afterwards, everything read meanwhile was about it.
        self.stat(tgid, started)?;
        self.cache.insert((tgid, started), process.clone());
        Some(process)
    }

    /// `stat`, if it is that of the process that started at `started`.
    fn stat(&self, tgid: Tgid, started: BootTime) -> Option<Stat> {
        let stat = parse::stat(&self.proc.read(format!("{}/stat", tgid.0), STAT)?)?;
        Some(stat).filter(|stat| stat.started_at(started, self.proc.ticks_per_second()))
    }
}

/// When the process `tgid` started, to a tick, and its name; `None` if it is gone.
#[must_use]
pub fn leader(proc: &ProcFs, tgid: Tgid) -> Option<(BootTime, Vec<u8>)> {
    let stat = parse::stat(&proc.read(format!("{}/stat", tgid.0), STAT)?)?;
    let name = parse::comm(proc.read(format!("{}/comm", tgid.0), COMM)?);
    let ns = u128::from(stat.start_ticks) * 1_000_000_000 / u128::from(proc.ticks_per_second());
    Some((BootTime(u64::try_from(ns).unwrap_or(u64::MAX)), name))
}

fn read(proc: &ProcFs, tgid: Tgid, started: BootTime, stat: Stat) -> Option<Process> {
    let dir = tgid.0.to_string();
    let living = living_dir(proc, tgid, stat);
    let cgroups = proc.read(format!("{living}/cgroup"), CGROUP);
    Some(Process {
        tgid,
        started,
        name: parse::comm(proc.read(format!("{dir}/comm"), COMM)?),
        executable: proc
            .link(format!("{living}/exe"))
            .filter(|path| !path.is_empty()),
        command_line: proc
            .read(format!("{living}/cmdline"), COMMAND_LINE)
            .and_then(parse::command_line),
        uid: proc
            .read(format!("{living}/status"), STATUS)
            .and_then(|status| parse::uid(&status)),
        parent: stat.parent,
        cgroup: cgroups.as_deref().and_then(parse::cgroup),
        place: cgroups.as_deref().map(place::of).unwrap_or_default(),
    })
}

/// The folder that shows what belongs to all threads. A leader that has ended has given back its memory
/// and its descriptors; the threads that go on still show them.
fn living_dir(proc: &ProcFs, tgid: Tgid, stat: Stat) -> String {
    let living = if stat.leader_ended() {
        living_thread(proc, tgid)
    } else {
        None
    };
    living.unwrap_or_else(|| tgid.0.to_string())
}

/// The folder of a thread that has not ended.
fn living_thread(proc: &ProcFs, tgid: Tgid) -> Option<String> {
    let others = proc
        .numbers(&format!("{}/task", tgid.0))
        .filter(|tid| *tid != tgid.0);
    others
        .take(THREADS)
        .map(|tid| format!("{}/task/{tid}", tgid.0))
        .find(|dir| {
            let stat = proc
                .read(format!("{dir}/stat"), STAT)
                .and_then(|stat| parse::stat(&stat));
            stat.is_some_and(|stat| !stat.leader_ended())
        })
}

#[cfg(test)]
mod tests;
