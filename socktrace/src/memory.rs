//! What is given back to the system after a burst.

/// Large tables and buffers come from the system and go back to it as soon as they are freed. Left to itself
/// the C library keeps ever larger ones once one of them has been freed.
pub(crate) fn settle() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only sets a number.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 * 1024);
    }
}

/// Gives back whole pages of small things that were freed.
pub(crate) fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}
