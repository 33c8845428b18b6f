//! The system calls that an attached agent has no use for, and that whoever got hold of it would want: other
//! programs, other processes' memory, mounts, modules, more eBPF programs. They are refused with EPERM.
//!
//! It is a list of what is refused rather than of what is allowed: libraries choose their system calls
//! anew with each version, and the ones refused here are none of those.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Refused whatever their arguments.
const REFUSED: [libc::c_long; 34] = [
    // Other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes' memory and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_open_by_handle_at,
    // Another view of the file system.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_unshare,
    // Another kernel.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // Ways into the kernel that attackers like, and keys.
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_personality,
];

/// What bpf(2) is still for (`enum bpf_cmd`, include/uapi/linux/bpf.h): reading and writing the maps, also
/// many elements at a time, asking what is known of a descriptor, running an iterator.
const BPF_COMMANDS: [u64; 7] = [1, 2, 3, 4, 15, 24, 33];

/// The filter for this machine.
///
/// # Errors
///
/// If there is none for its architecture.
pub(super) fn program() -> Result<BpfProgram, BackendError> {
    let architecture = TargetArch::try_from(ARCH)?;
    let other_command = |command: &u64| {
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, *command)
    };
    let bpf = BPF_COMMANDS
        .iter()
        .map(other_command)
        .collect::<Result<Vec<_>, _>>()?;
    // Network namespaces are entered to read the accept queues there.
    let netns = u64::from(libc::CLONE_NEWNET.cast_unsigned());
    let other_namespace =
        SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, netns)?;
    let mut rules: BTreeMap<_, _> = REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_bpf, vec![SeccompRule::new(bpf)?]);
    rules.insert(
        libc::SYS_setns,
        vec![SeccompRule::new(vec![other_namespace])?],
    );
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture)?.try_into()
}
