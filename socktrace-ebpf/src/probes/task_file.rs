//! `iter/task_file`: who holds what now.
//!
//! ```text
//! struct bpf_iter__task_file { meta; task; u32 fd; file }
//! ```
//! (kernel/bpf/task_iter.c). The kernel visits the tasks of the reader's pid namespace, threads only where
//! their table of descriptors is not their leader's. A leader that has exited has none, so that each of
//! its threads is visited, and tells of the same descriptors.

use socktrace_common::config::mode;
use socktrace_common::wire::{Held, Task, kind, sock_flag};

use crate::globals::{config, offset};
use crate::output::{now, plain_header, write_record};
use crate::sock::{self, Probed, read, state};
use crate::{naming, suspects, task};

/// The kernel's context: four slots of 8 bytes.
#[repr(C)]
pub struct TaskFile {
    meta: *const *mut core::ffi::c_void,
    task: *const core::ffi::c_void,
    fd: u32,
    file: *const core::ffi::c_void,
}

/// `S_IFMT` and `S_IFSOCK` (include/uapi/linux/stat.h).
const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;

/// Writes one [`Held`] a descriptor that refers to a TCP socket worth telling of.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub extern "C" fn truth_task_file(ctx: *const TaskFile) -> i32 {
    // SAFETY: the kernel calls with a valid context; loads from it are checked by the verifier.
    let (meta, task, fd, file) =
        unsafe { ((*ctx).meta, (*ctx).task as u64, (*ctx).fd, (*ctx).file) };
    if task == 0 || file.is_null() {
        return 0;
    }
    let Some(sk) = tcp_socket_of(file as u64) else {
        return 0;
    };
    let tcp_state = sock::state_of(sk);
    let leakable = suspects::is_leakable(sk, tcp_state);
    if config!(mode) != mode::SCAN
        && !leakable
        && tcp_state != state::LISTEN
        && tcp_state != state::LAST_ACK
    {
        return 0;
    }
    let at = now();
    // A listener needs no name.
    let cookie = if tcp_state == state::LISTEN {
        sock::kernel_cookie(sk)
    } else {
        naming::of_held(sk, file)
    };
    let listed = suspects::listed(sk);
    if listed == sock_flag::UNLISTED && leakable {
        suspects::add(Probed(sk), cookie, at, sock::error_of(sk), true);
    }
    let leader: u64 = read(task, offset!(group_leader));
    let (tgid, tid) = task::ids_of(task);
    let mut held = Held {
        header: plain_header::<Held>(kind::HELD, at),
        seqs: sock::seqs(sk),
        task: Task {
            tgid,
            tid,
            comm: read(leader, offset!(task_comm)),
        },
        fd,
        sk_err: sock::error_of(sk),
        ack_backlog: read(sk, offset!(sk_ack_backlog)),
        max_ack_backlog: read(sk, offset!(sk_max_ack_backlog)),
        shutdown: u32::from(read::<u8>(sk, offset!(sk_shutdown)) & 3),
        idle_jiffies: sock::idle_jiffies(sk),
        task_start_ns: read(leader, offset!(start_boottime)),
        ..Held::default()
    };
    // SAFETY: `held` is ours.
    unsafe { sock::describe(&raw mut held.sock, sk, cookie, tcp_state) };
    held.sock.flags |= listed;
    // Without room the kernel asks again, and the same is told.
    let _ = write_record(meta, &held);
    0
}

/// The TCP `struct sock` behind a file, if it is one: a socket's inode says so, and its
/// `struct socket` points back at the file (an `O_PATH` descriptor's does not).
#[inline(always)]
fn tcp_socket_of(file: u64) -> Option<u64> {
    let inode: u64 = read(file, offset!(f_inode));
    if read::<u16>(inode, offset!(i_mode)) & S_IFMT != S_IFSOCK {
        return None;
    }
    let socket: u64 = read(file, offset!(private_data));
    if socket == 0 || read::<u64>(socket, offset!(socket_file)) != file {
        return None;
    }
    let sk: u64 = read(socket, offset!(socket_sk));
    if sk == 0 || !sock::is_tcp(sk) {
        return None;
    }
    let family: u16 = read(sk, offset!(skc_family));
    (family == sock::AF_INET || family == sock::AF_INET6).then_some(sk)
}
