//! What the programs and the kernel count: every loss in the kernel is in one of these counters.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray};
use socktrace_common::counters::Counters;

use super::sys;

/// The counters.
pub struct Losses {
    map: PerCpuArray<MapData, PerCpu>,
    /// The programs in the kernel.
    programs: Vec<OwnedFd>,
    /// The links of those that are kprobes or kretprobes, where they can be had.
    probes: Vec<OwnedFd>,
}

/// What was counted since the programs were loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By the programs, on each CPU.
    pub cpus: Vec<Counters>,
    /// By the kernel: how often a program did not run because it, or another one that excludes it, was
    /// running on that CPU, or because a probe had no instance left. Kernels before 5.12 do not tell.
    pub missed: u64,
}

/// [`Counters`] as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PerCpu(Counters);
// SAFETY: Counters is plain integers without padding.
unsafe impl aya::Pod for PerCpu {}

impl Losses {
    /// Takes the counters out of the object, whose programs have been attached.
    pub fn new(ebpf: &mut Ebpf) -> Result<Self, String> {
        let map = ebpf
            .take_map("COUNTERS")
            .ok_or("the object has no map COUNTERS")?;
        let map = PerCpuArray::try_from(map).map_err(|error| error.to_string())?;
        let programs = ebpf
            .programs()
            .filter_map(|(_, program)| program.fd().ok())
            .map(|program| program.as_fd().try_clone_to_owned())
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| error.to_string())?;
        // Before 5.15 there are none.
        let probes = sys::probe_links(&programs).unwrap_or_default();
        Ok(Self {
            map,
            programs,
            probes,
        })
    }

    /// The counters now.
    pub fn read(&self) -> Result<Counted, String> {
        let cpus = self.map.get(&0, 0).map_err(|error| error.to_string())?;
        let misses = |count: fn(&OwnedFd) -> io::Result<u64>, of: &[OwnedFd]| {
            of.iter()
                .filter_map(|fd| count(fd).ok())
                .fold(0, u64::saturating_add)
        };
        Ok(Counted {
            cpus: cpus.iter().map(|PerCpu(counters)| *counters).collect(),
            missed: misses(sys::program_misses, &self.programs)
                .saturating_add(misses(sys::probe_misses, &self.probes)),
        })
    }
}
