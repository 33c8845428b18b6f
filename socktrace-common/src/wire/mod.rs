//! Records: what the programs tell the agent, and what a recording holds.
//!
//! Every record starts with a [`Header`]. Integers are in the machine's byte order (eBPF programs
//! and agent share a machine; a recording names its order). Addresses are 16 bytes, IPv4 in the
//! v4-mapped form of RFC 4291 §2.5.5.2; ports are in host order.

mod agent;

pub use agent::{Gap, Mark, gap_place, mark};

use crate::plain;

/// Version of every structure in this module. A reader refuses any other.
pub const WIRE_VERSION: u16 = 1;

/// What a record is; the value of [`Header::kind`].
pub mod kind {
    /// [`super::StateChange`].
    pub const STATE_CHANGE: u16 = 1;
    /// [`super::Connect`].
    pub const CONNECT: u16 = 2;
    /// [`super::Accept`].
    pub const ACCEPT: u16 = 3;
    /// [`super::Release`].
    pub const RELEASE: u16 = 4;
    /// [`super::Suspect`].
    pub const SUSPECT: u16 = 5;
    /// [`super::Held`].
    pub const HELD: u16 = 6;
    /// [`super::Unheld`].
    pub const UNHELD: u16 = 7;
    /// [`super::Gap`].
    pub const GAP: u16 = 8;
    /// [`super::Mark`].
    pub const MARK: u16 = 9;
}

/// Bits of [`Header::flags`].
pub mod header_flag {
    /// `seq` counts this CPU's ring-buffer records; without it the record came from an iterator.
    pub const SEQUENCED: u32 = 1;
}

plain! {
    /// The first 32 bytes of every record.
    pub struct Header {
        /// [`WIRE_VERSION`].
        pub version: u16,
        /// One of [`kind`].
        pub kind: u16,
        /// Bytes of the whole record, this header included.
        pub len: u32,
        /// `bpf_ktime_get_boot_ns()` when the record was made: nanoseconds since boot, suspend included.
        pub boot_ns: u64,
        /// Number of this record among its CPU's, counted from 0, also when the buffer was full: a
        /// missing number is a lost record. Valid with [`header_flag::SEQUENCED`].
        pub seq: u64,
        /// CPU that made the record.
        pub cpu: u32,
        /// Bits of [`header_flag`].
        pub flags: u32,
    }
    size 32
}

/// Bits of [`Sock::flags`].
pub mod sock_flag {
    /// `cookie` was made up by the programs because they cannot ask this kernel for it, or is one that
    /// the kernel has given somebody else: not every socket there has one, nor from its beginning.
    pub const COOKIE_SYNTHETIC: u8 = 1;
    /// The socket has no `struct socket`: it waits in an accept queue or is an orphan.
    pub const NO_SOCKET: u8 = 2;
    /// `SOCK_DEAD`: the owner has released it (include/net/sock.h).
    pub const DEAD: u8 = 4;
    /// The connection was once established (`rcv_nxt` has left 0).
    pub const ESTABLISHED_ONCE: u8 = 8;
    /// In what a reading of `run` shows, one of the next three. The table of suspects has the socket
    /// since it was seen coming into its state: a walk will tell of it in time.
    pub const WAITING: u8 = 16;
    /// A walk has told of it.
    pub const TOLD: u8 = 32;
    /// Neither: until this reading nobody had it in the table, if that has room for it now.
    pub const UNLISTED: u8 = 64;
}

plain! {
    /// One TCP `struct sock`: its identity and its addresses.
    pub struct Sock {
        /// Kernel address: the key of the kernel's maps. Never shown to anybody.
        pub kaddr: u64,
        /// Socket cookie (`sock_gen_cookie`), or a number of ours with [`sock_flag::COOKIE_SYNTHETIC`].
        pub cookie: u64,
        /// Inode of the network namespace (`net->ns.inum`).
        pub netns: u32,
        /// Inode of the socket in sockfs (`SOCK_INODE(socket)->i_ino`), 0 where it has none or it was not read.
        pub inode: u32,
        /// `AF_INET` (2) or `AF_INET6` (10).
        pub family: u16,
        /// Local port; 0 until the kernel has chosen one.
        pub lport: u16,
        /// Remote port.
        pub rport: u16,
        /// `enum tcp_state` (include/net/tcp_states.h) when the record was made.
        pub state: u8,
        /// Bits of [`sock_flag`].
        pub flags: u8,
        /// Local address.
        pub laddr: [u8; 16],
        /// Remote address.
        pub raddr: [u8; 16],
    }
    size 64
}

plain! {
    /// Where a connection's byte streams stand (`struct tcp_sock`, sequence numbers modulo 2^32).
    pub struct Seqs {
        /// Next byte expected from the peer; past the peer's FIN once that has arrived.
        pub rcv_nxt: u32,
        /// Next byte the program will read; `rcv_nxt - copied_seq` bytes wait, a FIN counting as one.
        pub copied_seq: u32,
        /// End of what the program has written.
        pub write_seq: u32,
        /// First byte the peer has not acknowledged.
        pub snd_una: u32,
    }
    size 16
}

plain! {
    /// A thread, by its numbers in the agent's pid namespace.
    pub struct Task {
        /// Process: the kernel's tgid, which user space calls pid. 0: not known, or not visible there.
        pub tgid: u32,
        /// Thread: the kernel's pid, which user space calls tid.
        pub tid: u32,
        /// `task->comm`, NUL-padded; any bytes, chosen by the program.
        pub comm: [u8; 16],
    }
    size 24
}

/// Values of [`Touch::op`].
pub mod touch_op {
    /// Data was read.
    pub const RECV: u32 = 1;
    /// Data was written.
    pub const SEND: u32 = 2;
    /// A read returned 0: end of file was seen.
    pub const EOF: u32 = 3;
}

plain! {
    /// A thread's last use of a socket.
    pub struct Touch {
        /// When, nanoseconds since boot. 0: this slot is empty.
        pub boot_ns: u64,
        /// A language runtime's own task (a goroutine's address, say); 0: none known.
        pub runtime_task: u64,
        /// Process.
        pub tgid: u32,
        /// Thread.
        pub tid: u32,
        /// One of [`touch_op`].
        pub op: u32,
        /// Always 0.
        pub reserved: u32,
    }
    size 32
}

/// Values of [`Owner::role`].
pub mod role {
    /// Neither accept nor connect was seen.
    pub const UNKNOWN: u32 = 0;
    /// `connect()` was called on it; `task` is the caller.
    pub const CONNECTED: u32 = 1;
    /// It came out of an accept queue; `task` is the thread that took it.
    pub const ACCEPTED: u32 = 2;
}

/// Bits of [`Owner::flags`].
pub mod owner_flag {
    /// A read on it returned 0.
    pub const EOF_READ: u32 = 1;
    /// Reads that return 0 are seen on this kernel, so the absence of `EOF_READ` means something.
    pub const EOF_VISIBLE: u32 = 2;
}

/// How many distinct threads [`Owner::touches`] remembers.
pub const TOUCHES: usize = 3;

plain! {
    /// Who made a socket and who used it last.
    pub struct Owner {
        /// When it was connected or accepted, nanoseconds since boot; 0: not seen.
        pub opened_ns: u64,
        /// Who connected or accepted it.
        pub task: Task,
        /// One of [`role`].
        pub role: u32,
        /// Bits of [`owner_flag`].
        pub flags: u32,
        /// The last distinct threads that moved bytes or saw the end, newest first.
        pub touches: [Touch; TOUCHES],
    }
    size 136
}

plain! {
    /// A socket went from one TCP state to another.
    ///
    /// `run` sends it only for sockets that are, or soon will be, findings; `trace` for all. There is
    /// no task in it: most changes run in softirq, where `current` is a bystander.
    pub struct StateChange {
        /// Kind [`kind::STATE_CHANGE`].
        pub header: Header,
        /// The socket, `state` being the new one.
        pub sock: Sock,
        /// Its streams.
        pub seqs: Seqs,
        /// `tp->bytes_received`.
        pub bytes_received: u64,
        /// `tp->bytes_acked`: what the peer has confirmed of what we sent.
        pub bytes_acked: u64,
        /// State it left.
        pub old_state: u32,
        /// `sk->sk_err`: 0, or why the kernel ended the connection (ECONNRESET, ETIMEDOUT, EPIPE …).
        pub sk_err: u32,
    }
    size 136
}

plain! {
    /// A `connect()` has come to its end: the socket left SYN_SENT.
    ///
    /// It is sent then, not when SYN_SENT is entered, because only now the local port is known.
    pub struct Connect {
        /// Kind [`kind::CONNECT`].
        pub header: Header,
        /// The socket; state ESTABLISHED, or CLOSE when refused or timed out.
        pub sock: Sock,
        /// The caller of `connect()`, taken at CLOSE→SYN_SENT.
        pub task: Task,
        /// When that was, nanoseconds since boot.
        pub started_ns: u64,
    }
    size 128
}

plain! {
    /// A connection was taken from an accept queue.
    pub struct Accept {
        /// Kind [`kind::ACCEPT`].
        pub header: Header,
        /// The new socket. Its inode is not known yet.
        pub sock: Sock,
        /// The thread that accepted it.
        pub task: Task,
    }
    size 120
}

/// Bits of [`Release::flags`].
pub mod release_flag {
    /// The releasing task was exiting: the process died, it did not call close().
    pub const EXITING: u32 = 1;
    /// `task` is a bystander (a kernel thread, or the collector of in-flight descriptors).
    pub const KTHREAD: u32 = 2;
}

plain! {
    /// The last reference to a socket's file went away.
    pub struct Release {
        /// Kind [`kind::RELEASE`].
        pub header: Header,
        /// The socket, in the state it was released in.
        pub sock: Sock,
        /// Its streams.
        pub seqs: Seqs,
        /// `tp->bytes_received`.
        pub bytes_received: u64,
        /// `tp->bytes_acked`.
        pub bytes_acked: u64,
        /// Who released it.
        pub task: Task,
        /// When it was connected or accepted, nanoseconds since boot; 0: not seen.
        pub opened_ns: u64,
        /// Bits of [`release_flag`].
        pub flags: u32,
        /// Always 0.
        pub reserved: u32,
    }
    size 168
}

/// Bits of [`Suspect::flags`].
pub mod suspect_flag {
    /// It was found by a walk, not seen entering its state: `since_ns` is when it was found.
    pub const FOUND: u32 = 1;
    /// Bytes moved since the last look; `since_ns` has been set to this look.
    pub const PROGRESS: u32 = 2;
    /// Sent because the agent asked for this socket, whatever its age.
    pub const ASKED: u32 = 4;
}

plain! {
    /// An entry of the kernel's table of suspects that is old enough to matter.
    pub struct Suspect {
        /// Kind [`kind::SUSPECT`].
        pub header: Header,
        /// The socket as it is now.
        pub sock: Sock,
        /// Its streams now.
        pub seqs: Seqs,
        /// Its streams when `since_ns` was taken.
        pub seqs_since: Seqs,
        /// Since when it is a suspect without progress, nanoseconds since boot.
        pub since_ns: u64,
        /// `sk->sk_err` when it reached TCP_CLOSE.
        pub sk_err: u32,
        /// Bits of [`suspect_flag`].
        pub flags: u32,
        /// How often it has made progress after having been reported.
        pub episode: u32,
        /// Always 0.
        pub reserved: u32,
        /// Who made it and who used it last.
        pub owner: Owner,
    }
    size 288
}

plain! {
    /// One (process, descriptor) that refers to a TCP socket, from `iter/task_file`.
    pub struct Held {
        /// Kind [`kind::HELD`].
        pub header: Header,
        /// The socket as it is now.
        pub sock: Sock,
        /// Its streams now.
        pub seqs: Seqs,
        /// The process, under the name of its thread group leader.
        pub task: Task,
        /// The descriptor's number.
        pub fd: u32,
        /// `sk->sk_err`.
        pub sk_err: u32,
        /// `sk->sk_ack_backlog` for a listener: connections waiting for accept().
        pub ack_backlog: u32,
        /// `sk->sk_max_ack_backlog` for a listener.
        pub max_ack_backlog: u32,
        /// `sk->sk_shutdown`: 1 the peer's half is closed, 2 ours.
        pub shutdown: u32,
        /// Jiffies since the last segment with an acknowledgement arrived or data was sent.
        pub idle_jiffies: u32,
        /// `start_boottime` of the process's leader, nanoseconds since boot.
        pub task_start_ns: u64,
    }
    size 168
}

plain! {
    /// A TCP socket that no descriptor refers to, from `iter/tcp`: queued for accept(), or an orphan.
    pub struct Unheld {
        /// Kind [`kind::UNHELD`].
        pub header: Header,
        /// The socket as it is now.
        pub sock: Sock,
        /// Its streams now.
        pub seqs: Seqs,
        /// Jiffies since the last segment with an acknowledgement arrived or data was sent.
        pub idle_jiffies: u32,
        /// Always 0.
        pub reserved: u32,
    }
    size 120
}
