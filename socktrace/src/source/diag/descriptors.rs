//! Who holds which socket: the links in `/proc/PID/fd`.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::enrich::{ProcFs, leader};
use crate::model::{BootTime, Comm, Task, Tgid, Tid};

/// A descriptor of a socket of any sort.
#[derive(Debug)]
pub(super) struct Descriptor<'a> {
    folder: &'a Path,
    /// Inode of the socket.
    pub(super) inode: u32,
    pub(super) fd: u32,
    /// The leader of the process.
    pub(super) task: Task,
    /// When it started, to a tick.
    pub(super) started: BootTime,
}

impl Descriptor<'_> {
    /// Whether it is a TCP socket. The kernel tells the protocol's name as an attribute of the file
    /// (`sockfs_xattr_get`): TCP or TCPv6.
    pub(super) fn is_tcp(&self) -> bool {
        let path = self.folder.join(self.fd.to_string());
        let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
            return false;
        };
        let mut name = [0_u8; 16];
        // SAFETY: both strings end with NUL, and the buffer has the length that is told.
        let len = unsafe {
            libc::getxattr(
                path.as_ptr(),
                c"system.sockprotoname".as_ptr(),
                name.as_mut_ptr().cast(),
                name.len(),
            )
        };
        let len = usize::try_from(len).unwrap_or(0);
        let name = name.get(..len).unwrap_or_default();
        matches!(name.strip_suffix(&[0]).unwrap_or(name), b"TCP" | b"TCPv6")
    }
}

/// Every process, and what could not be seen of them.
#[derive(Debug)]
pub(super) struct Processes {
    root: PathBuf,
    /// Those whose descriptors may not be looked at.
    pub(super) hidden: u64,
    /// Those in other network namespaces.
    pub(super) elsewhere: u64,
}

impl Processes {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            hidden: 0,
            elsewhere: 0,
        }
    }

    /// Gives every descriptor of a socket to `take`. A process that ends meanwhile is left out.
    pub(super) fn each(&mut self, take: &mut dyn FnMut(Descriptor<'_>)) {
        let proc = ProcFs::new(&self.root);
        let own = fs::read_link(self.root.join("self/ns/net")).ok();
        let mut pids: Vec<u32> = proc.numbers("").collect();
        pids.sort_unstable();
        for pid in pids {
            let process = self.root.join(pid.to_string());
            let folder = process.join("fd");
            let Ok(entries) = fs::read_dir(&folder) else {
                self.hidden += u64::from(process.exists());
                continue;
            };
            let Some((started, name)) = leader(&proc, Tgid(pid)) else {
                continue;
            };
            if fs::read_link(process.join("ns/net")).ok() != own {
                self.elsewhere += 1;
                continue;
            }
            let task = Task {
                tgid: Tgid(pid),
                tid: Tid(pid),
                comm: Comm::from_bytes(&name),
            };
            let mut sockets: Vec<(u32, u32)> = entries
                .filter_map(|entry| {
                    let entry = entry.ok()?;
                    let fd = entry.file_name().to_str()?.parse().ok()?;
                    let target = fs::read_link(entry.path()).ok()?;
                    Some((fd, inode_of(target.as_os_str().as_bytes())?))
                })
                .collect();
            sockets.sort_unstable();
            for (fd, inode) in sockets {
                take(Descriptor {
                    folder: &folder,
                    inode,
                    fd,
                    task,
                    started,
                });
            }
        }
    }
}

/// `socket:[90210]`.
fn inode_of(target: &[u8]) -> Option<u32> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_sockets() {
        assert_eq!(inode_of(b"socket:[90210]"), Some(90210));
        for other in [
            &b"pipe:[90210]"[..],
            b"socket:[]",
            b"socket:[-1]",
            b"socket:[4294967296]",
            b"socket:[1",
            b"/tmp/socket:[1]",
            b"",
        ] {
            assert_eq!(inode_of(other), None);
        }
    }
}
