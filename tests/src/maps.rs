//! The kernel's tables of an agent, seen from outside: what it never takes out again is a leak of its own.

use std::collections::HashSet;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::{fs, ptr};

/// Commands of bpf(2) (`enum bpf_cmd`, include/uapi/linux/bpf.h).
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_GET_FD_BY_ID: libc::c_int = 14;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// Sockets of one set.
const WAYS: usize = 8;

/// The beginning of `struct bpf_map_info`.
#[derive(Default)]
#[repr(C)]
struct MapInfo {
    kind: u32,
    id: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    name: [u8; 16],
}

/// What the three commands take of `union bpf_attr`.
#[derive(Default)]
#[repr(C)]
struct Attributes {
    /// A descriptor or an id.
    which: u32,
    /// The length of what `first` points to, where that is asked for.
    length: u32,
    first: u64,
    second: u64,
}

/// Addresses of the sockets that the agent `pid` knows: in its table of sockets, the words of each set behind the
/// first, which says whether it was ever full.
///
/// # Panics
///
/// If the process has no such table.
#[must_use]
#[track_caller]
pub fn sockets(pid: u32) -> HashSet<u64> {
    let (info, map) = ids(pid)
        .into_iter()
        .filter_map(by_id)
        .find_map(|map| Some((info_of(&map)?, map)))
        .unwrap_or_else(|| panic!("process {pid} has no table SOCKETS"));
    let words = usize::try_from(info.value_size).expect("a small number") / size_of::<u64>();
    let mut set = vec![0_u64; words];
    let mut sockets = HashSet::new();
    for index in 0..info.max_entries {
        assert!(look_up(&map, index, &mut set), "set {index} cannot be read");
        sockets.extend(set.iter().skip(1).take(WAYS).filter(|tag| **tag != 0));
    }
    sockets
}

/// The ids of a process's tables, from /proc/PID/fdinfo.
fn ids(pid: u32) -> HashSet<u32> {
    let infos = fs::read_dir(format!("/proc/{pid}/fdinfo"));
    let infos = infos.into_iter().flatten().flatten();
    infos
        .filter_map(|info| fs::read_to_string(info.path()).ok())
        .filter_map(|info| {
            let id = info.lines().find_map(|line| line.strip_prefix("map_id:"))?;
            id.trim().parse().ok()
        })
        .collect()
}

fn by_id(id: u32) -> Option<OwnedFd> {
    let mut attributes = Attributes {
        which: id,
        ..Attributes::default()
    };
    let fd = i32::try_from(bpf(MAP_GET_FD_BY_ID, &mut attributes)?).ok()?;
    // SAFETY: the system call just made this descriptor and nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What the kernel says of a table, if it is the table of sockets.
fn info_of(map: &OwnedFd) -> Option<MapInfo> {
    let mut info = MapInfo::default();
    let mut attributes = Attributes {
        which: map.as_raw_fd().cast_unsigned(),
        length: u32::try_from(size_of::<MapInfo>()).expect("a small number"),
        first: (&raw mut info) as u64,
        second: 0,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes)?;
    info.name.starts_with(b"SOCKETS\0").then_some(info)
}

/// Reads one element of an array; false if it cannot be read.
fn look_up(map: &OwnedFd, index: u32, value: &mut [u64]) -> bool {
    let mut attributes = Attributes {
        which: map.as_raw_fd().cast_unsigned(),
        length: 0,
        first: (&raw const index) as u64,
        second: value.as_mut_ptr() as u64,
    };
    bpf(MAP_LOOKUP_ELEM, &mut attributes).is_some()
}

fn bpf(command: libc::c_int, attributes: &mut Attributes) -> Option<libc::c_long> {
    let attributes = ptr::from_mut(attributes);
    // SAFETY: the attributes are those of the command, and what they point to is valid for its size.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<Attributes>()) };
    (result >= 0).then_some(result)
}
