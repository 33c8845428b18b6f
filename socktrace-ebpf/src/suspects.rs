//! The table of suspects: sockets in a state that is a leak if it lasts.
//!
//! What enters it has been a young suspect (see [`crate::young`]) for longer than a healthy connection is.

use socktrace_common::config::mode;
use socktrace_common::maps::{SuspectEntry, entry_flag};
use socktrace_common::wire::sock_flag;

use crate::globals::config;
use crate::maps::{SUSPECTS, count};
use crate::owners;
use crate::sock::{self, Probed, Sk, state};
use crate::young;

/// `BPF_ANY` and `BPF_NOEXIST`.
const ANY: u64 = 0;
const NOEXIST: u64 = 1;

/// How a program learns a socket's cookie.
#[derive(Clone, Copy)]
pub enum CookieSource {
    /// It was asked for with `bpf_get_socket_cookie`.
    Helper(u64),
    /// This program cannot ask: what the kernel has, what was made up before, or 0.
    Seen,
}

/// The name of `sk`; 0 if it has none yet.
///
/// A made-up name wins over one the kernel gives later (`ss` asks for cookies too): a socket keeps
/// the name it was first told under.
#[inline(always)]
pub fn cookie_of(sk: u64, source: CookieSource) -> u64 {
    if let CookieSource::Helper(cookie) = source {
        return cookie;
    }
    if let Some(entry) = SUSPECTS.get_ptr(sk) {
        // SAFETY: the map gave the pointer.
        let entry = unsafe { &*entry };
        if !is_anothers(entry, Probed(sk)) {
            return entry.cookie;
        }
    }
    if config!(cookie_helper) == 0 {
        let kept = owners::cookie_of(sk);
        if kept != 0 {
            return kept;
        }
    }
    sock::kernel_cookie(sk)
}

/// As [`cookie_of`], but makes a name up if there is none.
#[inline(always)]
pub fn cookie_or_new(sk: u64, source: CookieSource, now: u64) -> u64 {
    let cookie = cookie_of(sk, source);
    if cookie != 0 {
        cookie
    } else {
        sock::make_cookie(now)
    }
}

/// Puts `sk` into the table, under `since`.
#[inline(always)]
pub fn add(sk: impl Sk, cookie: u64, since_ns: u64, sk_err: u32, found: bool) {
    let flags = if found { entry_flag::FOUND } else { 0 };
    let entry = SuspectEntry {
        cookie,
        since_ns,
        seqs: sk.seqs(),
        sk_err,
        flags,
        episode: 0,
        reserved: 0,
    };
    // A walk must not replace what a probe has put there meanwhile; a probe replaces what a missed
    // release left behind.
    let sk = sk.addr();
    match SUSPECTS.insert(sk, entry, if found { NOEXIST } else { ANY }) {
        Ok(()) => {}
        // What a reading finds it also tells of: nothing is lost if the table has no room.
        Err(_) if found => {}
        Err(_) => {
            count!(suspects_lost);
        }
    }
}

/// What the table knows of `sk`, as bits of a record's `Sock::flags`, for what a reading shows. A socket
/// that a reading has put there counts as unlisted until a walk tells of it: the kernel may ask for the
/// same record twice.
#[inline(always)]
pub fn listed(sk: u64) -> u8 {
    if config!(mode) != mode::RUN {
        return 0;
    }
    let Some(entry) = SUSPECTS.get_ptr(sk) else {
        return if young::is_one(sk) {
            sock_flag::WAITING
        } else {
            sock_flag::UNLISTED
        };
    };
    // SAFETY: the map gave the pointer.
    let flags = unsafe { (*entry).flags };
    if flags & entry_flag::REPORTED != 0 {
        sock_flag::TOLD
    } else if flags & entry_flag::FOUND != 0 {
        sock_flag::UNLISTED
    } else {
        sock_flag::WAITING
    }
}

/// Takes `sk` out of the table.
#[inline(always)]
pub fn remove(sk: u64) {
    // It may have been taken out by a walk.
    let _ = SUSPECTS.remove(sk);
}

/// Whether what happens to `entry` is told to the agent: it knows of it, or soon will.
#[inline(always)]
pub fn is_streamed(entry: &SuspectEntry, now: u64) -> bool {
    config!(mode) == mode::TRACE
        || entry.flags & (entry_flag::FOUND | entry_flag::REPORTED) != 0
        || now.saturating_sub(entry.since_ns) >= config!(leak_after_ns)
}

/// Whether a socket in this state may be a leak if it is held.
#[inline(always)]
pub fn is_leakable(sk: impl Sk, tcp_state: u32) -> bool {
    match tcp_state {
        state::CLOSE_WAIT | state::FIN_WAIT2 => true,
        state::CLOSE => sk.has_peer() && sk.established_once(),
        _ => false,
    }
}

/// Whether `entry`, found under the address of `sk`, is about another socket that had the address
/// before: its release was missed.
#[inline(always)]
pub fn is_anothers(entry: &SuspectEntry, sk: impl Sk) -> bool {
    names_another(entry.cookie, sk)
}

/// Whether `cookie` is not that of `sk`.
#[inline(always)]
pub fn names_another(cookie: u64, sk: impl Sk) -> bool {
    !sock::is_synthetic(cookie) && sk.cookie() != cookie
}
