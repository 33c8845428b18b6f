//! Network namespaces as users name them.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where `ip netns` keeps names.
const NAMED: &str = "/run/netns";

/// A namespace as typed: its inode, or a path to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Netns {
    /// The number in `readlink /proc/PID/ns/net`.
    Inode(u32),
    /// `/proc/PID/ns/net`, or a name's path.
    Path(PathBuf),
}

/// An inode, a path, or a name that `ip netns` knows.
pub(super) fn parse(text: &str) -> Result<Netns, String> {
    if let Ok(inode) = text.parse() {
        return if inode == 0 {
            Err("no namespace has inode 0".to_owned())
        } else {
            Ok(Netns::Inode(inode))
        };
    }
    match text {
        "" => Err("it is empty".to_owned()),
        "." | ".." => Err("it is no name of a network namespace".to_owned()),
        path if path.contains('/') => Ok(Netns::Path(path.into())),
        name => Ok(Netns::Path(Path::new(NAMED).join(name))),
    }
}

/// The inode of the network namespace that `path` refers to.
///
/// # Errors
///
/// What the kernel said; `InvalidInput` where `path` is something else.
pub(super) fn inode(path: &Path) -> io::Result<u32> {
    // Without O_NONBLOCK a named pipe would be waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    // SAFETY: NS_GET_NSTYPE takes no argument; on anything but a namespace it fails with ENOTTY.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), libc::NS_GET_NSTYPE) };
    let other = || io::Error::new(io::ErrorKind::InvalidInput, "it is no network namespace");
    if kind != libc::CLONE_NEWNET {
        return Err(other());
    }
    u32::try_from(file.metadata()?.ino()).map_err(|_| other())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_paths_and_names_are_told_apart() {
        let check = |text, expected| assert_eq!(parse(text), Ok(expected));
        check("4026531840", Netns::Inode(4_026_531_840));
        check("/proc/812/ns/net", Netns::Path("/proc/812/ns/net".into()));
        check("./here", Netns::Path("./here".into()));
        check("blue", Netns::Path("/run/netns/blue".into()));
        // Too big for an inode of a namespace, so it can only be a name.
        check("4294967296", Netns::Path("/run/netns/4294967296".into()));
        for bad in ["", "0", ".", ".."] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn our_own_namespace_has_the_inode_in_its_link() {
        let link = std::fs::read_link("/proc/self/ns/net").unwrap();
        let inode = inode(Path::new("/proc/self/ns/net")).unwrap();
        assert_eq!(link, PathBuf::from(format!("net:[{inode}]")));
    }

    #[test]
    fn other_files_are_refused() {
        for path in ["/proc/self/ns/mnt", "/proc/self/stat", "/dev/null", "/"] {
            let error = inode(Path::new(path)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
        let error = inode(Path::new("/proc/self/ns/none")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
