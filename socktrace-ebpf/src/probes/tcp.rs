//! `iter/tcp`: connections nobody holds because they wait in an accept queue.
//!
//! ```text
//! struct bpf_iter__tcp { meta; sk_common; uid_t uid }
//! ```
//! (net/ipv4/tcp_ipv4.c). It visits the network namespace of the reader; time-wait and request
//! mini-sockets come by too, and are smaller than a `struct sock`.

use socktrace_common::wire::{Unheld, kind, sock_flag};

use crate::output::{now, plain_header, write_record};
use crate::sock::{self, Probed, Sk as _, state};
use crate::{naming, suspects};

/// The kernel's context.
#[repr(C)]
pub struct Tcp {
    meta: *const *mut core::ffi::c_void,
    sk_common: *const core::ffi::c_void,
    uid: u32,
}

/// Writes one [`Unheld`] a connection in CLOSE_WAIT that has no `struct socket` and no owner.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
pub extern "C" fn truth_tcp(ctx: *const Tcp) -> i32 {
    // SAFETY: the kernel calls with a valid context; loads from it are checked by the verifier.
    let (meta, sk_common) = unsafe { ((*ctx).meta, (*ctx).sk_common) };
    let sk = sk_common as u64;
    if sk_common.is_null() || sock::state_of(sk) != state::CLOSE_WAIT {
        return 0;
    }
    if !sock::is_tcp(sk) || sock::socket_of(sk) != 0 || sock::is_dead(sk) {
        return 0;
    }
    let at = now();
    let cookie = naming::of_queued(sk_common);
    let listed = suspects::listed(sk);
    if listed == sock_flag::UNLISTED {
        suspects::add(Probed(sk), cookie, at, 0, true);
    }
    let mut unheld = Unheld {
        header: plain_header::<Unheld>(kind::UNHELD, at),
        seqs: sock::seqs(sk),
        idle_jiffies: Probed(sk).idle_jiffies(),
        ..Unheld::default()
    };
    // SAFETY: `unheld` is ours.
    unsafe { sock::describe(&raw mut unheld.sock, sk, cookie, state::CLOSE_WAIT) };
    unheld.sock.flags |= listed;
    // Without room the kernel asks again, and the same is told.
    let _ = write_record(meta, &unheld);
    0
}
