//! Asking the kernel: which suspects are old, and who holds what.
//!
//! Reading an iterator takes CPU time for as long as it runs, so these are called from a thread of
//! their own and never from the one that reads the ring buffer.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};

use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData};
use aya::programs::Iter;
use socktrace_common::maps::WalkControl;
use socktrace_common::wire::{Header, Sock};
use zerocopy::FromBytes as _;

use super::object;
use super::sys::{link_iter, open_iter};
use crate::clock::{self, Clock as _};
use crate::decode::{frame, mark_record};
use crate::model::{BootTime, Cookie, Mark, Question};

/// Reading goes a little further at a time than the kernel's own buffer (8 pages).
const READ: usize = 64 * 1024;

/// How many sockets can be asked after in one walk: the size of the programs' table of questions.
const QUESTIONS: usize = 4096;

/// The iterators, linked and ready to run.
pub struct Iterators {
    task_file: OwnedFd,
    tcp: OwnedFd,
    suspects: OwnedFd,
    control: Array<MapData, Control>,
    questions: HashMap<MapData, u64, u64>,
    ns_per_jiffy: u64,
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
                    Map::HashMap(data) => Some(data.fd().as_fd()),
                    _ => None,
                });
            link_iter(program.as_fd(), map)
        };
        let task_file = link(ebpf, "truth_task_file", None)?;
        let tcp = link(ebpf, "truth_tcp", None)?;
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
            suspects,
            control,
            questions,
            ns_per_jiffy: 0,
        };
        iterators.measure_jiffy()?;
        Ok(iterators)
    }

    /// Ticks of the kernel's timer a second; 0 if it could not be found out.
    #[must_use]
    pub fn hz(&self) -> u32 {
        1_000_000_000_u64
            .checked_div(self.ns_per_jiffy)
            .and_then(|hz| u32::try_from(hz).ok())
            .unwrap_or(0)
    }

    /// Writes the records of a walk, marks included: suspects since before `older_than` that have
    /// not been told, and those that have moved.
    pub fn walk(&mut self, older_than: BootTime, into: &mut Vec<u8>) {
        let clock = clock::System;
        into.extend_from_slice(&mark_record(clock.boot(), Mark::WalkBegin));
        let control = WalkControl {
            older_than_ns: older_than.0,
            ns_per_jiffy: self.ns_per_jiffy,
            ..WalkControl::default()
        };
        let oldest_young = match self.run_walk(control, into) {
            Ok(control) if control.oldest_young_ns == 0 => None,
            Ok(control) => Some(BootTime(control.oldest_young_ns)),
            // What was not walked is as young as can be: it is looked for again in time.
            Err(_) => Some(clock.boot()),
        };
        into.extend_from_slice(&mark_record(clock.boot(), Mark::WalkEnd { oldest_young }));
    }

    /// Writes the records of a reading of the truth, marks included. `asked` are sockets to be told
    /// of if nobody holds them, or in any case, as long as the kernel's table still has them.
    pub fn truth(&mut self, asked: &[Question], into: &mut Vec<u8>) {
        let clock = clock::System;
        into.extend_from_slice(&mark_record(clock.boot(), Mark::TruthBegin));
        let complete = self.read_truth(asked, into).is_ok();
        into.extend_from_slice(&mark_record(clock.boot(), Mark::TruthEnd { complete }));
    }

    fn read_truth(&mut self, asked: &[Question], into: &mut Vec<u8>) -> io::Result<()> {
        let start = into.len();
        // The queues first: asking there names sockets that the other iterator cannot name.
        run(&self.tcp, into)?;
        run(&self.task_file, into)?;
        if asked.is_empty() {
            return Ok(());
        }
        let seen = seen(into.get(start..).unwrap_or_default());
        let unseen: Vec<_> = asked
            .iter()
            .filter(|question| question.always || !seen.contains(&question.cookie))
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
                into,
            );
            for kaddr in asked() {
                // Every question was just put there.
                let _ = self.questions.remove(&kaddr);
            }
            told?;
        }
        Ok(())
    }

    fn run_walk(&mut self, control: WalkControl, into: &mut Vec<u8>) -> io::Result<WalkControl> {
        self.control
            .set(0, Control(control), 0)
            .map_err(io::Error::other)?;
        run(&self.suspects, into)?;
        let Control(control) = self.control.get(&0, 0).map_err(io::Error::other)?;
        Ok(control)
    }

    /// Finds out how long a jiffy is: the kernel started counting them 300 s below the wrap of 32
    /// bits (`INITIAL_JIFFIES`, include/linux/jiffies.h), and has counted HZ a second since.
    fn measure_jiffy(&mut self) -> io::Result<()> {
        let control = self.run_walk(WalkControl::default(), &mut Vec::new())?;
        self.ns_per_jiffy = ns_per_jiffy(control.jiffies, clock::monotonic_ns());
        Ok(())
    }
}

/// Cookies that a reading's records speak of. Both kinds of record have their socket behind the
/// header.
fn seen(mut records: &[u8]) -> HashSet<Cookie> {
    let mut cookies = HashSet::new();
    while let Ok(len) = frame(records) {
        let Some((record, rest)) = records.split_at_checked(len) else {
            break;
        };
        let sock = record
            .get(size_of::<Header>()..)
            .map(Sock::read_from_prefix);
        if let Some(Ok((sock, _))) = sock {
            cookies.insert(Cookie(sock.cookie));
        }
        records = rest;
    }
    cookies
}

/// Runs an iterator to its end.
fn run(link: &OwnedFd, into: &mut Vec<u8>) -> io::Result<()> {
    let mut run = open_iter(link.as_fd())?;
    loop {
        let filled = into.len();
        into.resize(filled + READ, 0);
        let read = run.read(into.get_mut(filled..).unwrap_or_default());
        into.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => {}
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

/// Nanoseconds a jiffy, from `jiffies_64` and the monotonic clock at one moment; 0 if no HZ fits.
fn ns_per_jiffy(jiffies: u64, monotonic_ns: u64) -> u64 {
    const NS: u64 = 1_000_000_000;
    [100_u64, 250, 300, 1000]
        .into_iter()
        .map(|hz| {
            let initial = u64::from(0_u32.wrapping_sub(u32::try_from(300 * hz).unwrap_or(0)));
            let counted = u128::from(jiffies.wrapping_sub(initial)) * u128::from(NS / hz);
            (NS / hz, counted.abs_diff(u128::from(monotonic_ns)))
        })
        .filter(|(_, off)| *off < u128::from(NS / 4 + monotonic_ns / 100))
        .min_by_key(|(_, off)| *off)
        .map_or(0, |(ns, _)| ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hz: u64, uptime_s: u64) {
        let initial = u64::from(0_u32.wrapping_sub(u32::try_from(300 * hz).expect("small")));
        let jiffies = initial + hz * uptime_s;
        assert_eq!(
            ns_per_jiffy(jiffies, uptime_s * 1_000_000_000),
            1_000_000_000 / hz
        );
    }

    #[test]
    fn the_length_of_a_jiffy_follows_from_uptime() {
        for hz in [100, 250, 1000] {
            for uptime in [1, 10, 299, 301, 86_400, 10_000_000] {
                check(hz, uptime);
            }
        }
    }

    #[test]
    fn an_impossible_count_gives_none() {
        assert_eq!(ns_per_jiffy(0, 5_000_000_000), 0);
    }
}
