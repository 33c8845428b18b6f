//! Looking into maps, in as few calls as can be.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use zerocopy::{FromZeros, IntoBytes};

use super::{call, number};

/// `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;
/// Entries that are looked at in one call.
const BATCH: usize = 4096;

/// `union bpf_attr`, for commands about one element.
#[repr(C)]
struct Element {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// `union bpf_attr`, its member `batch`.
#[repr(C)]
struct Batch {
    from: u64,
    to: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// How many entries a hash map with keys of eight bytes and values of type `V` has. What is inserted or
/// removed meanwhile may count or not.
pub(in super::super) fn count_entries<V: FromZeros + IntoBytes>(map: &OwnedFd) -> io::Result<u64> {
    let mut keys = vec![0_u64; BATCH];
    let mut values: Vec<V> = std::iter::repeat_with(V::new_zeroed).take(BATCH).collect();
    let (mut from, mut to) = (0_u32, 0_u32);
    let mut entries = 0;
    let mut begun = false;
    loop {
        let mut attr = Batch {
            from: if begun {
                std::ptr::from_ref(&from) as u64
            } else {
                0
            },
            to: std::ptr::from_mut(&mut to) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: u32::try_from(BATCH).unwrap_or(u32::MAX),
            map_fd: number(map.as_fd()),
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: `attr` is a valid bpf_attr for this command; there is room for `count` keys and values,
        // and what it points to outlives the call.
        let result = unsafe { call(BPF_MAP_LOOKUP_BATCH, &raw mut attr) };
        match result {
            Ok(_) => entries += u64::from(attr.count),
            // That was the last one.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                return Ok(entries + u64::from(attr.count));
            }
            Err(error) => return Err(error),
        }
        from = to;
        begun = true;
    }
}

/// Copies the element at `index` of an array into `value`, which has the size of the map's values.
pub(in super::super) fn read_element<V: IntoBytes>(
    map: &OwnedFd,
    index: u32,
    value: &mut V,
) -> io::Result<()> {
    let mut attr = Element {
        map_fd: number(map.as_fd()),
        padding: 0,
        key: std::ptr::from_ref(&index) as u64,
        value: std::ptr::from_mut(value) as u64,
        flags: 0,
    };
    // SAFETY: `attr` is a valid bpf_attr for this command; key and value outlive the call, and the kernel
    // writes as many bytes as the map's values have, which are plain.
    unsafe { call(BPF_MAP_LOOKUP_ELEM, &raw mut attr) }.map(drop)
}
