//! What the iterators call a socket: the kernel's cookie where it can be asked for, else a number that
//! every look at the same socket arrives at, whether or not the table of suspects has room for it.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_sock_from_file};
use socktrace_common::config::mode;

use crate::globals::{config, offset};
use crate::sock::{self, AF_INET6, Sk, read};
use crate::suspects::{self, CookieSource};

/// Marks names made of an inode, and those made of a connection's ends, apart from each other and from
/// those that the other programs make up, as long as CPUs have numbers below 1024.
const OF_INODE: u64 = 1 << 62;
const OF_ENDS: u64 = 1 << 62 | 1 << 61;
/// The multiplier of FNV-1a, 64 bits.
const FNV_PRIME: u64 = 0x100_0000_01b3;

/// The name of `sk`, the socket of `file`.
///
/// A socket that was there before the agent may never have been named: asking names it. A name that was
/// made up stays.
#[inline(always)]
pub fn of_held(sk: u64, file: *const c_void) -> u64 {
    if config!(cookie_helper) == 1 {
        name(file);
    }
    let cookie = suspects::cookie_of(sk, CookieSource::Seen);
    if cookie != 0 {
        return cookie;
    }
    sock::SYNTHETIC | OF_INODE | sock::inode_of(sock::socket_of(sk)) as u64
}

/// The name for one look: a cookie that the kernel has given, else made of the socket's inode. Nothing is
/// asked for, so that looking changes nothing.
#[inline(always)]
pub fn of_look(sk: impl Sk, inode: u32) -> u64 {
    let cookie = sk.cookie();
    if cookie != 0 {
        return cookie;
    }
    sock::SYNTHETIC | OF_INODE | inode as u64
}

/// Has the kernel give a cookie to the socket of `file`.
#[inline(always)]
fn name(file: *const c_void) {
    let to_sk = offset!(socket_sk) as usize;
    // SAFETY: the iterator's own pointer, which the verifier trusts; the kernel checks that it is a
    // socket's. A load through what it returns is checked by the verifier and cannot fault.
    unsafe {
        let socket = bpf_sock_from_file(file.cast_mut().cast());
        if socket.is_null() {
            return;
        }
        let member: *const *mut c_void = socket.byte_add(to_sk).cast();
        bpf_get_socket_cookie(member.read_volatile());
    }
}

/// The name of a connection in an accept queue whose peer's FIN has come: no more will arrive on it, so
/// that its ends and the last sequence number received tell it from any other.
#[inline(always)]
pub fn of_queued(sk_common: *const c_void) -> u64 {
    if config!(cookie_helper) == 1 && config!(mode) != mode::SCAN {
        // SAFETY: the iterator's own pointer, which the verifier trusts.
        let _ = unsafe { bpf_get_socket_cookie(sk_common.cast_mut()) };
    }
    let sk = sk_common as u64;
    let cookie = suspects::cookie_of(sk, CookieSource::Seen);
    if cookie != 0 {
        return cookie;
    }
    let net: u64 = read(sk, offset!(skc_net));
    let mut hash = mix(0, read::<u32>(net, offset!(net_inum)) as u64);
    let (lport, rport) = (
        read::<u16>(sk, offset!(inet_sport)),
        read::<u16>(sk, offset!(skc_dport)),
    );
    hash = mix(hash, (lport as u64) << 16 | rport as u64);
    hash = mix(hash, read::<u32>(sk, offset!(rcv_nxt)) as u64);
    if read::<u16>(sk, offset!(skc_family)) == AF_INET6 {
        let [low, high] = read::<[u64; 2]>(sk, offset!(skc_v6_rcv_saddr));
        hash = mix(mix(hash, low), high);
        let [low, high] = read::<[u64; 2]>(sk, offset!(skc_v6_daddr));
        hash = mix(mix(hash, low), high);
    } else {
        hash = mix(hash, read::<u32>(sk, offset!(skc_rcv_saddr)) as u64);
        hash = mix(hash, read::<u32>(sk, offset!(skc_daddr)) as u64);
    }
    sock::SYNTHETIC | OF_ENDS | hash >> 3
}

#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(FNV_PRIME);
    hash ^ hash >> 29
}
