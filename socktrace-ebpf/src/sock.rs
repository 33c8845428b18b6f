//! Reading `struct sock` and what hangs on it. The one place that knows how.
//!
//! `bpf_probe_read_kernel` works in every program type and on every supported kernel and gives zeros
//! instead of a fault when memory is gone. Programs that run for healthy traffic and have a pointer the
//! verifier trusts read through that: see [`Sk`].

use core::mem::MaybeUninit;

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_probe_read_kernel, bpf_skc_to_tcp_sock};
use socktrace_common::wire::Seqs;

pub use crate::describe::describe;
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
    pub const SYN_RECV: u32 = 3;
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

/// A `struct sock` in the hands of a program that may read it in one way or another.
///
/// Calls of helpers are what a short program spends its time with, so the programs on the path of
/// healthy traffic read through pointers which the verifier knows to be good where they have one.
pub trait Sk: Copy {
    /// Its address.
    fn addr(self) -> u64;

    /// Reads a `T` at an offset of a structure that [`Sk::addr`] or a pointer read from it leads to.
    fn load<T: Copy>(base: u64, offset: u64) -> T;

    /// The same socket as `struct tcp_sock`; 0 if it is none.
    fn tcp(self) -> u64;

    /// Copies the IPv6 address at an offset of what is at `base`.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writing 16 bytes, aligned to 4.
    unsafe fn copy_v6(to: *mut [u8; 16], base: u64, offset: u64);

    /// See [`is_tcp`].
    #[inline(always)]
    fn is_tcp(self) -> bool {
        Self::load::<u16>(self.addr(), offset!(sk_protocol)) == IPPROTO_TCP
    }

    /// See [`state_of`].
    #[inline(always)]
    fn state(self) -> u32 {
        u32::from(Self::load::<u8>(self.addr(), offset!(skc_state)))
    }

    /// See [`socket_of`].
    #[inline(always)]
    fn socket(self) -> u64 {
        Self::load(self.addr(), offset!(sk_socket))
    }

    /// See [`is_dead`].
    #[inline(always)]
    fn is_dead(self) -> bool {
        Self::load::<u64>(self.addr(), offset!(skc_flags)) & SOCK_DEAD != 0
    }

    /// See [`kernel_cookie`].
    #[inline(always)]
    fn cookie(self) -> u64 {
        Self::load(self.addr(), offset!(skc_cookie))
    }

    /// Whether a handshake was ever completed: `rcv_nxt` starts at 0 in `tcp_connect_init` and takes
    /// the peer's number with its SYN.
    #[inline(always)]
    fn established_once(self) -> bool {
        let tcp = self.tcp();
        if tcp == 0 {
            return false;
        }
        let tcp = settled(tcp);
        Self::load::<u32>(tcp, offset!(rcv_nxt)) | Self::load::<u32>(tcp, offset!(copied_seq)) != 0
    }

    /// `inet_sport`, in network order: it lies behind `struct sock`, in what that begins.
    #[inline(always)]
    fn lport(self) -> u16 {
        let tcp = self.tcp();
        if tcp == 0 {
            return 0;
        }
        Self::load(settled(tcp), offset!(inet_sport))
    }

    /// See [`has_peer`].
    #[inline(always)]
    fn has_peer(self) -> bool {
        Self::load::<u16>(self.addr(), offset!(skc_dport)) != 0
    }

    /// Jiffies since the last acknowledgement arrived or data was sent, whichever is less.
    #[inline(always)]
    fn idle_jiffies(self) -> u32 {
        let tcp = self.tcp();
        if tcp == 0 {
            return 0;
        }
        let tcp = settled(tcp);
        let now = jiffies() as u32;
        let acked = now.wrapping_sub(Self::load(tcp, offset!(rcv_tstamp)));
        let sent = now.wrapping_sub(Self::load(tcp, offset!(lsndtime)));
        if acked < sent { acked } else { sent }
    }

    /// See [`error_of`].
    #[inline(always)]
    fn error(self) -> u32 {
        Self::load(self.addr(), offset!(sk_err))
    }

    /// Whether user space still refers to the file of its `struct socket`, which is not 0.
    ///
    /// Kernel sockets have no file. While the last reference is being dropped the file is still there,
    /// with its counter run out: `f_count` is 0, `f_ref` (6.13, include/linux/file_ref.h) is negative.
    #[inline(always)]
    fn has_live_file(socket: u64) -> bool {
        let file: u64 = Self::load(socket, offset!(socket_file));
        if file == 0 {
            return false;
        }
        let count: i64 = Self::load(file, offset!(f_count));
        if config!(file_ref) == 1 {
            count >= 0
        } else {
            count > 0
        }
    }

    /// See [`seqs`].
    #[inline(always)]
    fn seqs(self) -> Seqs {
        let tcp = self.tcp();
        if tcp == 0 {
            return Seqs::default();
        }
        let tcp = settled(tcp);
        Seqs {
            rcv_nxt: Self::load(tcp, offset!(rcv_nxt)),
            copied_seq: Self::load(tcp, offset!(copied_seq)),
            write_seq: Self::load(tcp, offset!(write_seq)),
            snd_una: Self::load(tcp, offset!(snd_una)),
        }
    }
}

/// A pointer that was just found not to be 0. The compiler must not calculate with it before that: the
/// verifier refuses to follow.
#[inline(always)]
pub fn settled(mut pointer: u64) -> u64 {
    // SAFETY: a move of a register to itself.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) pointer) };
    pointer
}

/// By address alone: every read is a call of `bpf_probe_read_kernel`.
#[derive(Clone, Copy)]
pub struct Probed(pub u64);

impl Sk for Probed {
    #[inline(always)]
    fn addr(self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn load<T: Copy>(base: u64, offset: u64) -> T {
        read(base, offset)
    }

    #[inline(always)]
    fn tcp(self) -> u64 {
        self.0
    }

    #[inline(always)]
    unsafe fn copy_v6(to: *mut [u8; 16], base: u64, offset: u64) {
        // SAFETY: by the contract of this function; the helper checks the source.
        unsafe {
            bpf_probe_read_kernel(
                to.cast(),
                size_of::<[u8; 16]>() as u32,
                base.wrapping_add(offset) as *const _,
            );
        }
    }
}

/// By a pointer whose type the verifier knows, as `tp_btf`, `fentry` and `fexit` get it: every read is a
/// load, and one that faults gives 0.
#[derive(Clone, Copy)]
pub struct Typed(pub u64);

impl Sk for Typed {
    #[inline(always)]
    fn addr(self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn load<T: Copy>(base: u64, offset: u64) -> T {
        // SAFETY: the verifier checks that the pointer is typed and that the offset is one of the
        // type's members; the kernel catches faults.
        unsafe { core::ptr::read_volatile(base.wrapping_add(offset) as *const T) }
    }

    #[inline(always)]
    fn tcp(self) -> u64 {
        // SAFETY: the helper checks what it is given.
        unsafe { bpf_skc_to_tcp_sock(self.0 as *mut _) as u64 }
    }

    #[inline(always)]
    unsafe fn copy_v6(to: *mut [u8; 16], base: u64, offset: u64) {
        let to = to.cast::<u32>();
        for word in 0..4 {
            // SAFETY: by the contract of this function.
            unsafe {
                to.add(word)
                    .write(Self::load(base, offset + 4 * word as u64));
            }
        }
    }
}

/// Whether `sk` is a TCP socket of IPv4 or IPv6. MPTCP, SCTP and DCCP share TCP's tracepoints.
#[inline(always)]
pub fn is_tcp(sk: u64) -> bool {
    Probed(sk).is_tcp()
}

/// `sk->sk_state`.
#[inline(always)]
pub fn state_of(sk: u64) -> u32 {
    Probed(sk).state()
}

/// `sk->sk_socket`: 0 while queued for accept() and after release.
#[inline(always)]
pub fn socket_of(sk: u64) -> u64 {
    Probed(sk).socket()
}

/// Whether the owner has released it (`SOCK_DEAD`).
#[inline(always)]
pub fn is_dead(sk: u64) -> bool {
    Probed(sk).is_dead()
}

/// `sk->sk_err`.
#[inline(always)]
pub fn error_of(sk: u64) -> u32 {
    Probed(sk).error()
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
    Probed(sk).cookie()
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

/// Whether the socket has a peer: `tcp_disconnect` and a failed blocking connect() clear the port.
#[inline(always)]
pub fn has_peer(sk: u64) -> bool {
    Probed(sk).has_peer()
}

/// Where the streams of `sk` stand.
#[inline(always)]
pub fn seqs(sk: u64) -> Seqs {
    Probed(sk).seqs()
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
