//! The kernel's tables of an agent, seen from outside: what it never takes out again is a leak of its own.

use std::collections::HashSet;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::{fs, ptr};

/// Commands of bpf(2) (`enum bpf_cmd`, include/uapi/linux/bpf.h).
const MAP_GET_NEXT_KEY: libc::c_int = 4;
const MAP_GET_FD_BY_ID: libc::c_int = 14;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// More steps than any table takes that a test looks at.
const MOST_STEPS: usize = 1 << 20;

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

/// The keys, 8 bytes each, in the hash table `name` of the process `pid`.
///
/// # Panics
///
/// If the process has no such table.
#[must_use]
#[track_caller]
pub fn keys(pid: u32, name: &str) -> HashSet<u64> {
    let map = ids(pid)
        .into_iter()
        .filter_map(by_id)
        .find(|map| is_named(map, name))
        .unwrap_or_else(|| panic!("process {pid} has no table {name}"));
    let mut keys = HashSet::new();
    let mut last = None;
    for _ in 0..MOST_STEPS {
        // A key that has been taken out meanwhile is followed by the first one again.
        let Some(key) = after(&map, last) else {
            return keys;
        };
        keys.insert(key);
        last = Some(key);
    }
    panic!("the table {name} has no end")
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

fn is_named(map: &OwnedFd, name: &str) -> bool {
    let mut info = MapInfo::default();
    let mut attributes = Attributes {
        which: map.as_raw_fd().cast_unsigned(),
        length: u32::try_from(size_of::<MapInfo>()).expect("a small number"),
        first: (&raw mut info) as u64,
        second: 0,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes).is_some()
        && info.key_size == 8
        && info.name.split(|byte| *byte == 0).next() == Some(name.as_bytes())
}

/// The key behind `last`, the first one without it; `None` at the end.
fn after(map: &OwnedFd, last: Option<u64>) -> Option<u64> {
    let mut key = 0_u64;
    let last = last.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mut attributes = Attributes {
        which: map.as_raw_fd().cast_unsigned(),
        length: 0,
        first: last as u64,
        second: (&raw mut key) as u64,
    };
    bpf(MAP_GET_NEXT_KEY, &mut attributes).map(|_| key)
}

fn bpf(command: libc::c_int, attributes: &mut Attributes) -> Option<libc::c_long> {
    let attributes = ptr::from_mut(attributes);
    // SAFETY: the attributes are those of the command, and what they point to is valid for its size.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<Attributes>()) };
    (result >= 0).then_some(result)
}
