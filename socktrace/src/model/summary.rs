//! What a scan says at its end, of the whole machine.

use std::net::IpAddr;

use super::BootTime;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanSummary {
    /// When.
    pub at: BootTime,
    /// `ebpf` or `sock_diag`.
    pub source: &'static str,
    /// Sockets held in `TCP_CLOSE`.
    pub closed: Closed,
    /// What the kernel counts; `None` where that cannot be read.
    pub counts: Option<SocketCounts>,
    /// Mini-sockets in FIN_WAIT2 by remote address, most first: connections that a program here has
    /// closed and the peer has not.
    pub fin_wait2: Vec<(IpAddr, u64)>,
    /// What could not be seen, a phrase each.
    pub missing: Vec<String>,
}

/// Sockets that are allocated, held by a descriptor, and in `TCP_CLOSE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Told apart.
    Seen {
        /// Their connection is over: leaks of the kind `closed_held`.
        over: u64,
        /// They were never connected.
        never_connected: u64,
    },
    /// Not told apart: in no table, so either.
    Unlisted(u64),
}

/// `/proc/net/sockstat`, both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketCounts {
    /// In the tables of this network namespace.
    pub in_use: u64,
    /// In time-wait, in this network namespace.
    pub time_wait: u64,
    /// Allocated, in all network namespaces.
    pub allocated: u64,
}

impl SocketCounts {
    /// What `ss -s` prints as "closed": it takes those in use, less time-wait, from those allocated.
    #[must_use]
    pub fn closed_in_ss(self) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        signed(self.allocated) - (signed(self.in_use) - signed(self.time_wait))
    }
}

/// How full one of the kernel's tables is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableUse {
    /// Which: `suspects`, `sockets`.
    pub name: &'static str,
    /// Its entries; `None` where they could not be counted.
    pub entries: Option<u64>,
    /// How many it has room for.
    pub most: u64,
}
