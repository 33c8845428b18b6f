//! Young suspects: those that no walk has come by yet.
//!
//! A healthy connection is a suspect between its peer's FIN and its release, which follows at once. So that
//! it costs no insertion into a hash map and no deletion, it is one in its own slot of the table of sockets,
//! and goes with the slot. Each walk first moves those that are still there into the table of suspects, and
//! to find them without a look at every slot it reads the marks: when a suspect was last put into a set.
//!
//! Their time is kept in jiffies and becomes nanoseconds when they are moved: see [`crate::ticks`].

use socktrace_common::maps::{MARKED, Slot};

use crate::globals::config;
use crate::maps::MARKS;
use crate::output::now;
use crate::slots::{self, Place};
use crate::sock::{self, Sk};
use crate::suspects::{self, CookieSource};

/// Makes `sk` a suspect. Where the table of sockets has no room, the table of suspects may have some.
#[inline(always)]
pub fn add(sk: impl Sk, cookie: impl Fn() -> CookieSource, sk_err: u32) {
    let Some(place) = slots::find_or_claim(sk.addr()) else {
        let since = now();
        let cookie = suspects::cookie_or_new(sk.addr(), cookie(), since);
        suspects::add(sk, cookie, since, sk_err, false);
        return;
    };
    let cookie = match cookie() {
        CookieSource::Helper(cookie) => cookie,
        CookieSource::Seen => suspects::cookie_or_new(sk.addr(), CookieSource::Seen, now()),
    };
    let slot = place.slot();
    let jiffy = (sock::jiffies() as u32).max(1);
    // SAFETY: the map gave the slot. `young` is written last: with it the rest means something.
    unsafe {
        (&raw mut (*slot).cookie).write_volatile(cookie);
        (&raw mut (*slot).seqs).write_volatile(sk.seqs());
        (&raw mut (*slot).sk_err).write_volatile(sk_err as u16);
        (&raw mut (*slot).young).write_volatile(jiffy);
    }
    if let Some(mark) = MARKS.get_ptr_mut(place.index() / MARKED) {
        // SAFETY: the map gave the mark. Most of the time it is there already, and CPUs can share it.
        unsafe {
            if mark.read_volatile() != jiffy {
                mark.write_volatile(jiffy);
            }
        }
    }
}

/// The slot at `place`, if it is that of a young suspect.
#[inline(always)]
pub fn at(place: Place) -> Option<*mut Slot> {
    (since(place.slot()) != 0).then_some(place.slot())
}

/// [`Slot::young`].
#[inline(always)]
pub fn since(slot: *const Slot) -> u32 {
    // SAFETY: the map gave the slot.
    unsafe { (&raw const (*slot).young).read_volatile() }
}

/// Whether `sk` is a young suspect.
#[inline(always)]
pub fn is_one(sk: u64) -> bool {
    slots::find(sk).and_then(at).is_some()
}

/// Whether what happens to a young suspect is told to the agent: a walk is late.
#[inline(always)]
pub fn is_streamed(slot: *const Slot) -> bool {
    let age = (sock::jiffies() as u32).wrapping_sub(since(slot));
    age >= config!(leak_after_jiffies)
}
