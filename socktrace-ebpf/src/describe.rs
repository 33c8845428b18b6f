//! A socket's identity and addresses, as records carry them.

use socktrace_common::config::mode;
use socktrace_common::wire::{Sock, sock_flag};

use crate::globals::{config, offset};
use crate::sock::{AF_INET6, Probed, Sk, inode_of, is_synthetic, socket_of};

/// Fills in identity and addresses of `sk`.
///
/// # Safety
///
/// `to` must be valid for writing a [`Sock`].
#[inline(always)]
pub unsafe fn describe(to: *mut Sock, sk: u64, cookie: u64, state: u32) {
    let inode = inode_of(socket_of(sk));
    // SAFETY: by the contract of this function.
    unsafe { describe_as(to, Probed(sk), inode, cookie, state) }
}

/// The same of a socket whose inode is known, read in its own way.
///
/// # Safety
///
/// As for [`describe`].
#[inline(always)]
pub unsafe fn describe_as<S: Sk>(to: *mut Sock, sk: S, inode: u32, cookie: u64, state: u32) {
    let addr = sk.addr();
    let family: u16 = S::load(addr, offset!(skc_family));
    let net: u64 = S::load(addr, offset!(skc_net));
    let mut flags = 0;
    if is_synthetic(cookie) || config!(mode) == mode::RUN && config!(cookie_helper) == 0 {
        // The kernel's own, where others have asked for it, names the socket no longer than a made-up one.
        flags |= sock_flag::COOKIE_SYNTHETIC;
    }
    if sk.socket() == 0 {
        flags |= sock_flag::NO_SOCKET;
    }
    if sk.is_dead() {
        flags |= sock_flag::DEAD;
    }
    if sk.established_once() {
        flags |= sock_flag::ESTABLISHED_ONCE;
    }
    let netns = S::load(net, offset!(net_inum));
    let lport = u16::from_be(sk.lport());
    let rport = u16::from_be(S::load(addr, offset!(skc_dport)));
    // In place: a whole `Sock` on the stack would not leave room for the rest.
    // SAFETY: by the contract of this function.
    let (laddr, raddr) = unsafe {
        (*to).kaddr = addr;
        (*to).cookie = cookie;
        (*to).netns = netns;
        (*to).inode = inode;
        (*to).family = family;
        (*to).lport = lport;
        (*to).rport = rport;
        (*to).state = state as u8;
        (*to).flags = flags;
        (&raw mut (*to).laddr, &raw mut (*to).raddr)
    };
    if family == AF_INET6 {
        let (local, remote) = (offset!(skc_v6_rcv_saddr), offset!(skc_v6_daddr));
        // SAFETY: both are members of `to`.
        unsafe {
            S::copy_v6(laddr, addr, local);
            S::copy_v6(raddr, addr, remote);
        }
    } else {
        let (local, remote) = (
            S::load(addr, offset!(skc_rcv_saddr)),
            S::load(addr, offset!(skc_daddr)),
        );
        // SAFETY: both are members of `to`, 4-aligned there.
        unsafe {
            map_v4(laddr, local);
            map_v4(raddr, remote);
        }
    }
}

/// Writes an IPv4 address in v4-mapped form.
///
/// # Safety
///
/// `to` must be valid for writing 16 bytes, aligned to 4.
#[inline(always)]
unsafe fn map_v4(to: *mut [u8; 16], v4: u32) {
    let to = to.cast::<u32>();
    // SAFETY: by the contract of this function.
    unsafe {
        to.write(0);
        to.add(1).write(0);
        to.add(2).write(u32::from_be(0xffff));
        to.add(3).write(v4);
    }
}
