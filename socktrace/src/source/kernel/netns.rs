//! Other network namespaces. `iter/tcp` shows the one that its file was opened in, so the file is opened
//! there: by a thread of its own, which goes in, opens and ends, so that nobody has to come back.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where `ip netns` keeps namespaces, whether anybody is in them or not.
const NAMED: &str = "/run/netns";

/// Inode of the network namespace that the calling thread is in; `None` without /proc.
pub(super) fn own() -> Option<u32> {
    inode(&fs::metadata("/proc/thread-self/ns/net").ok()?)
}

/// Opens the network namespace with this inode. `pids` are processes that are probably in it.
///
/// # Errors
///
/// `NotFound` if none of the processes that can be looked at is in it, and it has no name; else what the
/// kernel said.
pub(super) fn open(netns: u32, pids: &[u32]) -> io::Result<File> {
    let mut refused = None;
    let held = pids.iter().flat_map(|pid| of_process(*pid));
    let everywhere = entries(Path::new(NAMED)).chain(
        entries(Path::new("/proc"))
            .map(|process| process.join("ns/net"))
            .filter(|path| path.exists()),
    );
    for path in held.chain(everywhere) {
        match File::open(&path) {
            // A pid is used again, and a process may have left: only the inode counts.
            Ok(file) if file.metadata().ok().as_ref().and_then(inode) == Some(netns) => {
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refused = Some(error);
            }
            Ok(_) | Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "no process that can be seen is in it",
        )
    }))
}

/// Does `what` in a network namespace, on a thread of its own.
///
/// # Errors
///
/// What setns(2) said (it wants `CAP_SYS_ADMIN`), or `what`.
pub(super) fn within<T: Send>(
    ns: &File,
    what: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, || {
                // SAFETY: setns touches no memory, and moves this thread alone.
                if unsafe { libc::setns(ns.as_fd().as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                    return Err(io::Error::last_os_error());
                }
                what()
            })?
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread has panicked")))
    })
}

/// Whether other namespaces can be entered, found out by entering this one.
///
/// # Errors
///
/// Why not.
pub(super) fn can_enter() -> io::Result<()> {
    within(&File::open("/proc/thread-self/ns/net")?, || Ok(()))
}

/// Whether no thread of a process is in any namespace any more: it has ended.
pub(super) fn is_gone(pid: u32) -> bool {
    let gone = |path: PathBuf| {
        fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    of_process(pid).all(gone)
}

/// The namespaces of a process's threads, its leader's first: that one may have exited, and each may be
/// in another.
fn of_process(pid: u32) -> impl Iterator<Item = PathBuf> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let threads = entries(&process.join("task"));
    std::iter::once(process)
        .chain(threads)
        .map(|task| task.join("ns/net"))
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

fn inode(of: &fs::Metadata) -> Option<u32> {
    u32::try_from(of.ino()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_found_by_its_inode() {
        let own = own().expect("/proc");
        let this = std::process::id();
        // Neither a process that is not there nor one that is elsewhere matters.
        for pids in [&[this][..], &[u32::MAX, 1, this], &[]] {
            let file = open(own, pids).expect("it is ours");
            assert_eq!(inode(&file.metadata().expect("open")), Some(own));
        }
    }

    #[test]
    fn one_that_nobody_is_in_is_not_found() {
        // Inodes of namespaces are above 0xf0000000.
        let error = open(1, &[std::process::id()]).expect_err("no namespace has this inode");
        let kinds = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied];
        assert!(kinds.contains(&error.kind()), "{error}");
    }

    #[test]
    fn who_has_ended_is_gone() {
        assert!(!is_gone(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().expect("a child");
        let pid = child.id();
        child.wait().expect("it ends");
        assert!(is_gone(pid));
        assert!(is_gone(u32::MAX));
    }

    #[test]
    fn what_is_no_namespace_is_refused() {
        let file = File::open("/proc/self/stat").expect("open");
        assert!(within(&file, || Ok(())).is_err());
    }
}
