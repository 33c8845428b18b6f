//! The current task. The one place that splits `bpf_get_current_pid_tgid` into process and thread.

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, generated};
use socktrace_common::wire::Task;

use crate::globals::offset;
use crate::sock::read;

/// `PF_EXITING` (include/linux/sched.h).
const PF_EXITING: u32 = 0x4;
/// `PF_KTHREAD` (include/linux/sched.h).
const PF_KTHREAD: u32 = 0x0020_0000;

/// The current thread's process (upper half of the helper's answer) and its own number (lower half).
#[inline(always)]
pub fn ids() -> (u32, u32) {
    let pid_tgid = bpf_get_current_pid_tgid();
    ((pid_tgid >> 32) as u32, pid_tgid as u32)
}

/// The current thread with its name.
#[inline(always)]
pub fn current() -> Task {
    let (tgid, tid) = ids();
    Task {
        tgid,
        tid,
        comm: bpf_get_current_comm().unwrap_or_default(),
    }
}

/// Whether the current task is exiting, and whether it is a kernel thread.
#[inline(always)]
pub fn exiting_and_kthread() -> (bool, bool) {
    // SAFETY: the helper has no arguments and cannot fail.
    let task = unsafe { generated::bpf_get_current_task() };
    let flags: u32 = read(task, offset!(task_flags));
    (flags & PF_EXITING != 0, flags & PF_KTHREAD != 0)
}
