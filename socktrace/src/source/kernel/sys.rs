//! System calls aya does not make: linking an iterator to a map and running it, lifting the limit
//! of locked memory, giving memory back.
//!
//! * [`info`]: what the kernel counts of programs and links; [`maps`]: what is in maps; [`mapping`]: memory that is
//!   shared with it.

mod info;
mod mapping;
mod maps;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

pub(super) use info::{probe_links, probe_misses, program_misses};
pub(super) use mapping::{Mapping, page_size};
pub(super) use maps::{count_entries, read_element};

/// `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_ITER_CREATE: libc::c_int = 33;
/// `BPF_TRACE_ITER` in `enum bpf_attach_type`.
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_attr`, its member `link_create`.
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    iter_info: u64,
    iter_info_len: u32,
    reserved: u32,
}

/// `union bpf_iter_link_info`, its member `map`.
#[repr(C)]
struct IterLinkInfo {
    map_fd: u32,
}

/// `union bpf_attr`, its member `iter_create`.
#[repr(C)]
#[derive(Default)]
struct IterCreate {
    link_fd: u32,
    flags: u32,
}

/// Links an iterator program, to `map` if it iterates over a map's elements.
pub(super) fn link_iter(
    program: BorrowedFd<'_>,
    map: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    let info = map.map(|map| IterLinkInfo {
        map_fd: number(map),
    });
    let mut attr = LinkCreate {
        prog_fd: number(program),
        attach_type: BPF_TRACE_ITER,
        ..LinkCreate::default()
    };
    if let Some(info) = &info {
        attr.iter_info = std::ptr::from_ref(info) as u64;
        attr.iter_info_len = 4;
    }
    // SAFETY: `attr` is a valid bpf_attr for this command and outlives the call, as does `info`.
    unsafe { bpf(BPF_LINK_CREATE, &raw const attr) }
}

/// Opens one run of a linked iterator; reading the file runs it.
pub(super) fn open_iter(link: BorrowedFd<'_>) -> io::Result<File> {
    let attr = IterCreate {
        link_fd: number(link),
        flags: 0,
    };
    // SAFETY: `attr` is a valid bpf_attr for this command and outlives the call.
    unsafe { bpf(BPF_ITER_CREATE, &raw const attr) }.map(File::from)
}

/// Calls bpf(2) for a command that returns a new descriptor.
///
/// # Safety
///
/// `attr` must be what `command` expects of `union bpf_attr`.
unsafe fn bpf<T>(command: libc::c_int, attr: *const T) -> io::Result<OwnedFd> {
    // SAFETY: by the contract of this function; the kernel does not write to `attr` for such a command.
    let fd = unsafe { call(command, attr.cast_mut()) }?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Calls bpf(2).
///
/// # Safety
///
/// `attr` must be what `command` expects of `union bpf_attr`, and writable if the kernel writes to it.
unsafe fn call<T>(command: libc::c_int, attr: *mut T) -> io::Result<libc::c_int> {
    // SAFETY: by the contract of this function; the kernel uses `size_of::<T>()` bytes.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(result).map_err(io::Error::other)
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// Lifts the limit of locked memory, which kernels before 5.11 charge maps and programs to.
pub(super) fn lift_memlock() -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is a valid rlimit.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// From now on this thread, for as long as it lives, is told of every file that it opens by name that there
/// is none.
pub(super) fn open_nothing() -> io::Result<()> {
    /// Where `struct seccomp_data` (include/uapi/linux/seccomp.h) has the number of the system call.
    const NUMBER: u32 = 0;
    #[cfg(target_arch = "x86_64")]
    const OPEN: libc::c_long = libc::SYS_open;
    #[cfg(not(target_arch = "x86_64"))]
    const OPEN: libc::c_long = libc::SYS_openat;
    let instruction = |code: u32, k: u32, jt, jf| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let is = |number: libc::c_long, to, or| {
        instruction(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            u32::try_from(number).unwrap_or(u32::MAX),
            to,
            or,
        )
    };
    let end = |what| instruction(libc::BPF_RET | libc::BPF_K, what, 0, 0);
    // Numbers that did not fit would make a filter that the kernel refuses, or one that lets all pass.
    let mut filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER, 0, 0),
        is(libc::SYS_openat, 1, 0),
        is(OPEN, 0, 1),
        end(libc::SECCOMP_RET_ERRNO | libc::ENOENT.cast_unsigned()),
        end(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).unwrap_or_default(),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: prctl is given what these two commands expect; `program` and `filter` outlive the calls.
    let failed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) != 0
    };
    if failed {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
