//! Values to test with, as short as can be: tests change what they are about.

use super::{
    Blame, BootTime, Comm, Cookie, Family, KernelAddr, Kind, Leak, OwnerVia, Phase, Role, Seqs,
    Socket, TcpState, Tgid,
};

/// A socket in `CLOSE_WAIT`.
pub(crate) fn socket(cookie: u64) -> Socket {
    Socket {
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
    }
}

/// A line at `at` of the finding of socket `cookie`, a suspect since `since`, put down to nobody.
pub(crate) fn leak(at: BootTime, since: BootTime, cookie: u64, phase: Phase) -> Leak {
    Leak {
        phase,
        at,
        kind: Kind::CloseWait,
        diagnosis: None,
        socket: socket(cookie),
        seqs: Seqs::default(),
        since,
        since_seen: true,
        episode: 0,
        role: Role::Accepted,
        holders: Vec::new(),
        blame: None,
        uses: Vec::new(),
        queue: None,
    }
}

/// Blame for holding a socket.
pub(crate) fn blame(pid: u32, started: BootTime, name: &[u8]) -> Blame {
    Blame {
        tgid: Tgid(pid),
        started,
        comm: Comm::from_bytes(name),
        tid: None,
        via: OwnerVia::Holder,
        fd: 5,
    }
}
