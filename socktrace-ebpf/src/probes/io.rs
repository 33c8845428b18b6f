//! Last I/O: which thread moved bytes on a socket, or read its end.
//!
//! ```text
//! trace_sock_recv_length(struct sock *sk, int ret, int flags)     since 6.3 (include/trace/events/sock.h)
//! trace_sock_send_length(struct sock *sk, int ret, int flags)     since 6.3
//! trace_tcp_rcv_space_adjust(struct sock *sk)                     (include/trace/events/tcp.h)
//! ```
//! All run in the thread that made the call, io_uring's workers included.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use socktrace_common::wire::touch_op;

use crate::owners;
use crate::sock::{Sk as _, Typed};

/// A receive call ended; 0 bytes may be the end of the stream.
#[btf_tracepoint(function = "sock_recv_length")]
#[inline(always)]
pub fn io_recv_length(ctx: BtfTracePointContext) -> i32 {
    let sk: *const core::ffi::c_void = ctx.arg(0);
    let length: i32 = ctx.arg(1);
    let sk = Typed(sk as u64);
    if length >= 0 && sk.is_tcp() {
        owners::received(sk, length);
    }
    0
}

/// A send call ended.
#[btf_tracepoint(function = "sock_send_length")]
#[inline(always)]
pub fn io_send_length(ctx: BtfTracePointContext) -> i32 {
    let sk: *const core::ffi::c_void = ctx.arg(0);
    let length: i32 = ctx.arg(1);
    if length > 0 && Typed(sk as u64).is_tcp() {
        owners::touched(sk as u64, touch_op::SEND);
    }
    0
}

/// Data was copied to user space. Before 6.3 the only sign of life, and the end is not seen.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
#[inline(always)]
pub fn io_rcv_space_adjust(ctx: BtfTracePointContext) -> i32 {
    let sk: *const core::ffi::c_void = ctx.arg(0);
    if Typed(sk as u64).is_tcp() {
        owners::touched(sk as u64, touch_op::RECV);
    }
    0
}
