//! The table of sockets: a slot a socket, found by the address of its `struct sock`.
//!
//! An array of sets of slots rather than a hash map, because the kernel turns the lookup of an array's
//! element into a few instructions within the program, while each insertion, lookup and deletion in a
//! hash map is a call of several functions.
//!
//! An address leads to several sets; a socket that finds its first one full takes a slot in the next.
//! A slot belongs to one socket at a time, from the moment its `claims` went from 0 to 1. Adding to a
//! counter and then reading it excludes all but one: whoever reads 1 was alone, and whoever reads more
//! takes back what it added and goes on. (Exchanging with comparison would need kernel 5.12.)
//!
//! The slot is blank while nobody has it: its last owner blanks it, then takes the tag away, then the
//! claim. That others see these stores in this order is what x86 promises; on a machine with weaker
//! ordering the additions would have to be fetching ones, which are barriers (kernel 5.12).

use socktrace_common::maps::{Slot, SocketSet, Use, WAYS};
use socktrace_common::wire::TOUCHES;

use crate::globals::config;
use crate::maps::{SOCKETS, add, count};

/// Odd numbers, one for each set that an address leads to (the first is 2^32 divided by the golden
/// ratio).
const CHOICES: [u32; 4] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d, 0x27d4_eb2f];

/// Where a socket's slot is.
#[derive(Clone, Copy)]
pub struct Place {
    set: *mut SocketSet,
    way: usize,
    /// The set's place in the table.
    index: u32,
}

impl Place {
    /// The slot `way` of the set at `index`, whoever has it. `None` where the table ends.
    #[inline(always)]
    pub fn at(index: u32, way: usize) -> Option<Self> {
        let set = SOCKETS.get_ptr_mut(index)?;
        Some(Self { set, way, index })
    }

    /// Address of the socket that has the slot; 0: none has.
    #[inline(always)]
    pub fn tag(self) -> u64 {
        tag(self.set, self.way)
    }

    /// Where the slot's set is in the table.
    #[inline(always)]
    pub fn index(self) -> u32 {
        self.index
    }

    /// The slot.
    #[inline(always)]
    pub fn slot(self) -> *mut Slot {
        // SAFETY: the map gave the set, and `way` is less than WAYS.
        unsafe { (&raw mut (*self.set).slots).cast::<Slot>().add(self.way) }
    }

    /// Whether the slot is still that of `sk`.
    #[inline(always)]
    pub fn is_of(self, sk: u64) -> bool {
        self.tag() == sk
    }

    /// Gives the slot back.
    #[inline(always)]
    pub fn free(self) {
        blank(self.slot());
        // SAFETY: as in `slot`; aligned words of a map's value.
        unsafe {
            (&raw mut (*self.set).tags)
                .cast::<u64>()
                .add(self.way)
                .write_volatile(0);
            add(&raw mut (*self.slot()).claims, u64::MAX);
        }
    }
}

/// The slot of `sk`, if it has one.
#[inline(always)]
pub fn find(sk: u64) -> Option<Place> {
    let low = low_half(sk);
    for choice in CHOICES {
        let (set, index) = set_of(low, choice)?;
        if let Some(way) = way_of(set, sk) {
            return Some(Place {
                set,
                way: opaque(way, low),
                index,
            });
        }
        // SAFETY: the map gave the set.
        if unsafe { (&raw const (*set).overflowed).read_volatile() } == 0 {
            return None;
        }
    }
    None
}

/// The slot of `sk`; a blank one if it had none. `None`, and counted, if there is no room.
#[inline(always)]
pub fn find_or_claim(sk: u64) -> Option<Place> {
    match find(sk) {
        Some(place) => Some(place),
        None => claim(sk),
    }
}

/// A blank slot for `sk`, which has none. `None`, and counted, if there is no room.
#[inline(always)]
pub fn claim(sk: u64) -> Option<Place> {
    let low = low_half(sk);
    for choice in CHOICES {
        let (set, index) = set_of(low, choice)?;
        for way in 0..WAYS {
            if tag(set, way) != 0 {
                continue;
            }
            let place = Place {
                set,
                way: opaque(way, low),
                index,
            };
            // SAFETY: aligned words of the map's value.
            unsafe {
                let claims = &raw mut (*place.slot()).claims;
                add(claims, 1);
                if claims.read_volatile() == 1 {
                    (&raw mut (*set).tags)
                        .cast::<u64>()
                        .add(place.way)
                        .write_volatile(sk);
                    // Two threads may use a new socket at once: the lower slot is the one found.
                    return match way_of(set, sk) {
                        Some(first) if first < way => {
                            place.free();
                            Some(Place {
                                set,
                                way: opaque(first, low),
                                index,
                            })
                        }
                        _ => Some(place),
                    };
                }
                add(claims, u64::MAX);
            }
        }
        // SAFETY: as above.
        unsafe { (&raw mut (*set).overflowed).write_volatile(1) };
    }
    count!(owners_lost);
    None
}

/// Blanks a slot.
#[inline(always)]
pub fn blank(slot: *mut Slot) {
    // SAFETY: the map gave the slot. The opener's name means nothing without an opener, nor do the
    // streams without a suspect. `role` is the first of four fields that fill an aligned word.
    unsafe {
        (&raw mut (*slot).cookie).write_volatile(0);
        (&raw mut (*slot).role).cast::<u64>().write_volatile(0);
    }
    blank_uses(slot);
}

/// Blanks what a slot says of who used the socket, and leaves what it says of a young suspect.
#[inline(always)]
pub fn blank_owner(slot: *mut Slot) {
    // SAFETY: the map gave the slot.
    unsafe { (&raw mut (*slot).eof_read).write_volatile(0) };
    blank_uses(slot);
}

#[inline(always)]
fn blank_uses(slot: *mut Slot) {
    // SAFETY: the map gave the slot.
    unsafe {
        (&raw mut (*slot).opened).write_volatile(0);
        (&raw mut (*slot).opener).write_volatile(0);
        (&raw mut (*slot).uses).write_volatile([Use { who: 0, when: 0 }; TOUCHES]);
    }
}

#[inline(always)]
fn set_of(low: u32, choice: u32) -> Option<(*mut SocketSet, u32)> {
    let hash = u64::from(low.wrapping_mul(choice));
    let index = ((hash * u64::from(config!(socket_sets))) >> 32) as u32;
    SOCKETS.get_ptr_mut(index).map(|set| (set, index))
}

#[inline(always)]
fn way_of(set: *mut SocketSet, sk: u64) -> Option<usize> {
    (0..WAYS).find(|way| tag(set, *way) == sk)
}

#[inline(always)]
fn tag(set: *mut SocketSet, way: usize) -> u64 {
    // SAFETY: the map gave the set, and callers keep `way` below WAYS.
    unsafe {
        (&raw const (*set).tags)
            .cast::<u64>()
            .add(way)
            .read_volatile()
    }
}

/// The lower half of an address, as a number: the verifier lets nobody calculate with a pointer it
/// trusts, but it lets half of one be copied.
#[inline(always)]
fn low_half(sk: u64) -> u32 {
    let low: u64;
    // SAFETY: it moves a register to another.
    unsafe {
        core::arch::asm!("w0 = w1", in("r1") sk, out("r0") low, options(pure, nomem, nostack));
    }
    low as u32
}

/// `way`, in a form in which the verifier does not know which one it is: it would else follow all that
/// comes after once for each of them.
#[inline(always)]
fn opaque(way: usize, unknown: u32) -> usize {
    let mut way = way as u64;
    // SAFETY: it adds a number and takes it away.
    unsafe {
        core::arch::asm!(
            "{way} += {unknown}",
            "{way} -= {unknown}",
            way = inout(reg) way,
            unknown = in(reg) u64::from(unknown),
            options(pure, nomem, nostack),
        );
    }
    way as usize & (WAYS - 1)
}
