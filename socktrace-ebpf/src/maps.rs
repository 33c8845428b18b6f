//! The kernel's tables. Sizes here are the least; the agent sets the real ones when it loads.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};
use socktrace_common::counters::Counters;
use socktrace_common::maps::{SocketSet, SuspectEntry, WalkControl};
use socktrace_common::wire::Suspect;

/// Records on their way to the agent.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Sockets in a state that is a leak if it lasts, by address of their `struct sock`.
#[map]
pub static SUSPECTS: HashMap<u64, SuspectEntry> = HashMap::with_max_entries(1, 0);

/// What is known of each socket, who made it and who used it last: see [`crate::slots`].
#[map]
pub static SOCKETS: Array<SocketSet> = Array::with_max_entries(1, 0);

/// When a young suspect was last put into one of [`socktrace_common::maps::MARKED`] sets of [`SOCKETS`]:
/// see [`crate::young`].
#[map]
pub static MARKS: Array<u32> = Array::with_max_entries(1, 0);

/// One CPU's counters.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// Arguments and results of a walk over [`SUSPECTS`].
#[map]
pub static WALK: Array<WalkControl> = Array::with_max_entries(1, 0);

/// Sockets the agent asks after, by address: a walk can be told to speak of these only.
#[map]
pub static ASKED: HashMap<u64, u64> = HashMap::with_max_entries(4096, 0);

/// Where a walk builds a record too large for the stack of 512 bytes. One walk runs at a time.
#[map]
pub static SCRATCH: PerCpuArray<Suspect> = PerCpuArray::with_max_entries(1, 0);

/// Adds one to a counter of this CPU. Softirqs interrupt programs on the same CPU, hence atomically.
macro_rules! count {
    ($field:ident) => {
        if let Some(counters) = $crate::maps::COUNTERS.get_ptr_mut(0) {
            // SAFETY: the pointer was just given by the map, and the field is aligned.
            unsafe { $crate::maps::add(&raw mut (*counters).$field, 1) };
        }
    };
}
pub(crate) use count;

/// Adds `amount` to `*to` atomically.
///
/// It is the form that does not fetch the old value, since that needs kernel 5.12; the compiler has no
/// name for it on this target, hence the instruction itself.
///
/// # Safety
///
/// `to` must be valid and aligned, and within the value of a map.
#[inline(always)]
pub unsafe fn add(to: *mut u64, amount: u64) {
    // SAFETY: by the contract of this function.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({to} + 0) += {amount}",
            to = in(reg) to,
            amount = in(reg) amount,
        );
    }
}

/// Adds `amount` to `*to` atomically, as [`add`].
///
/// # Safety
///
/// As of [`add`].
#[inline(always)]
pub unsafe fn add_half(to: *mut u32, amount: u32) {
    // SAFETY: by the contract of this function.
    unsafe {
        core::arch::asm!(
            "lock *(u32 *)({to} + 0) += {amount}",
            to = in(reg) to,
            amount = in(reg) u64::from(amount),
        );
    }
}
