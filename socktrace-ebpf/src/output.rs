//! The one place that writes records: to the ring buffer, and to the reader of an iterator.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{
    bpf_get_smp_processor_id,
    generated::{bpf_ktime_get_boot_ns, bpf_seq_write},
};
use socktrace_common::wire::{Header, WIRE_VERSION, header_flag};

use crate::globals::config;
use crate::maps::{COUNTERS, EVENTS, count};

/// `BPF_RB_NO_WAKEUP` and `BPF_RB_FORCE_WAKEUP` (include/uapi/linux/bpf.h).
const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;
/// `BPF_RB_AVAIL_DATA`.
const AVAIL_DATA: u64 = 0;

/// Nanoseconds since boot, suspend included.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// The header of a `T` that goes through an iterator, where nothing is numbered.
#[inline(always)]
pub fn plain_header<T>(kind: u16, boot_ns: u64) -> Header {
    Header {
        version: WIRE_VERSION,
        kind,
        len: size_of::<T>() as u32,
        boot_ns,
        seq: 0,
        // SAFETY: the helper has no arguments and cannot fail.
        cpu: unsafe { bpf_get_smp_processor_id() },
        flags: 0,
    }
}

/// Sends one `T`, exactly as large as it is, filled in place by `fill`.
///
/// The number is taken before the space is: a record that finds the buffer full leaves a hole in
/// its CPU's sequence and is counted.
#[inline(always)]
pub fn emit<T: 'static>(kind: u16, boot_ns: u64, fill: impl FnOnce(*mut T, Header)) {
    let seq = next_seq();
    let Some(mut slot) = EVENTS.reserve::<T>(0) else {
        count!(ring_lost);
        return;
    };
    let mut header = plain_header::<T>(kind, boot_ns);
    header.seq = seq;
    header.flags = header_flag::SEQUENCED;
    let slot_ref: &mut MaybeUninit<T> = &mut slot;
    fill(slot_ref.as_mut_ptr(), header);
    slot.submit(wakeup());
}

/// This CPU's next number. Two programs that interrupt each other here may take the same number and
/// skip one, which leaves the highest number, and so the count of losses, right.
#[inline(always)]
fn next_seq() -> u64 {
    count!(seq);
    match COUNTERS.get(0) {
        Some(counters) => counters.seq.wrapping_sub(1),
        None => 0,
    }
}

/// Wakes the agent at once when events are rare, and only for a batch when they stream.
#[inline(always)]
fn wakeup() -> u64 {
    let threshold = u64::from(config!(wakeup_bytes));
    if threshold == 0 {
        return 0;
    }
    if EVENTS.query(AVAIL_DATA) >= threshold {
        FORCE_WAKEUP
    } else {
        NO_WAKEUP
    }
}

/// Hands a record to the reader of the iterator. If its page is full, nothing is written, and the kernel
/// runs the program again for the same element with a fresh one (`bpf_seq_read`,
/// kernel/bpf/bpf_iter.c); whether it was written.
#[inline(always)]
pub fn write_record<T>(meta: *const *mut core::ffi::c_void, record: &T) -> bool {
    // SAFETY: `struct bpf_iter_meta` begins with its `seq_file`; the record is read by the helper.
    unsafe {
        bpf_seq_write(
            (*meta).cast(),
            core::ptr::from_ref(record).cast_mut().cast(),
            size_of::<T>() as u32,
        ) == 0
    }
}
