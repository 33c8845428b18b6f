//! Memory that is shared with the kernel.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicUsize};

/// Whole pages of a descriptor. They are unmapped when it is dropped.
#[derive(Debug)]
pub(in super::super) struct Mapping {
    begin: NonNull<u8>,
    len: usize,
}

// SAFETY: the pages belong to the process, not to a thread; whoever has the `Mapping` may look at them.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `fd` from `offset` on, which is a multiple of the page size.
    pub(in super::super) fn new(
        fd: BorrowedFd<'_>,
        offset: usize,
        len: usize,
        writable: bool,
    ) -> io::Result<Self> {
        let writing = if writable { libc::PROT_WRITE } else { 0 };
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: the kernel chooses a place that nobody uses; the arguments are plain numbers.
        let begin = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | writing,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset,
            )
        };
        if begin == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let begin = NonNull::new(begin.cast()).ok_or_else(|| io::Error::other("mapped at 0"))?;
        Ok(Self { begin, len })
    }

    /// The word at the beginning, which the kernel may change at any time.
    pub(in super::super) fn first_word(&self) -> &AtomicUsize {
        // SAFETY: a page begins aligned and has room for a word; it is mapped for as long as `self` lives. It is
        // written to only through this reference, by whoever mapped it writable.
        unsafe { self.begin.cast::<AtomicUsize>().as_ref() }
    }

    /// The four bytes at `at`, which is a multiple of four, and which the kernel may change at any time.
    pub(in super::super) fn word_at(&self, at: usize) -> Option<&AtomicU32> {
        let inside = at.is_multiple_of(4) && at.checked_add(4)? <= self.len;
        // SAFETY: `at` was just seen to be aligned and inside of what is mapped for as long as `self` lives.
        inside.then(|| unsafe { self.begin.add(at).cast::<AtomicU32>().as_ref() })
    }

    /// Bytes that nobody changes.
    ///
    /// # Safety
    ///
    /// The kernel must not write to them for as long as the slice lives.
    pub(in super::super) unsafe fn bytes(&self, from: usize, to: usize) -> &[u8] {
        if from > to || to > self.len {
            return &[];
        }
        // SAFETY: `from..to` was just seen to be inside of what is mapped for as long as `self` lives; that nobody
        // writes to it is promised by the caller.
        unsafe { std::slice::from_raw_parts(self.begin.add(from).as_ptr(), to - from) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: these pages were mapped by `new` and are unmapped only here. It cannot fail for them.
        unsafe { libc::munmap(self.begin.as_ptr().cast(), self.len) };
    }
}

/// Bytes of a page.
pub(in super::super) fn page_size() -> usize {
    // SAFETY: sysconf only reads its argument.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(0).max(4096)
}
