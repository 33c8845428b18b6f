//! The table of owners: who made a socket, and which threads used it last.

use socktrace_common::config::eof_source;
use socktrace_common::maps::OwnerEntry;
use socktrace_common::wire::{Owner, TOUCHES, Touch, owner_flag, role, touch_op};

use crate::globals::config;
use crate::maps::{OWNERS, count};
use crate::output::now;
use crate::sock::{self, state};
use crate::task;

/// `BPF_ANY` and `BPF_NOEXIST`.
const ANY: u64 = 0;
const NOEXIST: u64 = 1;

/// Remembers the current task as the one that connected or accepted `sk`.
#[inline(always)]
pub fn opened(sk: u64, cookie: u64, how: u32) {
    let mut entry = blank(cookie);
    entry.owner.opened_ns = now();
    entry.owner.task = task::current();
    entry.owner.role = how;
    if OWNERS.insert(sk, entry, ANY).is_err() {
        count!(owners_lost);
    }
}

/// Remembers that the current thread moved bytes on `sk`, or read its end.
#[inline(always)]
pub fn touched(sk: u64, op: u32) {
    let Some(entry) = entry_of(sk) else { return };
    let (tgid, tid) = task::ids();
    let touch = Touch {
        boot_ns: now(),
        runtime_task: 0,
        tgid,
        tid,
        op,
        reserved: 0,
    };
    // SAFETY: the map gave the pointer. Another thread using the same socket at this instant may
    // interleave; both are threads that really used it.
    let owner = unsafe { &mut (*entry).owner };
    if op == touch_op::EOF {
        owner.flags |= owner_flag::EOF_READ;
    }
    remember(&mut owner.touches, touch);
}

/// The entry of `sk`, a new one if it was opened before the programs were attached, or where
/// accept() cannot be seen.
#[inline(always)]
fn entry_of(sk: u64) -> Option<*mut OwnerEntry> {
    let entry = OWNERS.get_ptr_mut(sk);
    if entry.is_some() {
        return entry;
    }
    if OWNERS.insert(sk, blank(0), NOEXIST).is_err() {
        count!(owners_lost);
        return None;
    }
    OWNERS.get_ptr_mut(sk)
}

/// Puts `touch` first, and its thread's older place, if it has one, away.
#[inline(always)]
fn remember(touches: &mut [Touch; TOUCHES], touch: Touch) {
    if touches[0].tid != touch.tid {
        if touches[1].tid != touch.tid {
            touches[2] = touches[1];
        }
        touches[1] = touches[0];
    }
    touches[0] = touch;
}

/// A read on `sk` returned `length`.
#[inline(always)]
pub fn received(sk: u64, length: i64) {
    if length > 0 {
        touched(sk, touch_op::RECV);
    } else if length == 0 && at_end(sk) {
        touched(sk, touch_op::EOF);
    }
}

/// Whether the end of the stream has been read: a read of no bytes at all, or one that only peeks,
/// returns 0 too, and leaves something to read.
#[inline(always)]
fn at_end(sk: u64) -> bool {
    let seqs = sock::seqs(sk);
    seqs.rcv_nxt == seqs.copied_seq && sock::state_of(sk) != state::ESTABLISHED
}

/// What is known of `sk`, if anything.
#[inline(always)]
pub fn of(sk: u64) -> Option<&'static Owner> {
    // SAFETY: the map gave the pointer; a torn read is possible and harmless, see `touched`.
    OWNERS.get_ptr(sk).map(|entry| unsafe { &(*entry).owner })
}

/// Copies what is known of `sk`; zeros, which mean "not seen", if nothing is.
///
/// # Safety
///
/// `to` must be valid for writing an [`Owner`].
#[inline(always)]
pub unsafe fn copy(sk: u64, to: *mut Owner) {
    match OWNERS.get_ptr(sk) {
        // SAFETY: the map gave the source, the caller the destination.
        Some(entry) => unsafe { core::ptr::copy_nonoverlapping(&raw const (*entry).owner, to, 1) },
        // SAFETY: the caller gave the destination.
        None => unsafe { to.write_bytes(0, 1) },
    }
}

/// Time and kind of the newest use of `sk`; zeros if none was seen.
#[inline(always)]
pub fn last_touch(sk: u64) -> (u64, u32) {
    match of(sk) {
        Some(owner) => (owner.touches[0].boot_ns, owner.touches[0].op),
        None => (0, 0),
    }
}

/// The cookie made up for `sk`, 0 if there is none.
#[inline(always)]
pub fn cookie_of(sk: u64) -> u64 {
    match OWNERS.get_ptr(sk) {
        // SAFETY: the map gave the pointer.
        Some(entry) => unsafe { (*entry).cookie },
        None => 0,
    }
}

/// Keeps a made-up cookie for a socket nobody has opened or used yet, for `trace`.
#[inline(always)]
pub fn keep_cookie(sk: u64, cookie: u64) {
    match OWNERS.get_ptr_mut(sk) {
        // SAFETY: the map gave the pointer.
        Some(entry) => unsafe { (*entry).cookie = cookie },
        None => {
            if OWNERS.insert(sk, blank(cookie), NOEXIST).is_err() {
                count!(owners_lost);
            }
        }
    }
}

/// Forgets `sk`.
#[inline(always)]
pub fn forget(sk: u64) {
    // An entry that is not there is the normal case for sockets nobody opened in our sight.
    let _ = OWNERS.remove(sk);
}

#[inline(always)]
fn blank(cookie: u64) -> OwnerEntry {
    let seen = config!(eof_source) == eof_source::SEEN;
    OwnerEntry {
        cookie,
        owner: Owner {
            role: role::UNKNOWN,
            flags: if seen { owner_flag::EOF_VISIBLE } else { 0 },
            ..Owner::default()
        },
    }
}
