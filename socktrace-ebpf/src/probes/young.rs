//! `iter/bpf_map_elem` over the marks: moves young suspects into the table of suspects, where the walk that
//! follows finds them.
//!
//! A mark is read in a few nanoseconds, and there is one for every [`MARKED`] sets; the slots of a set are
//! looked at only where a suspect has come since the last time.

use socktrace_common::maps::{MARKED, SuspectEntry, WAYS, WalkControl};

use super::MapElem;
use crate::maps::{SUSPECTS, WALK, add_half, count};
use crate::slots::Place;
use crate::ticks::Ticks;
use crate::{sock, suspects, young};

/// `BPF_ANY`: what is there already was left behind by a release that was missed.
const ANY: u64 = 0;

/// Moves the young suspects in the sets of one mark.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
pub extern "C" fn walk_young(ctx: *const MapElem<u32, u32>) -> i32 {
    // SAFETY: the kernel calls with a valid context; loads from it are checked by the verifier.
    let (key, value) = unsafe { ((*ctx).key, (*ctx).value) };
    let Some(control) = WALK.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the map gave the pointer; only one walk runs at a time.
    let control = unsafe { &mut *control };
    if key.is_null() || value.is_null() {
        return 0;
    }
    if control.looked == 0 {
        control.looked = sock::jiffies();
    }
    // SAFETY: the kernel gave both.
    let (first, mark) = unsafe { (*key * MARKED, value.read_volatile()) };
    let later = mark.wrapping_sub(control.marked_since as u32);
    if control.marked_since != 0 && later > u32::MAX / 2 {
        return 0;
    }
    for index in 0..MARKED {
        for way in 0..WAYS {
            let Some(place) = Place::at(first + index, way) else {
                return 0;
            };
            move_on(place, control);
        }
    }
    0
}

/// Moves the suspect at `place`, if there is one. It is never in neither place, and if it is released
/// meanwhile, which takes it out of one of them, it is taken out of the other.
#[inline(always)]
fn move_on(place: Place, control: &mut WalkControl) {
    let Some(slot) = young::at(place) else { return };
    let (sk, since) = (place.tag(), young::since(slot));
    // SAFETY: the map gave the slot.
    let entry = unsafe {
        SuspectEntry {
            cookie: (&raw const (*slot).cookie).read_volatile(),
            since_ns: Ticks::now().boot_ns_of_half(since),
            seqs: (&raw const (*slot).seqs).read_volatile(),
            sk_err: error(slot),
            flags: 0,
            episode: 0,
            reserved: 0,
        }
    };
    // A socket dies after its release has given the slot back: one that was dead before its slot is seen
    // to be still its own is never released, and nobody else frees the slot.
    let dead = sock::is_dead(sk) || !sock::is_tcp(sk);
    if sk == 0 || !place.is_of(sk) || young::since(slot) != since {
        return;
    }
    if dead {
        // It was queued and never accepted: nobody releases those.
        control.stale += 1;
        place.free();
        return;
    }
    if SUSPECTS.insert(sk, entry, ANY).is_err() {
        count!(suspects_lost);
    }
    // SAFETY: the map gave the slot, and the field is aligned.
    let same = unsafe {
        let young = &raw mut (*slot).young;
        add_half(young, since.wrapping_neg());
        let same = young::since(slot) == 0;
        if !same {
            // It is another's by now.
            add_half(young, since);
        }
        same
    };
    if !same || !place.is_of(sk) {
        suspects::remove(sk);
    } else if error(slot) != entry.sk_err
        && let Some(moved) = SUSPECTS.get_ptr_mut(sk)
    {
        // SAFETY: the map gave the pointer.
        unsafe { (*moved).sk_err = error(slot) };
    }
}

#[inline(always)]
fn error(slot: *const socktrace_common::maps::Slot) -> u32 {
    // SAFETY: the map gave the slot.
    u32::from(unsafe { (&raw const (*slot).sk_err).read_volatile() })
}
