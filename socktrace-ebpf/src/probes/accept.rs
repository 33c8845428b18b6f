//! accept(): who took a connection out of its queue.
//!
//! ```text
//! struct sock *inet_csk_accept(struct sock *sk, int flags, int *err, bool kern)     before 6.10
//! struct sock *inet_csk_accept(struct sock *sk, struct proto_accept_arg *arg)       since
//! ```
//! (net/ipv4/inet_connection_sock.c).

use aya_ebpf::macros::{fexit, kretprobe};
use aya_ebpf::programs::{FExitContext, RetProbeContext};
use socktrace_common::config::mode;
use socktrace_common::wire::{Accept, kind, role};

use crate::globals::config;
use crate::output::{emit, now};
use crate::owners;
use crate::sock::{self, Probed, Sk, Typed};
use crate::suspects::{self, CookieSource};
use crate::task;

/// First choice.
#[fexit(function = "inet_csk_accept")]
#[inline(always)]
pub fn accept_fexit(ctx: FExitContext) -> i32 {
    // The returned pointer follows the parameters; `bpf_get_func_ret` would need 5.17.
    let sk: *const core::ffi::c_void = if config!(accept_params) == 2 {
        ctx.arg(2)
    } else {
        ctx.arg(4)
    };
    accepted(Typed(sk as u64));
    0
}

/// Else: misses accepts when more threads block in accept() than the probe has instances for.
#[kretprobe(function = "inet_csk_accept")]
#[inline(always)]
pub fn accept_kretprobe(ctx: RetProbeContext) -> u32 {
    accepted(Probed(ctx.ret::<*const core::ffi::c_void>() as u64));
    0
}

#[inline(always)]
fn accepted(sock: impl Sk) {
    let sk = sock.addr();
    if sk == 0 || !sock.is_tcp() {
        return;
    }
    if config!(mode) != mode::TRACE {
        owners::opened(sk, 0, role::ACCEPTED);
        return;
    }
    let at = now();
    let cookie = suspects::cookie_or_new(sk, CookieSource::Seen, at);
    owners::opened(
        sk,
        if sock::is_synthetic(cookie) {
            cookie
        } else {
            0
        },
        role::ACCEPTED,
    );
    emit::<Accept>(kind::ACCEPT, at, |to, header| {
        // SAFETY: `to` is the reserved space of a whole `Accept`.
        unsafe {
            (*to).header = header;
            sock::describe(&raw mut (*to).sock, sk, cookie, sock::state_of(sk));
            (*to).task = task::current();
        }
    });
}
