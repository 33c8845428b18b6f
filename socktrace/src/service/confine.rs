//! Giving up privileges. Loading and attaching needs more of them than watching does, and threads inherit
//! what the one that starts them has. So this happens in steps, on the main thread, before it starts others:
//!
//! 1. everything is attached;
//! 2. [`to_asking`]: what the thread that asks the kernel needs is kept, and that thread is started;
//! 3. [`to_watching`]: all other threads, of which there are none yet, need less;
//! 4. [`forbid`]: system calls that nobody needs any more are refused to all of them.

use std::collections::HashSet;

use caps::errors::CapsError;
use caps::{CapSet, Capability};

use super::filter;

/// Facts about other users' processes in /proc: where descriptors and namespaces lead, how many descriptors
/// there are.
const FACTS: [Capability; 2] = [Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// What root takes for granted of the files and ports that it names: destinations are opened anew.
const ROOT: [Capability; 4] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_NET_BIND_SERVICE,
];

/// Keeps of this thread's capabilities those that asking the kernel needs: the network namespaces of
/// others are entered with `CAP_SYS_ADMIN`.
///
/// # Errors
///
/// What the kernel said.
pub fn to_asking(with_bpf: bool) -> Result<(), CapsError> {
    let mut kept = watching(with_bpf);
    kept.insert(Capability::CAP_SYS_ADMIN);
    keep(&kept)
}

/// Keeps of this thread's capabilities those that everything else needs, and returns them.
///
/// # Errors
///
/// What the kernel said.
pub fn to_watching(with_bpf: bool) -> Result<Vec<Capability>, CapsError> {
    keep(&watching(with_bpf))?;
    let mut kept: Vec<_> = caps::read(None, CapSet::Permitted)?.into_iter().collect();
    kept.sort_unstable_by_key(Capability::index);
    Ok(kept)
}

fn watching(with_bpf: bool) -> HashSet<Capability> {
    let mut kept = HashSet::from(FACTS);
    if with_bpf {
        kept.insert(Capability::CAP_BPF);
        // Before it, and instead of it, there was this.
        if !caps::has_cap(None, CapSet::Permitted, Capability::CAP_BPF).unwrap_or(false) {
            kept.insert(Capability::CAP_SYS_ADMIN);
        }
    }
    // SAFETY: geteuid has no arguments and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        kept.extend(ROOT);
    }
    kept
}

/// Keeps those of this thread's capabilities that are in `kept`, for itself and threads that it starts.
fn keep(kept: &HashSet<Capability>) -> Result<(), CapsError> {
    let held = caps::read(None, CapSet::Permitted)?;
    let kept = held.intersection(kept).copied().collect();
    // One that is not permitted cannot be effective. What is ambient has to be permitted, and goes with it.
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    caps::clear(None, CapSet::Inheritable)
}

/// Does `what` as it would be done with `FACTS` alone, on a thread of its own.
///
/// # Errors
///
/// If the capabilities cannot be given up, or the thread cannot be started.
pub fn as_if<T: Send>(what: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("trial".to_owned());
        let trial = thread.spawn_scoped(scope, || {
            keep(&HashSet::from(FACTS)).map_err(|error| error.to_string())?;
            Ok(what())
        });
        let trial = trial.map_err(|error| error.to_string())?;
        trial
            .join()
            .unwrap_or_else(|_| Err("the thread has panicked".to_owned()))
    })
}

/// Refuses the system calls that nobody needs any more to every thread, and new privileges to what they
/// might start all the same.
///
/// # Errors
///
/// Why this kernel or this machine does not have that. Nothing is refused then.
pub fn forbid() -> Result<(), String> {
    let program = filter::program().map_err(|error| error.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs on a thread of its own: what is given up is not given back.
    fn apart<T: Send>(what: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(what).join().expect("it does not panic"))
    }

    #[test]
    fn nothing_is_kept_that_is_not_needed() {
        for with_bpf in [true, false] {
            let kept = apart(|| {
                to_asking(with_bpf).expect("giving up is allowed");
                to_watching(with_bpf).expect("giving up is allowed")
            });
            for capability in [
                Capability::CAP_NET_ADMIN,
                Capability::CAP_SETUID,
                Capability::CAP_SYS_MODULE,
                Capability::CAP_PERFMON,
            ] {
                assert!(!kept.contains(&capability), "{kept:?}");
            }
        }
    }

    #[test]
    fn a_trial_leaves_everybody_else_as_he_was() {
        let before = caps::read(None, CapSet::Effective).expect("readable");
        let during = as_if(|| caps::read(None, CapSet::Effective).expect("readable"));
        let during = during.expect("a trial");
        assert!(during.iter().all(|capability| FACTS.contains(capability)));
        assert_eq!(
            caps::read(None, CapSet::Effective).expect("readable"),
            before
        );
    }

    /// In a process of its own: the filter is for every thread, and this one's others are other tests.
    #[test]
    fn what_is_forbidden_is_refused() {
        // SAFETY: the child allocates, which glibc keeps possible after a fork, makes system calls, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let fine = refused_after_forbidding();
            // SAFETY: _exit does not return and runs nothing of ours.
            unsafe { libc::_exit(i32::from(!fine)) };
        }
        let mut status = 0;
        // SAFETY: `status` is an integer that the kernel may write to.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status), "{status:#x}");
        assert_eq!(libc::WEXITSTATUS(status), 0);
    }

    fn refused_after_forbidding() -> bool {
        if forbid().is_err() {
            return false;
        }
        // What the kernel says to these arguments, which are wrong, where it is asked.
        let says = |call: libc::c_long, first: libc::c_long, second: libc::c_long| {
            // SAFETY: the calls used here touch no memory with these arguments.
            let result = unsafe { libc::syscall(call, first, second, 0, 0, 0) };
            let error = std::io::Error::last_os_error().raw_os_error();
            (result < 0).then_some(error).flatten()
        };
        let netns = libc::c_long::from(libc::CLONE_NEWNET);
        let mounts = libc::c_long::from(libc::CLONE_NEWNS);
        says(libc::SYS_execve, 0, 0) == Some(libc::EPERM)
            && says(libc::SYS_ptrace, -1, 0) == Some(libc::EPERM)
            && says(libc::SYS_setns, -1, mounts) == Some(libc::EPERM)
            && says(libc::SYS_setns, -1, netns) == Some(libc::EBADF)
            && says(libc::SYS_bpf, 5, 0) == Some(libc::EPERM)
            && says(libc::SYS_close, -1, 0) == Some(libc::EBADF)
    }
}
