//! The programs' counters: every loss in the kernel is in one of them.

use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray};
use socktrace_common::counters::Counters;

/// The map of counters.
pub struct Losses {
    map: PerCpuArray<MapData, PerCpu>,
}

/// [`Counters`] as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PerCpu(Counters);
// SAFETY: Counters is plain integers without padding.
unsafe impl aya::Pod for PerCpu {}

impl Losses {
    /// Takes the counters out of the object.
    pub fn new(ebpf: &mut Ebpf) -> Result<Self, String> {
        let map = ebpf
            .take_map("COUNTERS")
            .ok_or("the object has no map COUNTERS")?;
        let map = PerCpuArray::try_from(map).map_err(|error| error.to_string())?;
        Ok(Self { map })
    }

    /// Each CPU's counters since the programs were loaded.
    pub fn read(&self) -> Result<Vec<Counters>, String> {
        let cpus = self.map.get(&0, 0).map_err(|error| error.to_string())?;
        Ok(cpus.iter().map(|PerCpu(counters)| *counters).collect())
    }
}
