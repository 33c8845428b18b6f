//! Reading /proc, wherever it is mounted.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Inode of the initial pid namespace: `PROC_PID_INIT_INO` (`include/linux/proc_ns.h`).
const INITIAL_PID_NAMESPACE: &[u8] = b"pid:[4026531836]";

/// A mounted /proc.
#[derive(Clone, Debug)]
pub struct ProcFs {
    root: PathBuf,
    ticks_per_second: u64,
}

impl ProcFs {
    /// The /proc that is mounted at `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            ticks_per_second: ticks_per_second(),
        }
    }

    /// `USER_HZ`: the unit of times in `stat`.
    pub(super) fn ticks_per_second(&self) -> u64 {
        self.ticks_per_second
    }

    /// The first `limit` bytes of a file; `None` if it is gone or may not be read.
    pub(super) fn read(&self, path: impl AsRef<Path>, limit: usize) -> Option<Vec<u8>> {
        read_file(&self.root.join(path), limit)
    }

    /// The target of a symbolic link; `None` if it is gone or may not be read.
    pub(super) fn link(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let target = fs::read_link(self.root.join(path)).ok()?;
        Some(target.into_os_string().into_vec())
    }

    /// The inode in a link like `net:[4026531840]`.
    #[must_use]
    pub fn namespace(&self, path: impl AsRef<Path>) -> Option<u32> {
        let link = self.link(path)?;
        let at = link.iter().position(|byte| *byte == b'[')?;
        let number = link.get(at + 1..)?.strip_suffix(b"]")?;
        str::from_utf8(number).ok()?.parse().ok()
    }

    /// Where it is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How many entries `/proc/PID/fd` has; `None` if it may not be read.
    ///
    /// Since Linux 6.2 that is its size too (`proc_fd_getattr`, fs/proc/fd.c), which saves reading a million
    /// of them; before, its size is 0. A few are counted all the same: their number needs no trust.
    pub(super) fn descriptors(&self, path: &str) -> Option<u64> {
        const FEW: usize = 1024;
        let path = self.root.join(path);
        let mut entries = fs::read_dir(&path).ok()?;
        let mut count = entries.by_ref().take(FEW).count();
        if count == FEW {
            match fs::metadata(&path).ok()?.len() {
                0 => count += entries.count(),
                size => return Some(size),
            }
        }
        u64::try_from(count).ok()
    }

    /// The entries of a folder whose names are numbers, in the kernel's order.
    pub fn numbers(&self, path: &str) -> impl Iterator<Item = u32> + use<> {
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
    }
}

/// Whether this process is in the initial pid namespace.
#[must_use]
pub fn in_initial_pid_namespace(proc: &ProcFs) -> bool {
    proc.link("self/ns/pid")
        .is_some_and(|link| link == INITIAL_PID_NAMESPACE)
}

/// Whether /proc counts processes as this one is counted, whose pid is `own`. If it is another pid
/// namespace's, facts about processes are not found there; never another process's, as they are looked up
/// by their start as well.
#[must_use]
pub fn counts_as(proc: &ProcFs, own: u32) -> bool {
    proc.link("self")
        .is_some_and(|link| link == own.to_string().into_bytes())
}

/// The first `limit` bytes of a file; `None` if it cannot be read.
pub(super) fn read_file(path: &Path, limit: usize) -> Option<Vec<u8>> {
    /// Most files of /proc fit in one read; asking for their size gives 0.
    const FIRST_READ: usize = 1024;

    let mut file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        let have = bytes.len();
        bytes.resize(limit.min(have.max(FIRST_READ / 2) * 2), 0);
        let free = bytes.get_mut(have..)?;
        // An error behind the first bytes leaves what was read, as a process can end meanwhile.
        let got = match file.read(free) {
            Ok(got) => Some(got),
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(_) if have > 0 => Some(0),
            Err(_) => return None,
        };
        bytes.truncate(have + got.unwrap_or(0));
        if got == Some(0) {
            break;
        }
    }
    bytes.shrink_to_fit();
    Some(bytes)
}

fn ticks_per_second() -> u64 {
    // SAFETY: sysconf only reads its argument.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // Every Linux of the last twenty years has 100 but alpha.
    u64::try_from(ticks)
        .ok()
        .filter(|ticks| *ticks > 0)
        .unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[track_caller]
    fn check_read(content: &[u8], limit: usize, expect: &[u8]) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), content).unwrap();
        assert_eq!(ProcFs::new(dir.path()).read("file", limit).unwrap(), expect);
    }

    #[test]
    fn reads_no_more_than_the_limit() {
        let long: Vec<u8> = (0..10_000u32).map(|n| n.to_le_bytes()[0]).collect();
        check_read(b"", 10, b"");
        check_read(b"abc", 10, b"abc");
        check_read(b"abc", 3, b"abc");
        check_read(b"abc", 2, b"ab");
        check_read(b"abc", 0, b"");
        check_read(&long, 20_000, &long);
        check_read(&long, 5000, &long[..5000]);
        check_read(&long, 1024, &long[..1024]);
        check_read(&long, 1025, &long[..1025]);
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("1")).unwrap();
        let proc = ProcFs::new(dir.path());
        assert_eq!(proc.read("2/stat", 10), None);
        assert_eq!(proc.read("1", 10), None, "a folder is no file");
        assert_eq!(proc.link("1"), None);
        assert_eq!(proc.numbers("3").count(), 0);
    }

    #[test]
    fn numbers_are_only_numbers() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["1", "22", "self", "99999999999", "4x", "-1"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let mut numbers: Vec<u32> = ProcFs::new(dir.path()).numbers("").collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 22]);
    }

    #[test]
    fn a_proc_of_another_pid_namespace_counts_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let proc = ProcFs::new(dir.path());
        assert!(!counts_as(&proc, 12));
        symlink("12", dir.path().join("self")).unwrap();
        assert!(counts_as(&proc, 12));
        assert!(!counts_as(&proc, 2));
        assert!(counts_as(&ProcFs::new("/proc"), std::process::id()));
    }

    #[test]
    fn the_initial_pid_namespace_has_a_fixed_inode() {
        for (link, expect) in [
            (Some("pid:[4026531836]"), true),
            (Some("pid:[4026532201]"), false),
            (Some("pid:[402653183]"), false),
            (None, false),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("self/ns")).unwrap();
            if let Some(link) = link {
                symlink(link, dir.path().join("self/ns/pid")).unwrap();
            }
            assert_eq!(
                in_initial_pid_namespace(&ProcFs::new(dir.path())),
                expect,
                "{link:?}"
            );
        }
    }
}
