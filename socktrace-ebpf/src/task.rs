//! Tasks: the one place that splits pid and tid, and that counts them as the agent does.
//!
//! Pids are those of the agent's pid namespace. In the initial one they are what the kernel's helpers
//! and `task_struct` give; else each task's number there is looked up in its `struct pid`. A task that
//! is not in the agent's namespace, nor in one below it, has no number there: 0, never another task's.

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, generated};
use socktrace_common::wire::Task;

use crate::globals::{config, offset};
use crate::sock::read;

/// `PF_EXITING` (include/linux/sched.h).
const PF_EXITING: u32 = 0x4;
/// `PF_KTHREAD` (include/linux/sched.h).
const PF_KTHREAD: u32 = 0x0020_0000;
/// Bytes of a `struct upid` (include/linux/pid.h): a number and a pointer.
const UPID: u64 = 16;

/// The current thread in one word: its process in the upper half, its own number in the lower.
#[inline(always)]
pub fn who() -> u64 {
    if config!(pid_level) != 0 {
        let (tgid, tid) = numbers(current_task());
        return u64::from(tgid) << 32 | u64::from(tid);
    }
    bpf_get_current_pid_tgid()
}

/// Process and thread of [`who`].
#[inline(always)]
pub fn split(who: u64) -> (u32, u32) {
    ((who >> 32) as u32, who as u32)
}

/// A task's process and its own number.
#[inline(always)]
pub fn ids_of(task: u64) -> (u32, u32) {
    if config!(pid_level) != 0 {
        return numbers(task);
    }
    (
        read(task, offset!(task_tgid)),
        read(task, offset!(task_pid)),
    )
}

/// The current thread with its name.
#[inline(always)]
pub fn current() -> Task {
    let (tgid, tid) = split(who());
    Task {
        tgid,
        tid,
        comm: bpf_get_current_comm().unwrap_or_default(),
    }
}

/// Whether the current task is exiting, and whether it is a kernel thread.
#[inline(always)]
pub fn exiting_and_kthread() -> (bool, bool) {
    let flags: u32 = read(current_task(), offset!(task_flags));
    (flags & PF_EXITING != 0, flags & PF_KTHREAD != 0)
}

/// How deep the current task's pid namespace is; 0: it is the initial one.
#[inline(always)]
pub fn current_level() -> u64 {
    let pid: u64 = read(current_task(), offset!(thread_pid));
    read::<u32>(pid, offset!(pid_level)) as u64
}

#[inline(always)]
fn current_task() -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    unsafe { generated::bpf_get_current_task() }
}

/// As [`ids_of`], in a pid namespace that is not the initial one.
#[inline(always)]
fn numbers(task: u64) -> (u32, u32) {
    let leader: u64 = read(task, offset!(group_leader));
    (number(leader), number(task))
}

/// The task's number in the agent's pid namespace; 0 if it has none there, or is gone.
#[inline(always)]
fn number(task: u64) -> u32 {
    let pid: u64 = read(task, offset!(thread_pid));
    // Behind its own level a `struct pid` has no numbers, and what is there is not its own.
    if read::<u32>(pid, offset!(pid_level)) < config!(pid_level) {
        return 0;
    }
    let upid = pid
        .wrapping_add(offset!(pid_numbers))
        .wrapping_add(UPID * config!(pid_level) as u64);
    let ns: u64 = read(upid, offset!(upid_ns));
    if read::<u32>(ns, offset!(pid_ns_inum)) != config!(pid_ns) {
        return 0;
    }
    read(upid, offset!(upid_nr))
}
