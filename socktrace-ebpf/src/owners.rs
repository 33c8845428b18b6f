//! Owners: who made a socket, and which threads used it last.

use socktrace_common::config::{eof_source, mode};
use socktrace_common::maps::{Slot, Use};
use socktrace_common::wire::{Owner, TOUCHES, Touch, owner_flag, role, touch_op};

use crate::globals::{config, offset};
use crate::output::now;
use crate::slots::{self, Place};
use crate::sock::{Sk, jiffies, state};
use crate::task;
use crate::ticks::Ticks;

/// Bits of [`Use::when`] that hold the kind of use.
const OP_BITS: u32 = 2;
const OP_MASK: u64 = (1 << OP_BITS) - 1;

/// Remembers the current task as the one that connected or accepted `sk`.
///
/// The name is for `trace`, which tells it: `run` asks /proc, if it comes to that.
#[inline(always)]
pub fn opened(sk: u64, cookie: u64, how: u32) {
    let traced = config!(mode) == mode::TRACE;
    let slot = if let Some(place) = slots::find(sk) {
        // A connection may have become a suspect while it waited to be accepted.
        if how == role::ACCEPTED && !traced {
            slots::blank_owner(place.slot());
        } else {
            slots::blank(place.slot());
        }
        place.slot()
    } else {
        let Some(place) = slots::claim(sk) else {
            return;
        };
        place.slot()
    };
    // SAFETY: the map gave the slot, and nobody else uses the socket yet.
    unsafe {
        if traced {
            (*slot).cookie = cookie;
            (*slot).comm = task::current().comm;
        }
        (*slot).opened = if traced { now() } else { jiffies() };
        (*slot).opener = task::who();
        (*slot).role = how as u8;
    }
}

/// A new socket has come to be at this address: whatever is known of it is about another one, whose
/// release was missed.
#[inline(always)]
pub fn born(sk: u64) {
    if let Some(place) = slots::find(sk) {
        slots::blank(place.slot());
    }
}

/// A connection has come to a listener. It is given its slot now, when nobody else knows of the socket: later
/// the thread that accepts it and the peer's FIN may want one for it at the same moment.
#[inline(always)]
pub fn arrived(sk: u64) {
    if let Some(place) = slots::find(sk) {
        slots::blank(place.slot());
    } else {
        let _ = slots::claim(sk);
    }
}

/// Remembers that the current thread moved bytes on `sk`, or read its end.
#[inline(always)]
pub fn touched(sk: u64, op: u32) {
    let Some(place) = slots::find_or_claim(sk) else {
        return;
    };
    let slot = place.slot();
    if op == touch_op::EOF {
        // SAFETY: the map gave the slot.
        unsafe { (&raw mut (*slot).eof_read).write_volatile(1) };
    }
    // SAFETY: the map gave the slot.
    unsafe { remember(slot, task::who(), u64::from(op)) };
}

/// Puts `who` first, and its older place, if it has one, away.
///
/// To read the clock costs more than all of the rest, so uses are dated in jiffies: see [`Ticks`].
///
/// Another thread using the same socket at this instant may interleave. Who it was is one word, so both
/// are threads that really used it.
///
/// # Safety
///
/// `slot` must be valid.
#[inline(always)]
unsafe fn remember(slot: *mut Slot, who: u64, op: u64) {
    let when = jiffies() << OP_BITS | op;
    // SAFETY: by the contract of this function.
    unsafe {
        let uses: *mut Use = (&raw mut (*slot).uses).cast();
        let first = uses.read_volatile();
        if first.who == who {
            if first.when != when {
                (&raw mut (*uses).when).write_volatile(when);
            }
            return;
        }
        if first.who != 0 {
            let second = uses.add(1).read_volatile();
            if second.who != who {
                uses.add(2).write_volatile(second);
            }
            uses.add(1).write_volatile(first);
        }
        uses.write_volatile(Use { who, when });
    }
}

/// A read on `sk` returned `length`, which is not negative.
#[inline(always)]
pub fn received(sk: impl Sk, length: i32) {
    // One place that remembers, for both: the program stays half as long.
    let op = if length > 0 {
        touch_op::RECV
    } else if at_end(sk) {
        touch_op::EOF
    } else {
        return;
    };
    touched(sk.addr(), op);
}

/// Whether the end of the stream has been read: a read of no bytes at all, or one that only peeks,
/// returns 0 too, and leaves something in the queue. The FIN is in it, as bytes are, until it is read.
#[inline(always)]
fn at_end<S: Sk>(sk: S) -> bool {
    sk.state() != state::ESTABLISHED && S::load::<u32>(sk.addr(), offset!(receive_queue_len)) == 0
}

/// Who opened `sk` and when, if that was seen, as [`Slot::opener`] and the rest of it.
#[inline(always)]
pub fn slot_of(sk: u64) -> Option<&'static Slot> {
    // SAFETY: the map gave the pointer.
    slots::find(sk).map(|place| unsafe { &*place.slot() })
}

/// Copies what is known of `sk`; zeros, which mean "not seen", if nothing is.
///
/// # Safety
///
/// `to` must be valid for writing an [`Owner`].
#[inline(always)]
pub unsafe fn copy(sk: u64, to: *mut Owner) {
    // SAFETY: the caller gave the destination.
    unsafe { to.write_bytes(0, 1) };
    let Some(place) = slots::find(sk) else { return };
    // SAFETY: the map gave the slot, the caller the destination.
    unsafe {
        fill(place, to);
        if !place.is_of(sk) {
            // It was released meanwhile, and another socket may have taken the slot.
            to.write_bytes(0, 1);
        }
    }
}

/// # Safety
///
/// `to` must be valid for writing an [`Owner`].
#[inline(always)]
unsafe fn fill(place: Place, to: *mut Owner) {
    let slot = place.slot();
    // One moment for all, so that what was at once remains so.
    let ticks = Ticks::now();
    let sees_eof = config!(eof_source) == eof_source::SEEN;
    // SAFETY: the map gave the slot, the caller the destination.
    unsafe {
        (*to).opened_ns = dated((*slot).opened, ticks);
        ((*to).task.tgid, (*to).task.tid) = task::split((*slot).opener);
        (*to).role = u32::from((*slot).role);
        if sees_eof {
            (*to).flags = owner_flag::EOF_VISIBLE;
        }
        if (*slot).eof_read != 0 {
            (*to).flags |= owner_flag::EOF_READ;
        }
        for index in 0..TOUCHES {
            let seen = (&raw const (*slot).uses)
                .cast::<Use>()
                .add(index)
                .read_volatile();
            if seen.who != 0 && seen.when != 0 {
                (*to).touches[index] = touch(seen, ticks);
            }
        }
    }
}

#[inline(always)]
fn touch(seen: Use, ticks: Ticks) -> Touch {
    let (tgid, tid) = task::split(seen.who);
    Touch {
        boot_ns: ticks.boot_ns(seen.when >> OP_BITS),
        runtime_task: 0,
        tgid,
        tid,
        op: op_of(seen),
        reserved: 0,
    }
}

#[inline(always)]
fn op_of(seen: Use) -> u32 {
    (seen.when & OP_MASK) as u32
}

/// [`Slot::opened`] in nanoseconds since boot; 0 if it was not seen.
#[inline(always)]
pub fn dated(opened: u64, ticks: Ticks) -> u64 {
    if opened == 0 || config!(mode) == mode::TRACE {
        return opened;
    }
    ticks.boot_ns(opened)
}

/// Time, nanoseconds since boot, and kind of the newest use of `sk`; zeros if none was seen.
#[inline(always)]
pub fn last_touch(sk: u64) -> (u64, u32) {
    let Some(slot) = slot_of(sk) else {
        return (0, 0);
    };
    let newest = slot.uses[0];
    if newest.when == 0 {
        return (0, 0);
    }
    (Ticks::now().boot_ns(newest.when >> OP_BITS), op_of(newest))
}

/// The cookie made up for `sk`, 0 if there is none.
#[inline(always)]
pub fn cookie_of(sk: u64) -> u64 {
    slot_of(sk).map_or(0, |slot| slot.cookie)
}

/// Keeps a made-up cookie for a socket nobody has opened or used yet, for `trace`.
#[inline(always)]
pub fn keep_cookie(sk: u64, cookie: u64) {
    if let Some(place) = slots::find_or_claim(sk) {
        // SAFETY: the map gave the slot.
        unsafe { (*place.slot()).cookie = cookie };
    }
}

/// Forgets `sk`.
#[inline(always)]
pub fn forget(sk: u64) {
    if let Some(place) = slots::find(sk) {
        place.free();
    }
}
