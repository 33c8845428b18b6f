//! What the stories have in common: their processes, their sockets, and how records come in.

use std::net::SocketAddr;
use std::time::Duration;

use crate::decode::tests::encoder::encode;
use crate::model::{
    BootTime, Comm, Cookie, Event, Family, Gap, GapPlace, Held, KernelAddr, Mark, Owner, Record,
    Role, Seqs, Socket, Suspect, Task, TcpState, Tgid, Tid, Touch, TouchOp, Unheld,
};

pub(super) const ORDERS: Task = Task {
    tgid: Tgid(812),
    tid: Tid(815),
    comm: Comm(*b"orders\0\0\0\0\0\0\0\0\0\0"),
};
pub(super) const HELPER: Task = Task {
    tgid: Tgid(900),
    tid: Tid(900),
    comm: Comm(*b"orders-helper\0\0\0"),
};
pub(super) const NASTY: Task = Task {
    tgid: Tgid(66),
    tid: Tid(66),
    comm: Comm(*b"\"}\n\x1b[2J\x9b\xff\x7f\0\0\0\0\0\0"),
};

/// Records as they come in, with the numbers that the ring buffer's have.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) records: Vec<Vec<u8>>,
    next: [u64; 4],
}

impl Scene {
    /// The agent starts and finds nothing.
    pub(super) fn begin() -> Self {
        let mut scene = Self::default();
        scene.truth(1_000, &[], true);
        scene.tick(1_001);
        scene
    }

    fn push(&mut self, at: u64, event: &Event) {
        self.records.push(encode(&Record {
            at: seconds(at),
            event: *event,
        }));
    }

    /// A record that came through the ring buffer.
    pub(super) fn ring(&mut self, at: u64, cpu: u32, event: &Event) {
        let next = &mut self.next[usize::try_from(cpu).unwrap()];
        let mut record = encode(&Record {
            at: seconds(at),
            event: *event,
        });
        record[16..24].copy_from_slice(&next.to_ne_bytes());
        record[24..28].copy_from_slice(&cpu.to_ne_bytes());
        record[28..32].copy_from_slice(&1_u32.to_ne_bytes());
        *next += 1;
        self.records.push(record);
    }

    fn mark(&mut self, at: u64, mark: Mark) {
        self.push(at, &Event::Mark(mark));
    }

    pub(super) fn tick(&mut self, at: u64) {
        self.mark(at, Mark::Tick);
    }

    pub(super) fn gap(&mut self, at: u64, place: GapPlace, lost: u64) {
        self.push(at, &Event::Gap(Gap { place, lost }));
    }

    pub(super) fn walk(&mut self, at: u64, suspects: &[Suspect], oldest_young: Option<u64>) {
        self.tick(at);
        self.mark(at, Mark::WalkBegin);
        for suspect in suspects {
            self.push(at, &Event::Suspect(*suspect));
        }
        self.mark(
            at,
            Mark::WalkEnd {
                oldest_young: oldest_young.map(seconds),
            },
        );
    }

    pub(super) fn truth(&mut self, at: u64, holders: &[Held], complete: bool) {
        self.mark(at, Mark::TruthBegin);
        for held in holders {
            self.push(at, &Event::Held(*held));
        }
        self.mark(at, Mark::TruthEnd { complete });
    }

    pub(super) fn truth_with_queue(&mut self, at: u64, holders: &[Held], queued: &[Unheld]) {
        self.mark(at, Mark::TruthBegin);
        for held in holders {
            self.push(at, &Event::Held(*held));
        }
        for unheld in queued {
            self.push(at, &Event::Unheld(*unheld));
        }
        self.mark(at, Mark::TruthEnd { complete: true });
    }
}

pub(super) fn seconds(since_boot: u64) -> BootTime {
    BootTime(since_boot * 1_000_000_000)
}

pub(super) fn accepted(cookie: u64, state: TcpState) -> Socket {
    Socket {
        cookie: Cookie(cookie),
        cookie_synthetic: false,
        kaddr: KernelAddr(cookie << 12),
        netns: 4_026_531_840,
        inode: Some(90_000 + u32::try_from(cookie % 1_000).unwrap()),
        family: Family::V4,
        state,
        no_socket: false,
        dead: false,
        established_once: true,
        local: SocketAddr::from(([10, 0, 0, 5], 8080)),
        peer: SocketAddr::from(([10, 0, 0, 9], 52_114)),
    }
}

pub(super) fn suspect(socket: Socket, seqs: Seqs, since: u64) -> Suspect {
    let read = |tid, op| Touch {
        at: seconds(1_009),
        tgid: Tgid(812),
        tid: Tid(tid),
        op,
    };
    Suspect {
        socket,
        seqs,
        seqs_since: seqs,
        since: seconds(since),
        since_seen: true,
        progress: false,
        asked: false,
        episode: 0,
        error: None,
        owner: Owner {
            role: Role::Accepted,
            opener: Some(ORDERS),
            opened: Some(seconds(1_005)),
            touches: [
                Some(read(816, TouchOp::Eof)),
                Some(read(815, TouchOp::Send)),
                None,
            ],
            eof_read: Some(true),
        },
    }
}

pub(super) fn held(socket: Socket, seqs: Seqs, task: Task, fd: u32) -> Held {
    Held {
        socket,
        seqs,
        task: Task {
            tid: Tid(task.tgid.0),
            ..task
        },
        task_started: seconds(u64::from(task.tgid.0)),
        fd,
        error: None,
        ack_backlog: 0,
        max_ack_backlog: 0,
        idle: Some(Duration::from_mins(1)),
        listed: None,
    }
}

pub(super) fn unheld(socket: Socket, seqs: Seqs) -> Unheld {
    Unheld {
        socket,
        seqs,
        idle: Some(Duration::from_mins(1)),
        listed: None,
    }
}
