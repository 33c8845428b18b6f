//! `iter/bpf_map_elem` over the table of suspects: which have become old, and which have moved.
//!
//! ```text
//! struct bpf_iter__bpf_map_elem { meta; map; void *key; void *value }
//! ```
//! (kernel/bpf/map_iter.c, since 5.9). It costs what the suspects cost, not what the sockets do.

use socktrace_common::maps::{SuspectEntry, WalkControl, entry_flag};
use socktrace_common::progress::made_progress;
use socktrace_common::wire::{Seqs, Suspect, kind, suspect_flag, touch_op};

use super::MapElem;
use crate::globals::{config, offset};
use crate::maps::{ASKED, SCRATCH, SUSPECTS, WALK};
use crate::output::{now, plain_header, write_record};
use crate::owners;
use crate::sock::{self, Probed, read};
use crate::suspects;
use crate::task;

/// Writes one [`Suspect`] an entry that has become old since the last walk, or was reported and
/// has moved.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
pub extern "C" fn walk_suspects(ctx: *const MapElem<u64, SuspectEntry>) -> i32 {
    // SAFETY: the kernel calls with a valid context; loads from it are checked by the verifier.
    let (meta, key, value) = unsafe { ((*ctx).meta, (*ctx).key, (*ctx).value) };
    let Some(control) = WALK.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: the map gave the pointer; only one walk runs at a time.
    let control = unsafe { &mut *control };
    if key.is_null() || value.is_null() {
        // The end of the walk.
        control.pid_level = task::current_level();
        return 0;
    }
    // SAFETY: the kernel gave both; the value is the map's own memory and may be written.
    let (sk, entry) = unsafe { (*key, &mut *value) };
    control.seen += 1;
    if is_stale(sk, entry) {
        control.stale += 1;
        let _ = SUSPECTS.remove(sk);
        if sock::is_dead(sk) {
            // Nobody releases a connection that was never accepted.
            owners::forget(sk);
        }
        return 0;
    }
    if control.asking == 0 {
        visit(meta, control, sk, entry);
    } else if ASKED.get_ptr(sk).is_some() {
        let seqs = sock::seqs(sk);
        // Without room the kernel asks again.
        let _ = tell(meta, sk, entry, seqs, entry.seqs, suspect_flag::ASKED);
    }
    0
}

/// Brings the entry up to date and tells of it, if there is anything to tell.
///
/// The record may not fit into the reader's page. The kernel then comes again with the same entry, so
/// nothing may be changed in the table before the record is written: what is marked as told, or as a new
/// episode, would not be told at the second try.
#[inline(always)]
fn visit(
    meta: *const *mut core::ffi::c_void,
    control: &mut WalkControl,
    sk: u64,
    entry: &mut SuspectEntry,
) {
    let seqs = sock::seqs(sk);
    let mut next = *entry;
    let reported = next.flags & entry_flag::REPORTED != 0;
    let mut progress = false;
    if made_progress(&entry.seqs, &seqs, sock::state_of(sk)) {
        progress = reported;
        // The newest use that is known may be from before the socket became a suspect.
        next.since_ns = last_moved(sk, &entry.seqs, &seqs).max(entry.since_ns);
        next.seqs = seqs;
        next.flags &= !(entry_flag::REPORTED | entry_flag::FOUND);
        if reported {
            next.episode += 1;
        }
    }
    let found = next.flags & entry_flag::FOUND != 0;
    let ripe = next.since_ns <= control.older_than_ns || found;
    if !ripe && (control.oldest_young_ns == 0 || next.since_ns < control.oldest_young_ns) {
        control.oldest_young_ns = next.since_ns;
    }
    let told = next.flags & entry_flag::REPORTED != 0;
    if progress || (ripe && !told) {
        let mut flags = 0;
        if found {
            flags |= suspect_flag::FOUND;
        }
        if progress {
            flags |= suspect_flag::PROGRESS;
        }
        if !tell(meta, sk, &next, seqs, entry.seqs, flags) {
            return;
        }
        if ripe {
            next.flags |= entry_flag::REPORTED;
        }
    }
    // `sk_err` is a probe's, which may have written it meanwhile.
    entry.since_ns = next.since_ns;
    entry.seqs = next.seqs;
    entry.flags = next.flags;
    entry.episode = next.episode;
}

/// Writes the record of one entry; false if there was no room for it.
#[inline(always)]
fn tell(
    meta: *const *mut core::ffi::c_void,
    sk: u64,
    entry: &SuspectEntry,
    seqs: Seqs,
    seqs_since: Seqs,
    flags: u32,
) -> bool {
    let Some(suspect) = SCRATCH.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: the map gave the pointer, and nobody else uses it during a walk. Every field is set.
    unsafe {
        (*suspect).header = plain_header::<Suspect>(kind::SUSPECT, now());
        sock::describe(
            &raw mut (*suspect).sock,
            sk,
            entry.cookie,
            sock::state_of(sk),
        );
        (*suspect).seqs = seqs;
        (*suspect).seqs_since = seqs_since;
        (*suspect).since_ns = entry.since_ns;
        (*suspect).sk_err = entry.sk_err;
        (*suspect).flags = flags;
        (*suspect).episode = entry.episode;
        (*suspect).reserved = 0;
        owners::copy(sk, &raw mut (*suspect).owner);
        write_record(meta, &*suspect)
    }
}

/// Whether the entry's socket is gone: its release was missed. Where its memory is being given to another
/// one, that is no TCP socket yet.
#[inline(always)]
fn is_stale(sk: u64, entry: &SuspectEntry) -> bool {
    sock::is_dead(sk) || !sock::is_tcp(sk) || suspects::is_anothers(entry, Probed(sk))
}

/// When bytes moved last, as well as can be told: the newest use by a thread, the last
/// acknowledgement if bytes of ours were acknowledged; else now. Nanoseconds since boot.
#[inline(always)]
fn last_moved(sk: u64, before: &Seqs, after: &Seqs) -> u64 {
    let at = now();
    let (touched, op) = owners::last_touch(sk);
    if touched == 0 || op == touch_op::EOF {
        return at;
    }
    if before.snd_una == after.snd_una {
        return touched;
    }
    let since_ack = (sock::jiffies() as u32).wrapping_sub(read::<u32>(sk, offset!(rcv_tstamp)));
    let acked = at.saturating_sub(u64::from(since_ack) * u64::from(config!(ns_per_jiffy)));
    if acked > touched { acked } else { touched }
}
