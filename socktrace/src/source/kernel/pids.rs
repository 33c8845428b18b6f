//! The pid namespace whose numbers the programs are to tell.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Inode of the initial pid namespace: `PROC_PID_INIT_INO` (include/linux/proc_ns.h).
const INITIAL: u32 = 0xefff_fffc;

/// The agent's pid namespace, as the programs are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PidNamespace {
    /// How deep it is: 0 only for the initial one.
    pub(super) level: u32,
    /// Its inode.
    pub(super) inum: u32,
}

impl PidNamespace {
    /// The one in which the kernel itself counts.
    pub(super) const INITIAL: Self = Self {
        level: 0,
        inum: INITIAL,
    };
}

/// Inode of the pid namespace that this process is in; `None` if it is the initial one, or if there is
/// no /proc to tell.
pub(super) fn own_namespace() -> Option<u32> {
    let inode = fs::metadata("/proc/self/ns/pid").ok()?.ino();
    u32::try_from(inode).ok().filter(|inode| *inode != INITIAL)
}
