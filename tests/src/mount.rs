//! Mounts that last as long as a test needs them.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::ptr;

/// Something mounted at a path; unmounted when dropped.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    /// `source` again, at `path`, which is of its kind.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn bind(source: &Path, path: PathBuf) -> io::Result<Self> {
        Self::of(&c_path(source), path, None, libc::MS_BIND, None)
    }

    /// A file system in memory, with `options`, at the folder `path`.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn memory(path: PathBuf, options: &CStr) -> io::Result<Self> {
        Self::of(c"tmpfs", path, Some(c"tmpfs"), 0, Some(options))
    }

    fn of(
        source: &CStr,
        path: PathBuf,
        kind: Option<&CStr>,
        flags: libc::c_ulong,
        options: Option<&CStr>,
    ) -> io::Result<Self> {
        let to = c_path(&path);
        // SAFETY: all are strings of the C kind, or absent where the kernel needs none.
        let failed = unsafe {
            libc::mount(
                source.as_ptr(),
                to.as_ptr(),
                kind.map_or(ptr::null(), CStr::as_ptr),
                flags,
                options.map_or(ptr::null(), |options| options.as_ptr().cast()),
            )
        };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let mounted = c_path(&self.0);
        // SAFETY: the path ends with NUL.
        unsafe { libc::umount2(mounted.as_ptr(), libc::MNT_DETACH) };
    }
}

/// A path as system calls take it.
///
/// # Panics
///
/// If there is a NUL in it.
#[must_use]
pub fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path without NUL")
}
