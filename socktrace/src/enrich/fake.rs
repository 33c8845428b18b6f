//! A /proc of our own making, for tests.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::ProcFs;
use crate::model::BootTime;

/// A moment `ticks` ticks after boot, as `stat` counts (of the test machine).
pub(super) fn at_ticks(ticks: u64) -> BootTime {
    BootTime(ticks * 1_000_000_000 / ProcFs::new("").ticks_per_second())
}

/// A line of `stat`.
pub(super) fn stat_line(
    pid: u32,
    name: &[u8],
    state: u8,
    parent: u32,
    start_ticks: u64,
) -> Vec<u8> {
    let mut line = format!("{pid} (").into_bytes();
    line.extend_from_slice(name);
    line.extend_from_slice(b") ");
    line.push(state);
    let rest = format!(
        " {parent} 5 5 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 1 0 {start_ticks} 2605056 300 18446744073709551615 1 1\n"
    );
    line.extend_from_slice(rest.as_bytes());
    line
}

/// A folder that looks like /proc.
#[derive(Debug)]
pub(super) struct FakeProc {
    root: TempDir,
}

impl FakeProc {
    pub(super) fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("a folder for a fake /proc"),
        }
    }

    pub(super) fn proc(&self) -> ProcFs {
        ProcFs::new(self.root.path())
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(super) fn write(&self, path: &str, content: &[u8]) {
        let path = self.path(path);
        make_parent(&path);
        fs::write(path, content).expect("a file of a fake /proc");
    }

    pub(super) fn link(&self, path: &str, target: &[u8]) {
        let path = self.path(path);
        make_parent(&path);
        let _ = fs::remove_file(&path);
        symlink(OsStr::from_bytes(target), path).expect("a link of a fake /proc");
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).expect("a file to remove");
    }

    /// A process with everything, in place of any of the same pid. Parent 1, user 0.
    pub(super) fn process(&self, pid: u32, name: &[u8], start_ticks: u64) {
        let _ = fs::remove_dir_all(self.path(&pid.to_string()));
        self.stat(pid, pid, name, b'S', start_ticks);
        self.write(&format!("{pid}/comm"), &[name, b"\n"].concat());
        self.write(&format!("{pid}/cmdline"), b"program\0");
        self.write(&format!("{pid}/status"), b"Name:\tx\nUid:\t0\t0\t0\t0\n");
        self.write(&format!("{pid}/cgroup"), b"0::/\n");
        self.link(&format!("{pid}/exe"), b"/usr/bin/program");
        self.write(&format!("{pid}/task/{pid}/comm"), &[name, b"\n"].concat());
    }

    pub(super) fn remove_process(&self, pid: u32) {
        fs::remove_dir_all(self.path(&pid.to_string())).expect("a process to remove");
    }

    /// The `stat` of a process, and of its leader as a thread, or of another thread.
    pub(super) fn stat(&self, pid: u32, tid: u32, name: &[u8], state: u8, start_ticks: u64) {
        let line = stat_line(tid, name, state, 1, start_ticks);
        self.write(&format!("{pid}/task/{tid}/stat"), &line);
        if tid == pid {
            self.write(&format!("{pid}/stat"), &line);
        }
    }

    /// One more thread of a process.
    pub(super) fn thread(&self, pid: u32, tid: u32, name: &[u8], state: u8) {
        self.stat(pid, tid, name, state, 100);
        self.write(&format!("{pid}/task/{tid}/comm"), &[name, b"\n"].concat());
    }
}

fn make_parent(path: &Path) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder of a fake /proc");
}
