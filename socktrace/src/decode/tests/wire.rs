//! Wire records to start from.

use socktrace_common::wire::{
    self, Header, WIRE_VERSION, header_flag, kind, role, sock_flag, touch_op,
};
use zerocopy::{Immutable, IntoBytes};

use crate::decode::{DecodeContext, DecodeError, decode};
use crate::model::Record;

/// Jiffies a second in these tests.
pub(crate) const HZ: DecodeContext = DecodeContext { hz: 250 };

/// The bytes of a wire structure.
pub(crate) fn bytes(wire: &(impl IntoBytes + Immutable)) -> Vec<u8> {
    wire.as_bytes().to_vec()
}

/// Decodes a wire structure.
pub(crate) fn read(wire: &(impl IntoBytes + Immutable)) -> Result<Record, DecodeError> {
    decode(wire.as_bytes(), HZ)
}

/// The smallest record of the ring buffer, with its number.
pub(crate) fn sequenced(cpu: u32, seq: u64) -> Vec<u8> {
    let mut accept = accept();
    accept.header.flags = header_flag::SEQUENCED;
    accept.header.cpu = cpu;
    accept.header.seq = seq;
    bytes(&accept)
}

pub(crate) fn header<W>(kind: u16) -> Header {
    let len = u32::try_from(size_of::<W>()).unwrap();
    Header {
        version: WIRE_VERSION,
        kind,
        len,
        boot_ns: 1_000,
        seq: 0,
        cpu: 0,
        flags: 0,
    }
}

pub(crate) fn sock() -> wire::Sock {
    wire::Sock {
        kaddr: 0xffff_8881_0000_0000,
        cookie: 4711,
        netns: 4_026_531_840,
        inode: 90_210,
        family: 2,
        lport: 8080,
        rport: 52_114,
        state: 8,
        flags: sock_flag::ESTABLISHED_ONCE,
        laddr: mapped([10, 0, 0, 5]),
        raddr: mapped([10, 0, 0, 9]),
    }
}

pub(crate) fn mapped([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

pub(crate) fn task() -> wire::Task {
    wire::Task {
        tgid: 812,
        tid: 815,
        comm: *b"orders\0\0\0\0\0\0\0\0\0\0",
    }
}

pub(crate) fn touch() -> wire::Touch {
    let op = touch_op::RECV;
    wire::Touch {
        boot_ns: 900,
        runtime_task: 0,
        tgid: 812,
        tid: 816,
        op,
        reserved: 0,
    }
}

pub(crate) fn owner() -> wire::Owner {
    wire::Owner {
        opened_ns: 500,
        task: task(),
        role: role::ACCEPTED,
        flags: 0,
        touches: [touch(), wire::Touch::default(), wire::Touch::default()],
    }
}

pub(crate) fn state_change() -> wire::StateChange {
    wire::StateChange {
        header: header::<wire::StateChange>(kind::STATE_CHANGE),
        sock: sock(),
        seqs: wire::Seqs::default(),
        bytes_received: 0,
        bytes_acked: 0,
        old_state: 1,
        sk_err: 0,
    }
}

pub(crate) fn connect() -> wire::Connect {
    let header = header::<wire::Connect>(kind::CONNECT);
    wire::Connect {
        header,
        sock: sock(),
        task: task(),
        started_ns: 400,
    }
}

pub(crate) fn accept() -> wire::Accept {
    wire::Accept {
        header: header::<wire::Accept>(kind::ACCEPT),
        sock: sock(),
        task: task(),
    }
}

pub(crate) fn release() -> wire::Release {
    wire::Release {
        header: header::<wire::Release>(kind::RELEASE),
        sock: sock(),
        seqs: wire::Seqs::default(),
        bytes_received: 0,
        bytes_acked: 0,
        task: task(),
        opened_ns: 500,
        flags: 0,
        reserved: 0,
    }
}

pub(crate) fn suspect() -> wire::Suspect {
    wire::Suspect {
        header: header::<wire::Suspect>(kind::SUSPECT),
        sock: sock(),
        seqs: wire::Seqs::default(),
        seqs_since: wire::Seqs::default(),
        since_ns: 700,
        sk_err: 0,
        flags: 0,
        episode: 0,
        reserved: 0,
        owner: owner(),
    }
}

pub(crate) fn held() -> wire::Held {
    wire::Held {
        header: header::<wire::Held>(kind::HELD),
        sock: sock(),
        seqs: wire::Seqs::default(),
        task: task(),
        fd: 37,
        sk_err: 0,
        ack_backlog: 0,
        max_ack_backlog: 0,
        shutdown: 1,
        idle_jiffies: 250,
        task_start_ns: 100,
    }
}

pub(crate) fn unheld() -> wire::Unheld {
    let header = header::<wire::Unheld>(kind::UNHELD);
    let seqs = wire::Seqs::default();
    wire::Unheld {
        header,
        sock: sock(),
        seqs,
        idle_jiffies: 250,
        reserved: 0,
    }
}

pub(crate) fn gap() -> wire::Gap {
    wire::Gap {
        header: header::<wire::Gap>(kind::GAP),
        place: 1,
        reserved: 0,
        lost: 3,
    }
}

pub(crate) fn mark() -> wire::Mark {
    wire::Mark {
        header: header::<wire::Mark>(kind::MARK),
        what: 5,
        reserved: 0,
        value: 0,
    }
}

/// The bytes of one good record of each kind, with the kind's name in errors.
pub(crate) fn every_kind() -> [(&'static str, Vec<u8>); 9] {
    [
        ("state change", bytes(&state_change())),
        ("connect", bytes(&connect())),
        ("accept", bytes(&accept())),
        ("release", bytes(&release())),
        ("suspect", bytes(&suspect())),
        ("held", bytes(&held())),
        ("unheld", bytes(&unheld())),
        ("gap", bytes(&gap())),
        ("mark", bytes(&mark())),
    ]
}
