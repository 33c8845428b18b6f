//! One TCP socket as the kernel shows it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::{Comm, Cookie, KernelAddr, Tgid, Tid};

/// `enum tcp_state` (include/net/tcp_states.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the kernel's and RFC 9293's")]
pub enum TcpState {
    Established = 1,
    SynSent = 2,
    SynRecv = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Close = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
    NewSynRecv = 12,
}

impl TcpState {
    /// Every state, in the kernel's order.
    pub const ALL: [Self; 12] = [
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::Close,
        Self::CloseWait,
        Self::LastAck,
        Self::Listen,
        Self::Closing,
        Self::NewSynRecv,
    ];

    /// The state with the kernel's number `n`.
    #[must_use]
    pub fn from_kernel(n: u32) -> Option<Self> {
        let index = usize::try_from(n.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }

    /// The kernel's name, as `ss` and `tcpstates` users know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::FinWait1 => "FIN_WAIT1",
            Self::FinWait2 => "FIN_WAIT2",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
            Self::NewSynRecv => "NEW_SYN_RECV",
        }
    }
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TcpState {
    type Err = String;

    /// Accepts any case, `-` for `_`, and `CLOSED` for `CLOSE`.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let name = s.to_ascii_uppercase().replace('-', "_");
        let name = if name == "CLOSED" {
            "CLOSE"
        } else {
            name.as_str()
        };
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("no such TCP state; the states are {names}")
            })
    }
}

/// The address family a socket was opened with; a v4-mapped connection has V6 here and IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `AF_INET`.
    V4,
    /// `AF_INET6`.
    V6,
}

/// Identity and addresses of a TCP socket at one moment.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own in the kernel"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its name.
    pub cookie: Cookie,
    /// True where the kernel gives tracing programs no cookies and the programs made one up: it then
    /// names the socket for this run of the agent only.
    pub cookie_synthetic: bool,
    /// Handle to ask the kernel with.
    pub kaddr: KernelAddr,
    /// Inode of the network namespace.
    pub netns: u32,
    /// Inode in sockfs; `None` where it has none (not accepted yet) or was not read.
    pub inode: Option<u32>,
    /// Family it was opened with.
    pub family: Family,
    /// State.
    pub state: TcpState,
    /// It has no `struct socket`: it waits in an accept queue, or is an orphan.
    pub no_socket: bool,
    /// `SOCK_DEAD`: released by its owner.
    pub dead: bool,
    /// It has been ESTABLISHED at some time.
    pub established_once: bool,
    /// Local end; v4-mapped addresses are IPv4 here.
    pub local: SocketAddr,
    /// Remote end; v4-mapped addresses are IPv4 here.
    pub peer: SocketAddr,
}

/// Where the byte streams stand: `struct tcp_sock`, sequence numbers modulo 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seqs {
    /// Next byte expected from the peer, past its FIN once that has arrived.
    pub rcv_nxt: u32,
    /// Next byte the program will read.
    pub copied_seq: u32,
    /// End of what the program has written.
    pub write_seq: u32,
    /// First byte the peer has not acknowledged.
    pub snd_una: u32,
}

impl Seqs {
    /// What `ss` calls Recv-Q: sequence numbers received and not read; an unread FIN counts as one.
    #[must_use]
    pub fn rx_queue(self) -> u32 {
        self.rcv_nxt.wrapping_sub(self.copied_seq)
    }

    /// What `ss` calls Send-Q: sequence numbers written and not acknowledged.
    #[must_use]
    pub fn tx_queue(self) -> u32 {
        self.write_seq.wrapping_sub(self.snd_una)
    }
}

/// A thread and its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Process.
    pub tgid: Tgid,
    /// Thread.
    pub tid: Tid,
    /// Name of the thread at that moment.
    pub comm: Comm,
}

/// How a connection came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Not seen.
    #[default]
    Unknown,
    /// We called connect().
    Connected,
    /// We accepted it.
    Accepted,
}
