//! One of everything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Blame, BootTime, Closed, Comm, Connect, Container, Cookie, Diagnosis, Family, Finding,
    GapPlace, Holder, HookReport, Host, KernelAddr, Kind, Leak, Lifecycle, LifecycleEvent,
    Membership, OwnerVia, Phase, Place, Process, Queue, Release, Role, ScanGroup, ScanSummary,
    Scanned, Seqs, Socket, SocketCounts, SocketUse, StateChange, Status, StatusReason, Support,
    Task, TcpState, Tgid, Thread, Tid, UseOp,
};

/// A moment `secs` after boot.
pub(in crate::schema) fn at(secs: u64) -> BootTime {
    BootTime(secs * 1_000_000_000)
}

/// A host that was booted at 2026-11-22T13:37:25.123456Z, 5200 s before the samples' 15:04:05.
pub(in crate::schema) fn host() -> Host {
    Host {
        name: "db-7".into(),
        id: "7a1c0d0ce4b04b0f9d5e6f708192a3b4".into(),
        boot_id: "0f3b7a52-9d0e-4b7e-8a54-1f4f0b8f2c11".into(),
        wall_minus_boot_ns: 1_795_354_645_123_456_789,
        agent_started: at(10),
    }
}

/// A socket in `state`, 10.0.0.5:8080 being ours.
pub(in crate::schema) fn socket(state: TcpState) -> Socket {
    Socket {
        cookie: Cookie(4711),
        cookie_synthetic: false,
        kaddr: KernelAddr(0xffff_8881_0000_1000),
        netns: 4_026_531_840,
        inode: Some(90_210),
        family: Family::V4,
        state,
        no_socket: false,
        dead: false,
        established_once: true,
        local: addr("10.0.0.5:8080"),
        peer: addr("10.0.0.9:52114"),
    }
}

/// A parsed address; one that is no address is none of a socket's.
pub(in crate::schema) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap_or(([0, 0, 0, 0], 0).into())
}

/// A thread of process 812.
pub(in crate::schema) fn task(tid: u32, comm: &str) -> Task {
    Task {
        tgid: Tgid(812),
        tid: Tid(tid),
        comm: Comm::from_bytes(comm.as_bytes()),
    }
}

/// The (process, descriptor) `pid`, `fd`.
pub(in crate::schema) fn holder(pid: u32, fd: u32) -> Holder {
    let comm = Comm::from_bytes(b"orders");
    Holder {
        tgid: Tgid(pid),
        fd,
        comm,
        started: at(u64::from(pid)),
    }
}

/// The finding of the specification's example.
pub(in crate::schema) fn finding() -> Finding {
    Finding {
        leak: Leak {
            phase: Phase::Open,
            at: at(5200),
            kind: Kind::CloseWait,
            diagnosis: Some(Diagnosis::EofUnread),
            socket: socket(TcpState::CloseWait),
            seqs: Seqs {
                rcv_nxt: 1001,
                copied_seq: 1000,
                write_seq: 77,
                snd_una: 77,
            },
            since: at(5139),
            since_seen: true,
            episode: 0,
            role: Role::Accepted,
            holders: vec![holder(812, 37)],
            blame: Some(Blame {
                tgid: Tgid(812),
                started: at(812),
                comm: Comm::from_bytes(b"orders"),
                tid: Some(Tid(815)),
                via: OwnerVia::LastIo,
                fd: 37,
            }),
            uses: Vec::new(),
            queue: None,
        },
        process: Some(process()),
        thread: Some(Thread {
            tid: Tid(815),
            name: Some(b"worker-2".to_vec()),
        }),
        user_names: Vec::new(),
        netns_name: Some(Arc::from(&b"blue"[..])),
        membership: Some(Membership {
            episode: 0,
            held_back: 0,
        }),
    }
}

/// A thread that read, and one that accepted at a time that is not known.
pub(in crate::schema) fn uses() -> Vec<SocketUse> {
    let used = |tid, at, op| SocketUse {
        at,
        tgid: Tgid(812),
        tid: Tid(tid),
        op,
    };
    vec![
        used(815, Some(at(5138)), UseOp::Recv),
        used(812, None, UseOp::Accept),
    ]
}

/// Process 812, with everything known about it.
pub(in crate::schema) fn process() -> Process {
    let container = "c0ffee00".repeat(8);
    Process {
        tgid: Tgid(812),
        started: at(812),
        name: b"orders".to_vec(),
        executable: Some(b"/srv/orders".to_vec()),
        command_line: Some(b"/srv/orders --config /etc/orders.toml".to_vec()),
        uid: Some(1000),
        parent: Some(Tgid(1)),
        cgroup: Some(format!("/system.slice/docker-{container}.scope").into_bytes()),
        place: Place {
            unit: Some(format!("docker-{container}.scope").into_bytes()),
            container: Some(Container {
                id: container,
                runtime: Some("docker"),
            }),
            pod_uid: Some("9a2f0c1e-5b7d-4f60-8a11-2233445566ff".into()),
        },
    }
}

/// A finding with everything that may be unknown unknown.
pub(in crate::schema) fn bare_finding() -> Finding {
    let mut finding = finding();
    finding.process = None;
    finding.thread = None;
    finding.netns_name = None;
    finding.leak.blame = None;
    finding.leak.holders.clear();
    finding.leak.diagnosis = None;
    finding.leak.role = Role::Unknown;
    finding.leak.since_seen = false;
    finding.leak.socket.inode = None;
    finding.membership = None;
    finding
}

/// A connection in an accept queue, its listener being descriptor 3.
pub(in crate::schema) fn unaccepted() -> Finding {
    let mut finding = finding();
    finding.leak.kind = Kind::Unaccepted;
    finding.leak.diagnosis = None;
    finding.leak.socket.inode = None;
    finding.leak.socket.no_socket = true;
    finding.leak.role = Role::Unknown;
    finding.leak.holders = vec![holder(812, 3)];
    finding.leak.queue = Some(Queue {
        waiting: 129,
        backlog: 128,
    });
    finding.leak.blame = finding.leak.blame.map(|blame| Blame {
        via: OwnerVia::Listener,
        fd: 3,
        tid: None,
        ..blame
    });
    finding.thread = None;
    finding
}

/// An event of `trace`, 5200 s after boot.
pub(in crate::schema) fn lifecycle(what: LifecycleEvent, role: Role) -> Lifecycle {
    let (in_state, lifetime) = match &what {
        LifecycleEvent::StateChange(_) => (Some(Duration::from_micros(61_250)), None),
        LifecycleEvent::Release(_) => (None, Some(Duration::from_secs(90))),
        LifecycleEvent::Connect(_) | LifecycleEvent::Accept(_) => (None, None),
    };
    let owner = Some(task(815, "worker-2"));
    Lifecycle {
        at: at(5200),
        what,
        owner,
        role,
        in_state,
        lifetime,
    }
}

/// A connection made, in 1.5 ms.
pub(in crate::schema) fn connect(state: TcpState) -> LifecycleEvent {
    LifecycleEvent::Connect(Connect {
        socket: socket(state),
        task: task(815, "worker-2"),
        started: at(5200).before(Duration::from_micros(1_500)),
    })
}

/// A change of state, of a connection that received 2 KiB and sent 1 KiB.
pub(in crate::schema) fn change(
    old: TcpState,
    new: TcpState,
    error: Option<u32>,
) -> LifecycleEvent {
    LifecycleEvent::StateChange(StateChange {
        socket: socket(new),
        seqs: Seqs::default(),
        bytes_received: 2048,
        bytes_acked: 1024,
        old,
        error,
    })
}

/// A release of a connection that received 2 KiB and sent 1 KiB.
pub(in crate::schema) fn release() -> LifecycleEvent {
    LifecycleEvent::Release(Release {
        socket: socket(TcpState::CloseWait),
        seqs: Seqs::default(),
        bytes_received: 2048,
        bytes_acked: 1024,
        task: Some(task(815, "worker-2")),
        exiting: false,
        opened: Some(at(5110)),
    })
}

/// Three hooks, one of each kind.
pub(in crate::schema) fn hooks() -> Vec<HookReport> {
    vec![
        HookReport {
            purpose: "state_change",
            support: Support::Ok,
            used: "tp_btf/inet_sock_set_state".into(),
            lost: String::new(),
            cure: String::new(),
        },
        HookReport {
            purpose: "release",
            support: Support::Fallback,
            used: "cgroup/sock_release".into(),
            lost: "sockets of kernel threads are not seen".into(),
            cure: "allow fentry".into(),
        },
        HookReport {
            purpose: "accept",
            support: Support::Missing,
            used: String::new(),
            lost: "the accepting thread is unknown until it reads".into(),
            cure: String::new(),
        },
    ]
}

/// A status that tells everything.
pub(in crate::schema) fn status(reason: StatusReason) -> Status {
    let started = reason == StatusReason::Started;
    let lost = BTreeMap::from([(GapPlace::Ring, 12), (GapPlace::Owners, 0)]);
    Status {
        at: at(5200),
        reason,
        hooks: if started { hooks() } else { Vec::new() },
        lost: if started { BTreeMap::new() } else { lost },
        tracked: 20,
        open: 1,
        untracked: 0,
        unproven: if started { 0 } else { 3 },
        held_back: if started { 0 } else { 180 },
        without_incident: 0,
    }
}

/// What `scan` sees of [`finding`].
pub(in crate::schema) fn scanned(kind: Kind) -> Scanned {
    Scanned {
        at: at(5200),
        kind,
        diagnosis: Some(Diagnosis::EofUnread),
        socket: socket(TcpState::CloseWait),
        seqs: finding().leak.seqs,
        idle: Some(Duration::from_secs(61)),
        holders: vec![holder(813, 37), holder(812, 37)],
        process: Some(Arc::new(process())),
        netns_name: Some(Arc::from(&b"blue"[..])),
    }
}

/// What a scan says of a machine.
pub(in crate::schema) fn summary() -> ScanSummary {
    ScanSummary {
        at: at(5200),
        source: "ebpf",
        closed: Closed::Seen {
            over: 2,
            never_connected: 5,
        },
        counts: Some(SocketCounts {
            in_use: 8,
            time_wait: 3,
            allocated: 20,
        }),
        fin_wait2: (1..=12)
            .map(|n: u8| ([10, 0, 0, n].into(), u64::from(20 - n)))
            .collect(),
        missing: Vec::new(),
    }
}

/// The same where little can be seen.
pub(in crate::schema) fn bare_summary() -> ScanSummary {
    ScanSummary {
        source: "sock_diag",
        closed: Closed::Unlisted(7),
        counts: None,
        fin_wait2: Vec::new(),
        missing: vec!["leaks of the kind closed_held".into()],
        ..summary()
    }
}

/// Two groups.
pub(in crate::schema) fn groups() -> [ScanGroup; 2] {
    [
        ScanGroup {
            key: b"orders[812]".to_vec(),
            count: 1204,
        },
        ScanGroup {
            key: b"nginx[77]".to_vec(),
            count: 3,
        },
    ]
}
