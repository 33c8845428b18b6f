//! The programs, one file a hook. Several programs of a file do the same work on different rungs of
//! the ladder; the agent attaches the first that the kernel takes.

mod accept;
mod io;
mod release;
mod state;
mod task_file;
mod tcp;
mod walk;
mod young;

use core::ffi::c_void;

/// What `iter/bpf_map_elem` gives a program: an element of a map with these keys and values, or, at the end,
/// none.
#[repr(C)]
pub struct MapElem<K, V> {
    meta: *const *mut c_void,
    map: *const c_void,
    key: *const K,
    value: *mut V,
}
