//! Reading `struct sock` and what hangs on it. The one place that knows how.
//!
//! Everything is read with `bpf_probe_read_kernel`, which works in every program type and on every
//! supported kernel and gives zeros instead of a fault when memory is gone.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_probe_read_kernel};
use socktrace_common::config::mode;
use socktrace_common::wire::{Seqs, Sock, sock_flag};

use crate::globals::{config, offset};

/// `IPPROTO_TCP`.
pub const IPPROTO_TCP: u16 = 6;
/// `AF_INET`.
pub const AF_INET: u16 = 2;
/// `AF_INET6`.
pub const AF_INET6: u16 = 10;
/// `SOCK_DEAD` in `sk_flags` (include/net/sock.h, `enum sock_flags`).
const SOCK_DEAD: u64 = 1;
/// Cookies we make up have this bit set; the kernel's count up from 1 and never reach it.
pub const SYNTHETIC: u64 = 1 << 63;

/// `enum tcp_state` (include/net/tcp_states.h), as far as the programs name them.
pub mod state {
    pub const ESTABLISHED: u32 = 1;
    pub const SYN_SENT: u32 = 2;
    pub const FIN_WAIT2: u32 = 5;
    pub const CLOSE: u32 = 7;
    pub const CLOSE_WAIT: u32 = 8;
    pub const LAST_ACK: u32 = 9;
    pub const LISTEN: u32 = 10;
}

/// Reads a `T` at `base + offset` in kernel memory; zero if it cannot be read.
///
/// There is no branch on failure, because the helper itself fills the destination with zeros then
/// (kernel/trace/bpf_trace.c, `bpf_probe_read_kernel_common`): a branch here would double, with
/// every field read, what the verifier has to follow.
#[inline(always)]
pub fn read<T: Copy>(base: u64, offset: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the destination is a `T` of our own; the helper checks the source and writes all of
    // the destination in any case. Every `T` read here is a plain integer or an array of them.
    unsafe {
        bpf_probe_read_kernel(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            base.wrapping_add(offset) as *const _,
        );
        value.assume_init()
    }
}

/// `sk->sk_protocol`.
#[inline(always)]
pub fn protocol(sk: u64) -> u16 {
    read(sk, offset!(sk_protocol))
}

/// Whether `sk` is a TCP socket of IPv4 or IPv6. MPTCP, SCTP and DCCP share TCP's tracepoints.
#[inline(always)]
pub fn is_tcp(sk: u64) -> bool {
    protocol(sk) == IPPROTO_TCP
}

/// `sk->sk_state`.
#[inline(always)]
pub fn state_of(sk: u64) -> u32 {
    u32::from(read::<u8>(sk, offset!(skc_state)))
}

/// `sk->sk_socket`: 0 while queued for accept() and after release.
#[inline(always)]
pub fn socket_of(sk: u64) -> u64 {
    read(sk, offset!(sk_socket))
}

/// Whether the owner has released it (`SOCK_DEAD`).
#[inline(always)]
pub fn is_dead(sk: u64) -> bool {
    read::<u64>(sk, offset!(skc_flags)) & SOCK_DEAD != 0
}

/// `sk->sk_err`.
#[inline(always)]
pub fn error_of(sk: u64) -> u32 {
    read(sk, offset!(sk_err))
}

/// Whether user space still refers to the `struct socket`'s file.
///
/// Kernel sockets have no file. While the last reference is being dropped the file is still there,
/// with its counter run out: `f_count` is 0, `f_ref` (6.13, include/linux/file_ref.h) is negative.
#[inline(always)]
pub fn has_live_file(socket: u64) -> bool {
    let file: u64 = read(socket, offset!(socket_file));
    if file == 0 {
        return false;
    }
    let count: i64 = read(file, offset!(f_count));
    if config!(file_ref) == 1 {
        count >= 0
    } else {
        count > 0
    }
}

/// Inode number of a `struct socket`.
#[inline(always)]
pub fn inode_of(socket: u64) -> u32 {
    if socket == 0 {
        return 0;
    }
    read::<u64>(
        socket,
        offset!(socket_to_inode).wrapping_add(offset!(i_ino)),
    ) as u32
}

/// `sk->sk_cookie`: 0 until somebody has asked the kernel for it.
#[inline(always)]
pub fn kernel_cookie(sk: u64) -> u64 {
    read(sk, offset!(skc_cookie))
}

/// Whether a cookie is one we made up.
#[inline(always)]
pub fn is_synthetic(cookie: u64) -> bool {
    cookie & SYNTHETIC != 0
}

/// Makes up a cookie: unlike the socket's address it is not used again.
///
/// The time is the generation; one CPU cannot make two at the same nanosecond. (The address is not
/// mixed in: the verifier lets nobody calculate with a pointer it trusts.)
#[inline(always)]
pub fn make_cookie(now: u64) -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    let cpu = u64::from(unsafe { bpf_get_smp_processor_id() });
    SYNTHETIC | (cpu & 0x7ff) << 52 | now & ((1 << 52) - 1)
}

/// Fills in identity and addresses of `sk`.
///
/// # Safety
///
/// `to` must be valid for writing a [`Sock`].
#[inline(always)]
pub unsafe fn describe(to: *mut Sock, sk: u64, cookie: u64, state: u32) {
    let family: u16 = read(sk, offset!(skc_family));
    let socket = socket_of(sk);
    let net: u64 = read(sk, offset!(skc_net));
    let mut flags = 0;
    if is_synthetic(cookie) || config!(mode) == mode::RUN && config!(cookie_helper) == 0 {
        // The kernel's own, where others have asked for it, names the socket no longer than a made-up one.
        flags |= sock_flag::COOKIE_SYNTHETIC;
    }
    if socket == 0 {
        flags |= sock_flag::NO_SOCKET;
    }
    if is_dead(sk) {
        flags |= sock_flag::DEAD;
    }
    if established_once(sk) {
        flags |= sock_flag::ESTABLISHED_ONCE;
    }
    let netns = read(net, offset!(net_inum));
    let inode = inode_of(socket);
    let lport = u16::from_be(read(sk, offset!(inet_sport)));
    let rport = u16::from_be(read(sk, offset!(skc_dport)));
    // In place: a whole `Sock` on the stack would not leave room for the rest.
    // SAFETY: by the contract of this function.
    let (laddr, raddr) = unsafe {
        (*to).kaddr = sk;
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
            read_into(laddr, sk, local);
            read_into(raddr, sk, remote);
        }
    } else {
        let (local, remote) = (
            read(sk, offset!(skc_rcv_saddr)),
            read(sk, offset!(skc_daddr)),
        );
        // SAFETY: both are members of `to`, 4-aligned there.
        unsafe {
            map_v4(laddr, local);
            map_v4(raddr, remote);
        }
    }
}

/// Whether a handshake was ever completed: `rcv_nxt` starts at 0 in `tcp_connect_init` and takes
/// the peer's number with its SYN.
#[inline(always)]
pub fn established_once(sk: u64) -> bool {
    read::<u32>(sk, offset!(rcv_nxt)) | read::<u32>(sk, offset!(copied_seq)) != 0
}

/// Whether the socket has a peer: `tcp_disconnect` and a failed blocking connect() clear the port.
#[inline(always)]
pub fn has_peer(sk: u64) -> bool {
    read::<u16>(sk, offset!(skc_dport)) != 0
}

/// Reads a `T` at `base + offset` in kernel memory to where it belongs.
///
/// # Safety
///
/// `to` must be valid for writing a `T`.
#[inline(always)]
unsafe fn read_into<T>(to: *mut T, base: u64, offset: u64) {
    // SAFETY: by the contract of this function; the helper checks the source.
    unsafe {
        bpf_probe_read_kernel(
            to.cast(),
            size_of::<T>() as u32,
            base.wrapping_add(offset) as *const _,
        );
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

/// Where the streams of `sk` stand.
#[inline(always)]
pub fn seqs(sk: u64) -> Seqs {
    Seqs {
        rcv_nxt: read(sk, offset!(rcv_nxt)),
        copied_seq: read(sk, offset!(copied_seq)),
        write_seq: read(sk, offset!(write_seq)),
        snd_una: read(sk, offset!(snd_una)),
    }
}

/// Bytes received and bytes acknowledged since the connection began.
#[inline(always)]
pub fn bytes(sk: u64) -> (u64, u64) {
    (
        read(sk, offset!(bytes_received)),
        read(sk, offset!(bytes_acked)),
    )
}

/// Jiffies now.
#[inline(always)]
pub fn jiffies() -> u64 {
    // SAFETY: the helper has no arguments and cannot fail.
    unsafe { bpf_jiffies64() }
}

/// Jiffies since the last acknowledgement arrived or data was sent, whichever is less.
#[inline(always)]
pub fn idle_jiffies(sk: u64) -> u32 {
    let now = jiffies() as u32;
    let acked = now.wrapping_sub(read(sk, offset!(rcv_tstamp)));
    let sent = now.wrapping_sub(read(sk, offset!(lsndtime)));
    if acked < sent { acked } else { sent }
}
