//! Release: the last reference to a socket's file went away.
//!
//! ```text
//! int inet_release(struct socket *sock)
//! ```
//! (net/ipv4/af_inet.c; `inet6_release` ends there too). `cgroup/sock_release` runs at its beginning
//! for every socket that user space made.

use aya_ebpf::macros::{cgroup_sock, fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext, SockContext};
use socktrace_common::config::mode;
use socktrace_common::wire::{Release, kind, release_flag};

use crate::globals::{config, offset};
use crate::maps::SUSPECTS;
use crate::output::{emit, now};
use crate::owners;
use crate::slots;
use crate::sock::{self, Probed, Sk, Typed, read, state};
use crate::suspects::{self, CookieSource};
use crate::task;
use crate::ticks::Ticks;
use crate::young;

/// First choice.
#[fentry(function = "inet_release")]
#[inline(always)]
pub fn release_fentry(ctx: FEntryContext) -> i32 {
    let socket: *const core::ffi::c_void = ctx.arg(0);
    let sk: u64 = Typed::load(socket as u64, offset!(socket_sk));
    if sk != 0 {
        released_sk(Typed(sk));
    }
    0
}

/// Else: no fentry (a kernel without trampolines, or forbidden); needs the root of cgroup v2.
#[cgroup_sock(sock_release)]
#[inline(always)]
pub fn release_cgroup(ctx: SockContext) -> i32 {
    // The context of this program type *is* the `struct sock` (`__cgroup_bpf_run_filter_sk`); the
    // kernel turns loads of the fields of `struct bpf_sock` into loads of its own.
    // SAFETY: the kernel calls with a valid context.
    let (protocol, tcp_state) = unsafe { ((*ctx.sock).protocol, (*ctx.sock).state) };
    if protocol == u32::from(sock::IPPROTO_TCP) {
        released(ctx.sock as u64, tcp_state);
    }
    1
}

/// Else.
#[kprobe]
#[inline(always)]
pub fn release_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(socket) = ctx.arg::<*const core::ffi::c_void>(0) {
        let sk: u64 = read(socket as u64, offset!(socket_sk));
        if sk != 0 {
            released_sk(Probed(sk));
        }
    }
    0
}

#[inline(always)]
fn released_sk(sk: impl Sk) {
    if sk.is_tcp() {
        released(sk.addr(), sk.state());
    }
}

#[inline(always)]
fn released(sk: u64, tcp_state: u32) {
    if config!(mode) == mode::TRACE {
        let at = now();
        let cookie = suspects::cookie_or_new(sk, CookieSource::Seen, at);
        if traced(sk, tcp_state) {
            let opened_ns = owners::slot_of(sk).map_or(0, |slot| slot.opened);
            send(sk, cookie, tcp_state, opened_ns, at);
        }
        if sock::is_synthetic(cookie) && tcp_state != state::CLOSE {
            // More changes follow, under the same name: the last one forgets it.
            owners::keep_cookie(sk, cookie);
            return;
        }
        owners::forget(sk);
        return;
    }
    forget(sk, tcp_state);
}

/// Takes `sk` out of both tables, and tells of it if it is a suspect that the agent knows of.
///
/// Most suspects are young and go with their slot. What is told is put together before, in one place: a
/// `Place` that may not be there, kept for later, is more than the verifier follows.
#[inline(always)]
fn forget(sk: u64, tcp_state: u32) {
    let may_be_suspect = tcp_state != state::ESTABLISHED;
    let (mut young, mut told, mut opened) = (false, 0, 0);
    if let Some(place) = slots::find(sk) {
        let slot = place.slot();
        if may_be_suspect && young::since(slot) != 0 {
            young = true;
            if young::is_streamed(slot) {
                // SAFETY: the map gave the slot.
                told = unsafe { (&raw const (*slot).cookie).read_volatile() };
            }
        }
        // SAFETY: as above.
        opened = unsafe { (&raw const (*slot).opened).read_volatile() };
        place.free();
    }
    // What a release that was missed has left in the table of suspects a walk knows by its cookie, but not
    // where cookies are made up.
    if may_be_suspect
        && (!young || config!(cookie_helper) == 0)
        && let Some(entry) = SUSPECTS.get_ptr(sk)
    {
        // SAFETY: the map gave the pointer; it is removed only below.
        let entry = unsafe { &*entry };
        if suspects::is_streamed(entry, now()) {
            told = entry.cookie;
        }
        suspects::remove(sk);
    }
    if told != 0 && !suspects::names_another(told, Probed(sk)) {
        let opened_ns = owners::dated(opened, Ticks::now());
        send(sk, told, tcp_state, opened_ns, now());
    }
}

/// Whether `trace` tells of this release: not of listeners, nor of sockets that never had a peer.
#[inline(always)]
fn traced(sk: u64, tcp_state: u32) -> bool {
    tcp_state != state::LISTEN && (tcp_state != state::CLOSE || sock::has_peer(sk))
}

#[inline(always)]
fn send(sk: u64, cookie: u64, tcp_state: u32, opened_ns: u64, at: u64) {
    let (received, acked) = sock::bytes(sk);
    let (exiting, kthread) = task::exiting_and_kthread();
    let mut flags = 0;
    if exiting {
        flags |= release_flag::EXITING;
    }
    if kthread {
        flags |= release_flag::KTHREAD;
    }
    emit::<Release>(kind::RELEASE, at, |to, header| {
        // SAFETY: `to` is the reserved space of a whole `Release`.
        unsafe {
            (*to).header = header;
            sock::describe(&raw mut (*to).sock, sk, cookie, tcp_state);
            (*to).seqs = sock::seqs(sk);
            (*to).bytes_received = received;
            (*to).bytes_acked = acked;
            (*to).task = task::current();
            (*to).opened_ns = opened_ns;
            (*to).flags = flags;
            (*to).reserved = 0;
        }
    });
}
