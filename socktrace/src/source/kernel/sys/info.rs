//! What the kernel counts of programs and links (include/uapi/linux/bpf.h, `struct bpf_prog_info` and
//! `struct bpf_link_info`). A kernel that is older than a member leaves it as it was: 0.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::{call, number};

/// `enum bpf_cmd`.
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
/// Where a link's descriptor leads (kernel/bpf/syscall.c, `bpf_link_prime`).
const LINK: &str = "anon_inode:bpf_link";
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

/// How often a program did not run because it was running on that CPU already (since 5.12), or because
/// another probe or tracepoint was (since 6.7).
pub(in super::super) fn program_misses(program: &OwnedFd) -> io::Result<u64> {
    info::<ProgInfo>(program).map(|info| info.recursion_misses)
}

/// How often a kprobe or a kretprobe was hit and could not be served (since 6.7).
pub(in super::super) fn probe_misses(link: &OwnedFd) -> io::Result<u64> {
    info::<LinkInfo>(link).map(|info| info.missed)
}

/// The links of those of `programs` that are kprobes or kretprobes, found among this process's own
/// descriptors: to look links up by number takes `CAP_SYS_ADMIN`.
pub(in super::super) fn probe_links(programs: &[OwnedFd]) -> io::Result<Vec<OwnedFd>> {
    let ids = programs
        .iter()
        .map(|program| info::<ProgInfo>(program).map(|info| info.id))
        .collect::<io::Result<Vec<_>>>()?;
    let mut links = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // What a descriptor of another kind tells has another shape.
        let is_link = fs::read_link(&path).is_ok_and(|to| to.as_os_str() == LINK);
        let name = path.file_name().and_then(|name| name.to_str());
        let (true, Some(Ok(fd))) = (is_link, name.map(str::parse)) else {
            continue;
        };
        // SAFETY: it was open a moment ago and is borrowed to be duplicated only, which fails if it is not.
        let link = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
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
