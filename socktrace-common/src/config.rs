//! What the agent hands to the programs at load time, as read-only globals: the verifier sees
//! constants and removes the branches they switch off.

use crate::plain;

/// Values of [`Config::mode`].
pub mod mode {
    /// Only suspects older than the threshold are streamed.
    pub const RUN: u32 = 0;
    /// Everything is streamed.
    pub const TRACE: u32 = 1;
    /// Nothing is streamed; the iterators tell of every TCP socket, not only of possible leaks.
    pub const SCAN: u32 = 2;
}

/// Values of [`Config::eof_source`].
pub mod eof_source {
    /// Reads that return 0 cannot be seen.
    pub const NONE: u32 = 0;
    /// `sock_recv_length` or an equivalent is attached.
    pub const SEEN: u32 = 1;
}

plain! {
    /// Settings of the programs.
    pub struct Config {
        /// Age at which a suspect's release and state changes are streamed, nanoseconds.
        pub leak_after_ns: u64,
        /// One of [`mode`].
        pub mode: u32,
        /// 1 where `bpf_get_socket_cookie` takes a `struct sock` (5.12); else cookies are made up.
        pub cookie_helper: u32,
        /// One of [`eof_source`].
        pub eof_source: u32,
        /// Number of parameters of `inet_csk_accept`: 4 before 6.10, 2 since.
        pub accept_params: u32,
        /// 1 where `struct file` counts with `f_ref` (6.13), 0 where with `f_count`.
        pub file_ref: u32,
        /// Bytes waiting in the ring buffer at which the agent is woken; 0: at every record.
        pub wakeup_bytes: u32,
        /// `pid_namespace.level` of the agent's pid namespace; 0: the initial one, whose pids the kernel's
        /// helpers give.
        pub pid_level: u32,
        /// `pid_namespace.ns.inum` of the agent's pid namespace. Valid where `pid_level` is not 0.
        pub pid_ns: u32,
        /// Sets of the table of sockets ([`crate::maps::SocketSet`]).
        pub socket_sets: u32,
        /// Length of a jiffy, nanoseconds; 0 if it is not known.
        pub ns_per_jiffy: u32,
        /// `leak_after_ns` in jiffies, rounded down.
        pub leak_after_jiffies: u32,
        /// Always 0.
        pub reserved: u32,
    }
    size 56
}

plain! {
    /// Byte offsets of kernel structure members on the running kernel, from its BTF.
    ///
    /// Members of `struct sock_common` are relative to `struct sock`, which begins with it.
    pub struct Offsets {
        /// `sock_common.skc_family`.
        pub skc_family: u32,
        /// `sock_common.skc_state`.
        pub skc_state: u32,
        /// `inet_sock.inet_sport`: local port, network order. Unlike `skc_num` it outlives TCP_CLOSE.
        pub inet_sport: u32,
        /// `sock_common.skc_dport`: remote port, network order.
        pub skc_dport: u32,
        /// `sock_common.skc_rcv_saddr`.
        pub skc_rcv_saddr: u32,
        /// `sock_common.skc_daddr`.
        pub skc_daddr: u32,
        /// `sock_common.skc_v6_rcv_saddr`.
        pub skc_v6_rcv_saddr: u32,
        /// `sock_common.skc_v6_daddr`.
        pub skc_v6_daddr: u32,
        /// `sock_common.skc_net`, a `possible_net_t`: a pointer to `struct net`.
        pub skc_net: u32,
        /// `sock_common.skc_cookie`.
        pub skc_cookie: u32,
        /// `sock_common.skc_flags`: bit 0 is `SOCK_DEAD`.
        pub skc_flags: u32,
        /// `sock.sk_protocol`.
        pub sk_protocol: u32,
        /// `sock.sk_type`.
        pub sk_type: u32,
        /// `sock.sk_socket`.
        pub sk_socket: u32,
        /// `sock.sk_err`.
        pub sk_err: u32,
        /// `sock.sk_shutdown`.
        pub sk_shutdown: u32,
        /// `sock.sk_ack_backlog`.
        pub sk_ack_backlog: u32,
        /// `sock.sk_max_ack_backlog`.
        pub sk_max_ack_backlog: u32,
        /// `tcp_sock.rcv_nxt`.
        pub rcv_nxt: u32,
        /// `tcp_sock.copied_seq`.
        pub copied_seq: u32,
        /// `tcp_sock.write_seq`.
        pub write_seq: u32,
        /// `tcp_sock.snd_una`.
        pub snd_una: u32,
        /// `tcp_sock.bytes_received`.
        pub bytes_received: u32,
        /// `tcp_sock.bytes_acked`.
        pub bytes_acked: u32,
        /// `tcp_sock.rcv_tstamp`: jiffies of the last acknowledgement.
        pub rcv_tstamp: u32,
        /// `tcp_sock.lsndtime`: jiffies of the last data sent.
        pub lsndtime: u32,
        /// `socket.sk`.
        pub socket_sk: u32,
        /// `socket.file`.
        pub socket_file: u32,
        /// `socket_alloc.vfs_inode` minus `socket_alloc.socket`: from a `struct socket` to its inode.
        pub socket_to_inode: u32,
        /// `inode.i_ino`.
        pub i_ino: u32,
        /// `inode.i_mode`.
        pub i_mode: u32,
        /// `file.f_inode`.
        pub f_inode: u32,
        /// `file.private_data`.
        pub private_data: u32,
        /// `file.f_count` or `file.f_ref`.
        pub f_count: u32,
        /// `net.ns.inum`.
        pub net_inum: u32,
        /// `task_struct.tgid`.
        pub task_tgid: u32,
        /// `task_struct.pid`.
        pub task_pid: u32,
        /// `task_struct.comm`.
        pub task_comm: u32,
        /// `task_struct.flags`.
        pub task_flags: u32,
        /// `task_struct.group_leader`.
        pub group_leader: u32,
        /// `task_struct.start_boottime`.
        pub start_boottime: u32,
        /// `task_struct.thread_pid`: a pointer to `struct pid`.
        pub thread_pid: u32,
        /// `pid.level`: of the namespace the task is in, the last of `numbers`.
        pub pid_level: u32,
        /// `pid.numbers`: an array of `struct upid`, one a namespace, the initial one's first.
        pub pid_numbers: u32,
        /// `upid.nr`.
        pub upid_nr: u32,
        /// `upid.ns`: a pointer to `struct pid_namespace`.
        pub upid_ns: u32,
        /// `pid_namespace.ns.inum`.
        pub pid_ns_inum: u32,
        /// `sock.sk_receive_queue.qlen`.
        pub receive_queue_len: u32,
    }
    size 192
}
