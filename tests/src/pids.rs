//! Pid namespaces for programs under test.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::ptr;

/// A pid namespace to start a program in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pids {
    /// The one of the test.
    Same,
    /// A new one, of which the program is the first process: with its end, all others there end.
    New,
    /// The one that this process is in.
    Of(u32),
}

impl Pids {
    /// Starts a command there. Its pid is told as the test sees it.
    ///
    /// # Errors
    ///
    /// If that fails; the test may not.
    pub(crate) fn spawn(self, command: &mut Command) -> io::Result<Child> {
        if self == Self::Same {
            return command.spawn();
        }
        // What is chosen is where this thread's next children are, and it may go back to its own.
        let own = File::open("/proc/thread-self/ns/pid")?;
        if let Self::Of(pid) = self {
            enter(&File::open(format!("/proc/{pid}/ns/pid"))?)?;
        } else {
            // SAFETY: unshare touches no memory, and this flag concerns children only.
            ok(unsafe { libc::unshare(libc::CLONE_NEWPID) })?;
        }
        let child = command.spawn();
        enter(&own)?;
        child
    }
}

fn enter(pids: &File) -> io::Result<()> {
    // SAFETY: setns touches no memory, and this flag concerns children only.
    ok(unsafe { libc::setns(pids.as_raw_fd(), libc::CLONE_NEWPID) })
}

/// Has a command see the /proc of the pid namespace that it is started in.
pub fn with_own_proc(command: &mut Command) -> &mut Command {
    let mount = |source: *const _, target: *const _, kind, flags| {
        // SAFETY: all are strings of the C kind, or absent where the flags ask for none.
        ok(unsafe { libc::mount(source, target, kind, flags, ptr::null()) })
    };
    // SAFETY: what runs between fork and exec makes system calls only.
    unsafe {
        command.pre_exec(move || {
            ok(libc::unshare(libc::CLONE_NEWNS))?;
            let private = libc::MS_REC | libc::MS_PRIVATE;
            mount(ptr::null(), c"/".as_ptr(), ptr::null(), private)?;
            let proc = c"proc".as_ptr();
            mount(proc, c"/proc".as_ptr(), proc, 0)
        })
    }
}

fn ok(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
