//! What the kernel counts of programs and links (include/uapi/linux/bpf.h, `struct bpf_prog_info` and
//! `struct bpf_link_info`). A kernel that is older than a member leaves it as it was: 0.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::{bpf, call, number};

/// `enum bpf_cmd`.
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;
const BPF_LINK_GET_NEXT_ID: libc::c_int = 31;
/// `BPF_LINK_TYPE_PERF_EVENT` in `enum bpf_link_type`.
const PERF_EVENT: u32 = 7;
/// `BPF_PERF_EVENT_KPROBE` and `BPF_PERF_EVENT_KRETPROBE` in `enum bpf_perf_event_type`.
const PROBES: [u32; 2] = [3, 4];

/// `struct bpf_prog_info`, as far as it is read.
#[repr(C)]
#[derive(Default)]
struct ProgInfo {
    kind: u32,
    id: u32,
    /// From `tag` to `run_cnt`: zeros, of which the kernel reads the lengths of arrays.
    unread: [u64; 25],
    recursion_misses: u64,
}
const _: () = assert!(std::mem::offset_of!(ProgInfo, recursion_misses) == 208);

/// `struct bpf_link_info`, its member `perf_event.kprobe`.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    prog_id: u32,
    padding: u32,
    event: u32,
    event_padding: u32,
    /// 0: the function's name is not wanted.
    func_name: u64,
    name_len: u32,
    offset: u32,
    addr: u64,
    missed: u64,
}
const _: () = assert!(std::mem::offset_of!(LinkInfo, missed) == 48);

/// `union bpf_attr`, its member `info`.
#[repr(C)]
struct GetInfo {
    fd: u32,
    len: u32,
    info: u64,
}

/// `union bpf_attr`, its members for `BPF_*_GET_*_ID`.
#[repr(C)]
#[derive(Default)]
struct GetId {
    id: u32,
    next_id: u32,
    flags: u32,
}

/// How often a program did not run because it was running on that CPU already (since 5.12), or because
/// another probe or tracepoint was (since 6.7).
pub(in super::super) fn program_misses(program: &OwnedFd) -> io::Result<u64> {
    info::<ProgInfo>(program).map(|info| info.recursion_misses)
}

/// How often a kprobe or a kretprobe was hit and could not be served (since 6.7).
pub(in super::super) fn probe_misses(link: &OwnedFd) -> io::Result<u64> {
    info::<LinkInfo>(link).map(|info| info.missed)
}

/// The links of those of `programs` that are kprobes or kretprobes.
pub(in super::super) fn probe_links(programs: &[OwnedFd]) -> io::Result<Vec<OwnedFd>> {
    let ids = programs
        .iter()
        .map(|program| info::<ProgInfo>(program).map(|info| info.id))
        .collect::<io::Result<Vec<_>>>()?;
    let mut links = Vec::new();
    let mut attr = GetId::default();
    // SAFETY: `attr` is a valid bpf_attr for this command, which writes `next_id`.
    while unsafe { call(BPF_LINK_GET_NEXT_ID, &raw mut attr) }.is_ok() {
        attr.id = attr.next_id;
        let by_id = GetId {
            id: attr.id,
            ..GetId::default()
        };
        // SAFETY: `by_id` is a valid bpf_attr for this command and outlives the call.
        let link = match unsafe { bpf(BPF_LINK_GET_FD_BY_ID, &raw const by_id) } {
            Ok(link) => link,
            // It has just gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let Ok(info) = info::<LinkInfo>(&link) else {
            continue;
        };
        if info.kind == PERF_EVENT && PROBES.contains(&info.event) && ids.contains(&info.prog_id) {
            links.push(link);
        }
    }
    Ok(links)
}

/// Asks for a `T`, which must be the beginning of what the kernel tells of such a descriptor.
fn info<T: Default>(of: &OwnedFd) -> io::Result<T> {
    let mut info = T::default();
    let mut attr = GetInfo {
        fd: number(of.as_fd()),
        len: u32::try_from(size_of::<T>()).map_err(io::Error::other)?,
        info: &raw mut info as u64,
    };
    // SAFETY: `attr` is a valid bpf_attr for this command; the kernel writes at most `len` bytes to
    // `info`, which outlives the call. Both structures are integers, valid whatever is written.
    unsafe { call(BPF_OBJ_GET_INFO_BY_FD, &raw mut attr) }?;
    Ok(info)
}
