//! Asking the kernel: which suspects are old, and who holds what.
//!
//! Reading an iterator takes CPU time for as long as it runs, so these are called from a thread of
//! their own and never from the one that reads the ring buffer.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};

use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData};
use aya::programs::Iter;
use socktrace_common::maps::WalkControl;

use super::survey::Survey;
use super::sys::{link_iter, open_iter, page_size};
use super::{netns, object};
use crate::clock::{self, Clock as _};
use crate::decode::mark_record;
use crate::model::{BootTime, Mark, Question};

/// Takes some whole records, as they come. There may be many more than fit in memory well.
type Take<'a> = dyn FnMut(&[u8]) + 'a;

/// The programs that are iterators, and what each iterates over.
pub(super) const PROGRAMS: [(&str, &str); 4] = [
    ("truth_task_file", "task_file"),
    ("truth_tcp", "tcp"),
    ("walk_young", "bpf_map_elem"),
    ("walk_suspects", "bpf_map_elem"),
];

/// How many sockets can be asked after in one walk: the size of the programs' table of questions.
const QUESTIONS: usize = 4096;

/// How much earlier than the last look for young suspects a mark may be that is looked at again, in jiffies:
/// longer than a program can be held up between reading the time and marking, and 5 seconds at least.
const SLACK: u64 = 5000;

/// The iterators, linked and ready to run.
pub struct Iterators {
    task_file: OwnedFd,
    tcp: OwnedFd,
    young: OwnedFd,
    /// `jiffies_64` when young suspects were looked for last; 0: never.
    looked: u64,
    suspects: OwnedFd,
    control: Array<MapData, Control>,
    questions: HashMap<MapData, u64, u64>,
    pid_level: u32,
    /// The network namespace of this process.
    home: Option<u32>,
    /// Those whose queues the last reading could not read.
    unread: BTreeSet<u32>,
}

/// A network namespace whose accept queues a reading could not read.
#[derive(Debug)]
pub struct Unread {
    /// Its inode.
    pub netns: u32,
    /// True unless the reading before could not read them either.
    pub new: bool,
    reason: io::Error,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { netns, reason, .. } = self;
        write!(
            f,
            "the accept queues of network namespace {netns} could not be read ({reason})"
        )?;
        match reason.kind() {
            io::ErrorKind::PermissionDenied => {
                f.write_str("; grant CAP_SYS_ADMIN and CAP_SYS_PTRACE")
            }
            _ => Ok(()),
        }
    }
}

/// [`WalkControl`] as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Control(WalkControl);
// SAFETY: a WalkControl is plain integers without padding.
unsafe impl aya::Pod for Control {}

impl Iterators {
    /// Links the loaded iterator programs.
    pub fn new(ebpf: &mut Ebpf) -> io::Result<Self> {
        let link = |ebpf: &mut Ebpf, name: &str, map: Option<&str>| {
            let program = object::program::<Iter>(ebpf, name)
                .map_err(io::Error::other)?
                .fd()
                .map_err(io::Error::other)?;
            let program = program.as_fd().try_clone_to_owned()?;
            let map = map
                .and_then(|name| ebpf.map(name))
                .and_then(|map| match map {
                    Map::HashMap(data) | Map::Array(data) => Some(data.fd().as_fd()),
                    _ => None,
                });
            link_iter(program.as_fd(), map)
        };
        let task_file = link(ebpf, "truth_task_file", None)?;
        let tcp = link(ebpf, "truth_tcp", None)?;
        let young = link(ebpf, "walk_young", Some("MARKS"))?;
        let suspects = link(ebpf, "walk_suspects", Some("SUSPECTS"))?;
        let control = ebpf
            .take_map("WALK")
            .ok_or_else(|| io::Error::other("no map WALK"))?;
        let control = Array::try_from(control).map_err(io::Error::other)?;
        let questions = ebpf
            .take_map("ASKED")
            .ok_or_else(|| io::Error::other("no map ASKED"))?;
        let questions = HashMap::try_from(questions).map_err(io::Error::other)?;
        let mut iterators = Self {
            task_file,
            tcp,
            young,
            looked: 0,
            suspects,
            control,
            questions,
            pid_level: 0,
            home: netns::own(),
            unread: BTreeSet::new(),
        };
        iterators.measure()?;
        Ok(iterators)
    }

    /// How deep the pid namespace of this process is; 0: it is the initial one.
    #[must_use]
    pub(super) fn pid_level(&self) -> u32 {
        self.pid_level
    }

    /// Gives the records of a walk, marks included: suspects since before `older_than` that have
    /// not been told, and those that have moved.
    pub fn walk(&mut self, older_than: BootTime, take: &mut Take<'_>) {
        let clock = clock::System;
        take(&mark_record(clock.boot(), Mark::WalkBegin));
        let control = WalkControl {
            older_than_ns: older_than.0,
            ..WalkControl::default()
        };
        let oldest_young = match self.run_walk(control, take) {
            Ok(control) if control.oldest_young_ns == 0 => None,
            Ok(control) => Some(BootTime(control.oldest_young_ns)),
            // What was not walked is as young as can be: it is looked for again in time.
            Err(_) => Some(clock.boot()),
        };
        take(&mark_record(clock.boot(), Mark::WalkEnd { oldest_young }));
    }

    /// Gives the records of a reading of the truth, marks included. `asked` are sockets to be told
    /// of if nobody holds them, or in any case, as long as the kernel's table still has them.
    ///
    /// Returns the network namespaces whose accept queues could not be read. The reading is complete all
    /// the same: of a connection there that has been told of before, the kernel's table still tells.
    pub fn truth(&mut self, asked: &[Question], take: &mut Take<'_>) -> Vec<Unread> {
        let clock = clock::System;
        take(&mark_record(clock.boot(), Mark::TruthBegin));
        let mut unread = Vec::new();
        let complete = self.read_truth(asked, take, &mut unread).is_ok();
        take(&mark_record(clock.boot(), Mark::TruthEnd { complete }));
        unread
    }

    /// Gives the records of one look at who holds what to `take`; whether it came to its end, and the network
    /// namespaces whose accept queues could not be read.
    pub fn look(&mut self, take: &mut Take<'_>) -> (bool, Vec<Unread>) {
        let mut unread = Vec::new();
        let read = self.read_truth(&[], take, &mut unread);
        (read.is_ok(), unread)
    }

    fn read_truth(
        &mut self,
        asked: &[Question],
        take: &mut Take<'_>,
        unread: &mut Vec<Unread>,
    ) -> io::Result<()> {
        // Which sockets were seen need not be remembered if none is asked for.
        let mut survey = Survey::new(!asked.is_empty());
        run(&self.task_file, &mut |records| {
            survey.take(records);
            take(records);
        })?;
        let mut queued = Survey::new(!asked.is_empty());
        self.read_queues(&survey, asked, unread, &mut |records| {
            queued.take(records);
            take(records);
        })?;
        survey.seen.extend(queued.seen);
        let unseen: Vec<_> = asked
            .iter()
            .filter(|question| question.always || !survey.seen.contains(&question.cookie))
            .collect();
        for some in unseen.chunks(QUESTIONS) {
            let asked = || some.iter().map(|question| question.kaddr.0);
            for kaddr in asked() {
                self.questions
                    .insert(kaddr, 1, 0)
                    .map_err(io::Error::other)?;
            }
            let told = self.run_walk(
                WalkControl {
                    asking: 1,
                    ..WalkControl::default()
                },
                take,
            );
            for kaddr in asked() {
                // Every question was just put there.
                let _ = self.questions.remove(&kaddr);
            }
            told?;
        }
        Ok(())
    }

    /// Reads the accept queues of every network namespace in which connections wait, and those of our
    /// own where a socket was not seen otherwise: the holders of its listener may be out of sight.
    fn read_queues(
        &mut self,
        survey: &Survey,
        asked: &[Question],
        unread: &mut Vec<Unread>,
        take: &mut Take<'_>,
    ) -> io::Result<()> {
        let is_home = |netns: &u32| self.home.is_none_or(|home| home == *netns);
        if survey.busy.keys().any(is_home) || survey.unseen(asked).next().is_some() {
            run(&self.tcp, take)?;
        }
        let before = std::mem::take(&mut self.unread);
        for (netns, pids) in survey.busy.iter().filter(|(netns, _)| !is_home(netns)) {
            let file = netns::open(*netns, pids)
                .and_then(|ns| netns::within(&ns, || open_iter(self.tcp.as_fd())));
            match file {
                Ok(file) => read_all(file, take)?,
                // Their listener has ended with them, and what waited there too.
                Err(_) if pids.iter().all(|pid| netns::is_gone(*pid)) => {}
                Err(reason) => unread.push(Unread {
                    netns: *netns,
                    new: !before.contains(netns),
                    reason,
                }),
            }
        }
        self.unread = unread.iter().map(|unread| unread.netns).collect();
        Ok(())
    }

    /// Moves the young suspects into the table of suspects, and walks over that.
    fn run_walk(&mut self, control: WalkControl, take: &mut Take<'_>) -> io::Result<WalkControl> {
        let control = WalkControl {
            marked_since: self.looked.saturating_sub(SLACK),
            ..control
        };
        self.control
            .set(0, Control(control), 0)
            .map_err(io::Error::other)?;
        run(&self.young, take)?;
        run(&self.suspects, take)?;
        let Control(control) = self.control.get(&0, 0).map_err(io::Error::other)?;
        self.looked = control.looked;
        Ok(control)
    }

    /// Runs an iterator to find out how deep our pid namespace is, and moves what waits to be moved.
    pub(super) fn measure(&mut self) -> io::Result<()> {
        let control = self.run_walk(WalkControl::default(), &mut |_| {})?;
        self.pid_level = u32::try_from(control.pid_level).unwrap_or(0);
        Ok(())
    }
}

/// Runs an iterator to its end.
fn run(link: &OwnedFd, take: &mut Take<'_>) -> io::Result<()> {
    read_all(open_iter(link.as_fd())?, take)
}

/// Reads an opened iterator to its end. The kernel hands out whole records where there is room for all that
/// it has made.
fn read_all(mut run: File, take: &mut Take<'_>) -> io::Result<()> {
    let mut buffer = vec![0; made_at_once()];
    loop {
        match run.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => take(buffer.get(..read).unwrap_or_default()),
            // The kernel asks for another try when its own page was full or a task was in the way.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Err(error) => return Err(error),
        }
    }
}

/// How much an iterator makes at a time: 8 pages (`bpf_seq_read`, kernel/bpf/bpf_iter.c).
fn made_at_once() -> usize {
    8 * page_size()
}
