//! Leaks to count.

use crate::model::{
    Blame, BootTime, Comm, Cookie, Family, KernelAddr, Kind, Leak, OwnerVia, Phase, Role, Seqs,
    Socket, TcpState, Tgid,
};

fn s(n: u64) -> BootTime {
    BootTime(n * 1_000_000_000)
}

/// A line of the finding of socket `cookie`, open since 60 s, put down to a process with this name.
pub(in super::super) fn line(at: u64, cookie: u64, name: &[u8], phase: Phase) -> Leak {
    Leak {
        phase,
        at: s(at),
        kind: Kind::CloseWait,
        diagnosis: None,
        socket: Socket {
            cookie: Cookie(cookie),
            cookie_synthetic: false,
            kaddr: KernelAddr(cookie),
            netns: 1,
            inode: None,
            family: Family::V4,
            state: TcpState::CloseWait,
            no_socket: false,
            dead: false,
            established_once: true,
            local: ([127, 0, 0, 1], 80).into(),
            peer: ([10, 0, 0, 9], 5000).into(),
        },
        seqs: Seqs::default(),
        since: s(at.saturating_sub(60)),
        since_seen: true,
        episode: 0,
        role: Role::Accepted,
        holders: Vec::new(),
        blame: Some(Blame {
            tgid: Tgid(7),
            started: s(1),
            comm: Comm::from_bytes(name),
            tid: None,
            via: OwnerVia::Holder,
            fd: 5,
        }),
        uses: Vec::new(),
        queue: None,
    }
}

/// A leak that opens.
#[cfg(feature = "metrics")]
pub(in super::super) fn leak(at: u64, cookie: u64, name: &[u8]) -> Leak {
    line(at, cookie, name, Phase::Open)
}
