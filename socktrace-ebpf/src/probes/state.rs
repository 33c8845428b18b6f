//! State changes of TCP sockets, and with them connect().
//!
//! ```text
//! trace_inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)
//! ```
//! (include/trace/events/sock.h). Most changes run in softirq, where `current` is a bystander; only
//! CLOSE→SYN_SENT runs in the thread that called connect() (`tcp_v4_connect`, `tcp_v6_connect`).

use aya_ebpf::helpers::generated::bpf_get_socket_cookie;
use aya_ebpf::macros::{btf_tracepoint, tracepoint};
use aya_ebpf::programs::{BtfTracePointContext, TracePointContext};
use socktrace_common::config::mode;
use socktrace_common::wire::{Connect, StateChange, Task, kind, role};

use crate::globals::config;
use crate::log::debug;
use crate::maps::SUSPECTS;
use crate::output::{emit, now};
use crate::owners;
use crate::slots;
use crate::sock::{self, Probed, Sk, Typed, state};
use crate::suspects::{self, CookieSource};
use crate::task;
use crate::young;

/// First choice: no tracefs, no copying of arguments.
#[btf_tracepoint(function = "inet_sock_set_state")]
#[inline(always)]
pub fn state_tp_btf(ctx: BtfTracePointContext) -> i32 {
    let sk: *const core::ffi::c_void = ctx.arg(0);
    let old: i32 = ctx.arg(1);
    let new: i32 = ctx.arg(2);
    if !concerns(new as u32) {
        return 0;
    }
    // The closure keeps the helper's call at the few places that need a cookie.
    changed(Typed(sk as u64), old as u32, new as u32, || {
        if config!(cookie_helper) == 1 {
            // SAFETY: `sk` is the tracepoint's own argument, which the verifier trusts.
            CookieSource::Helper(unsafe { bpf_get_socket_cookie(sk.cast_mut()) })
        } else {
            CookieSource::Seen
        }
    });
    0
}

/// Else: needs tracefs. Its record begins with the common fields (8 bytes), then `skaddr`,
/// `oldstate`, `newstate`.
#[tracepoint(category = "sock", name = "inet_sock_set_state")]
#[inline(always)]
pub fn state_tracepoint(ctx: TracePointContext) -> u32 {
    // SAFETY: the three fields are within the record since Linux 4.16.
    let (sk, old, new) = unsafe {
        match (
            ctx.read_at::<u64>(8),
            ctx.read_at::<i32>(16),
            ctx.read_at::<i32>(20),
        ) {
            (Ok(sk), Ok(old), Ok(new)) => (sk, old, new),
            _ => return 0,
        }
    };
    debug!(&ctx, "state {} {}", old, new);
    if concerns(new as u32) {
        changed(Probed(sk), old as u32, new as u32, || CookieSource::Seen);
    }
    0
}

/// Whether a change to `new` needs any work: the quiet path leaves here for most.
#[inline(always)]
fn concerns(new: u32) -> bool {
    config!(mode) == mode::TRACE
        || matches!(
            new,
            state::SYN_SENT | state::SYN_RECV | state::CLOSE_WAIT | state::FIN_WAIT2 | state::CLOSE
        )
}

#[inline(always)]
fn changed(sk: impl Sk, old: u32, new: u32, cookie: impl Fn() -> CookieSource) {
    if !sk.is_tcp() {
        return;
    }
    if config!(mode) == mode::TRACE {
        trace(sk, old, new, cookie());
        return;
    }
    match new {
        state::SYN_SENT => connecting(sk),
        state::SYN_RECV if old != state::SYN_SENT => owners::arrived(sk.addr()),
        state::CLOSE_WAIT | state::FIN_WAIT2 => entered(sk, new, cookie),
        state::CLOSE => closed(sk, old, cookie),
        _ => {}
    }
}

/// connect() has begun, in the thread that called it. Connections of the kernel itself have no file
/// and belong to nobody.
#[inline(always)]
fn connecting<S: Sk>(sk: S) {
    let socket = sk.socket();
    if socket != 0 && S::has_live_file(socket) {
        owners::opened(sk.addr(), 0, role::CONNECTED);
    } else {
        owners::born(sk.addr());
    }
}

/// The peer's FIN has come (CLOSE_WAIT), or ours was acknowledged (FIN_WAIT2).
#[inline(always)]
fn entered<S: Sk>(sk: S, new: u32, cookie: impl Fn() -> CookieSource) {
    let socket = sk.socket();
    if socket == 0 {
        // Without a `struct socket` it is an orphan, or it waits in an accept queue.
        if new == state::FIN_WAIT2 || sk.is_dead() {
            return;
        }
    } else if !S::has_live_file(socket) {
        return;
    }
    young::add(sk, cookie, 0);
}

/// TCP is over. If a file still refers to the socket, that is the class others lose.
#[inline(always)]
fn closed<S: Sk>(sk: S, old: u32, cookie: impl Fn() -> CookieSource) {
    // A listener closes from within its release, and what was never established is no leak.
    if matches!(old, state::LISTEN | state::SYN_SENT | state::CLOSE) {
        return;
    }
    let socket = sk.socket();
    if socket == 0 {
        if sk.is_dead() {
            return;
        }
        // The kernel gave up a connection that waited in an accept queue; it may still be accepted.
    } else if !S::has_live_file(socket) {
        return;
    }
    let error = sk.error();
    if let Some(slot) = slots::find(sk.addr()).and_then(young::at) {
        // SAFETY: the map gave the slot.
        let named = unsafe {
            (&raw mut (*slot).sk_err).write_volatile(error as u16);
            (&raw const (*slot).cookie).read_volatile()
        };
        // A walk may have moved it to the table meanwhile, without the error.
        if young::since(slot) != 0 && !suspects::names_another(named, sk) {
            if young::is_streamed(slot) {
                send(sk.addr(), named, old, state::CLOSE, now());
            }
            return;
        }
    }
    if let Some(entry) = SUSPECTS.get_ptr_mut(sk.addr()) {
        // SAFETY: the map gave the pointer; the field is written nowhere else while the socket lives.
        let entry = unsafe {
            (*entry).sk_err = error;
            &*entry
        };
        if !suspects::is_anothers(entry, sk) {
            let at = now();
            if suspects::is_streamed(entry, at) {
                send(sk.addr(), entry.cookie, old, state::CLOSE, at);
            }
            return;
        }
    }
    young::add(sk, cookie, error);
}

/// Everything is told.
#[inline(always)]
fn trace<S: Sk>(sock: S, old: u32, new: u32, source: CookieSource) {
    let sk = sock.addr();
    let at = now();
    let cookie = if old == state::LISTEN && new == state::SYN_RECV {
        // A connection in the making is a copy of its listener, cookie included (`inet_csk_clone_lock`
        // clears that only after this change): it has no name of its own yet.
        sock::make_cookie(at)
    } else {
        suspects::cookie_or_new(sk, source, at)
    };
    if new == state::SYN_SENT {
        connecting(sock);
    }
    if config!(cookie_helper) == 0 && sock::is_synthetic(cookie) {
        owners::keep_cookie(sk, cookie);
    }
    if old == state::SYN_SENT {
        connected(sk, cookie, new, at);
    }
    send(sk, cookie, old, new, at);
    if new == state::CLOSE && sock::is_synthetic(cookie) {
        let socket = sock.socket();
        if socket == 0 || !S::has_live_file(socket) {
            // Its release has been, or none will come.
            owners::forget(sk);
        }
    }
}

/// Tells that a connect() has ended: only now the local port is known.
#[inline(always)]
fn connected(sk: u64, cookie: u64, new: u32, at: u64) {
    let Some(slot) = owners::slot_of(sk) else {
        return;
    };
    if u32::from(slot.role) != role::CONNECTED {
        return;
    }
    let (tgid, tid) = task::split(slot.opener);
    emit::<Connect>(kind::CONNECT, at, |to, header| {
        // SAFETY: `to` is the reserved space of a whole `Connect`.
        unsafe {
            (*to).header = header;
            sock::describe(&raw mut (*to).sock, sk, cookie, new);
            (*to).task = Task {
                tgid,
                tid,
                comm: slot.comm,
            };
            (*to).started_ns = slot.opened;
        }
    });
}

#[inline(always)]
fn send(sk: u64, cookie: u64, old: u32, new: u32, at: u64) {
    let (received, acked) = sock::bytes(sk);
    emit::<StateChange>(kind::STATE_CHANGE, at, |to, header| {
        // SAFETY: `to` is the reserved space of a whole `StateChange`.
        unsafe {
            (*to).header = header;
            sock::describe(&raw mut (*to).sock, sk, cookie, new);
            (*to).seqs = sock::seqs(sk);
            (*to).bytes_received = received;
            (*to).bytes_acked = acked;
            (*to).old_state = old;
            (*to).sk_err = sock::error_of(sk);
        }
    });
}
