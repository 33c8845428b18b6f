//! `iter/task_file`: who holds what now.
//!
//! ```text
//! struct bpf_iter__task_file { meta; task; u32 fd; file }
//! ```
//! (kernel/bpf/task_iter.c). The kernel visits the tasks of the reader's pid namespace, threads only where
//! their table of descriptors is not their leader's. A leader that has exited has none, so that each of
//! its threads is visited, and tells of the same descriptors.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_sock_from_file;
use socktrace_common::config::mode;
use socktrace_common::wire::{Held, Task, kind, sock_flag};

use crate::describe::describe_as;
use crate::globals::{config, offset};
use crate::output::{now, plain_header, write_record};
use crate::sock::{self, Probed, Sk, Typed, read, state};
use crate::{naming, suspects, task};

/// The kernel's context: four slots of 8 bytes.
#[repr(C)]
pub struct TaskFile {
    meta: *const *mut c_void,
    task: *const c_void,
    fd: u32,
    file: *const c_void,
}

/// What the context said.
#[derive(Clone, Copy)]
struct Seen {
    meta: *const *mut c_void,
    task: u64,
    fd: u32,
    file: *const c_void,
}

/// `S_IFMT` and `S_IFSOCK` (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;

/// Writes one [`Held`] a descriptor that refers to a TCP socket worth telling of.
///
/// There may be a million descriptors. Where the kernel says which file is a socket's (5.11), all that is
/// read of it is loads; elsewhere each is a call.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub extern "C" fn truth_task_file(ctx: *const TaskFile) -> i32 {
    // SAFETY: the kernel calls with a valid context; loads from it are checked by the verifier.
    let (meta, task, fd, file) = unsafe { ((*ctx).meta, (*ctx).task, (*ctx).fd, (*ctx).file) };
    if task.is_null() || file.is_null() {
        return 0;
    }
    // What the verifier knows of them it knows of these very values: they are not read again.
    let seen = Seen {
        meta,
        task: sock::settled(task as u64),
        fd,
        file: sock::settled(file as u64) as *const c_void,
    };
    if config!(cookie_helper) == 1 {
        if let Some(sk) = socket_of(seen.file)
            && is_tcp(sk)
        {
            tell(seen, sk, inode_of(seen.file));
        }
    } else if let Some(sk) = probed_socket_of(seen.file as u64)
        && is_tcp(sk)
    {
        tell(seen, sk, sock::inode_of(sk.socket()));
    }
    0
}

#[inline(always)]
fn tell<S: Sk>(seen: Seen, sk: S, inode: u32) {
    let Seen {
        meta,
        task,
        fd,
        file,
    } = seen;
    let tcp_state = sk.state();
    let leakable = suspects::is_leakable(sk, tcp_state);
    if config!(mode) != mode::SCAN
        && !leakable
        && tcp_state != state::LISTEN
        && tcp_state != state::LAST_ACK
    {
        return;
    }
    let at = now();
    let cookie = if tcp_state == state::LISTEN {
        // A listener needs no name.
        sk.cookie()
    } else if config!(mode) == mode::SCAN {
        naming::of_look(sk, inode)
    } else {
        naming::of_held(sk.addr(), file)
    };
    let listed = suspects::listed(sk.addr());
    if listed == sock_flag::UNLISTED && leakable {
        suspects::add(sk, cookie, at, sk.error(), true);
    }
    let leader: u64 = S::load(task, offset!(group_leader));
    let (tgid, tid) = ids_of::<S>(task);
    let comm: [u64; 2] = S::load(leader, offset!(task_comm));
    // SAFETY: integers have no invalid bits, and the two have one size.
    let comm = unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(comm) };
    let addr = sk.addr();
    let mut held = Held {
        header: plain_header::<Held>(kind::HELD, at),
        seqs: sk.seqs(),
        task: Task { tgid, tid, comm },
        fd,
        sk_err: sk.error(),
        ack_backlog: S::load(addr, offset!(sk_ack_backlog)),
        max_ack_backlog: S::load(addr, offset!(sk_max_ack_backlog)),
        shutdown: u32::from(S::load::<u8>(addr, offset!(sk_shutdown)) & 3),
        idle_jiffies: sk.idle_jiffies(),
        task_start_ns: S::load(leader, offset!(start_boottime)),
        ..Held::default()
    };
    // SAFETY: `held` is ours.
    unsafe { describe_as(&raw mut held.sock, sk, inode, cookie, tcp_state) };
    held.sock.flags |= listed;
    // Without room the kernel asks again, and the same is told.
    let _ = write_record(meta, &held);
}

/// The `struct sock` behind a file, if it is a socket's: the kernel compares `f_op`, which an `O_PATH`
/// descriptor's is not.
#[inline(always)]
fn socket_of(file: *const c_void) -> Option<Typed> {
    // SAFETY: the iterator's own pointer, which the verifier trusts.
    let socket = unsafe { bpf_sock_from_file(file.cast_mut().cast()) } as u64;
    if socket == 0 {
        return None;
    }
    let sk: u64 = Typed::load(sock::settled(socket), offset!(socket_sk));
    (sk != 0).then(|| Typed(sock::settled(sk)))
}

/// The inode of a socket's file.
#[inline(always)]
fn inode_of(file: *const c_void) -> u32 {
    let inode: u64 = Typed::load(file as u64, offset!(f_inode));
    Typed::load::<u64>(inode, offset!(i_ino)) as u32
}

/// The same as [`socket_of`] by address alone: a socket's inode says so, and its `struct socket` points
/// back at the file.
#[inline(always)]
fn probed_socket_of(file: u64) -> Option<Probed> {
    let inode: u64 = read(file, offset!(f_inode));
    if read::<u16>(inode, offset!(i_mode)) & S_IFMT != S_IFSOCK {
        return None;
    }
    let socket: u64 = read(file, offset!(private_data));
    if socket == 0 || read::<u64>(socket, offset!(socket_file)) != file {
        return None;
    }
    let sk: u64 = read(socket, offset!(socket_sk));
    (sk != 0).then_some(Probed(sk))
}

/// Whether it is a TCP socket of IPv4 or IPv6.
#[inline(always)]
fn is_tcp<S: Sk>(sk: S) -> bool {
    let family: u16 = S::load(sk.addr(), offset!(skc_family));
    sk.is_tcp() && (family == sock::AF_INET || family == sock::AF_INET6)
}

/// A task's process and its own number, as [`task::ids_of`] has them.
#[inline(always)]
fn ids_of<S: Sk>(task: u64) -> (u32, u32) {
    if config!(pid_level) != 0 {
        return task::ids_of(task);
    }
    (
        S::load(task, offset!(task_tgid)),
        S::load(task, offset!(task_pid)),
    )
}
