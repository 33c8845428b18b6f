//! The stories that the stored recordings tell, record by record, as the kernel and the agent would.

use std::net::SocketAddr;

use super::stage::{HELPER, NASTY, ORDERS, Scene, accepted, held, seconds, suspect, unheld};
use crate::model::{
    Cookie, Event, Family, GapPlace, Held, KernelAddr, Owner, Release, Seqs, Socket, StateChange,
    Suspect, TcpState,
};

/// Every stored recording: its name and its records.
pub(super) fn scenes() -> [(&'static str, Vec<Vec<u8>>); 5] {
    [
        ("close_wait", close_wait()),
        ("closed_held", closed_held()),
        ("unaccepted", unaccepted()),
        ("progress", progress()),
        ("losses", losses()),
    ]
}

/// A server reads the end of a connection, keeps it for over a minute in two processes, and closes it
/// when it is found out. Its neighbour's connection is still young when the first walk comes by.
fn close_wait() -> Vec<Vec<u8>> {
    let mut scene = Scene::begin();
    let socket = accepted(4711, TcpState::CloseWait);
    let seqs = Seqs {
        rcv_nxt: 101,
        copied_seq: 101,
        write_seq: 501,
        snd_una: 501,
    };
    scene.walk(1_030, &[], Some(1_010));
    let found = suspect(socket, seqs, 1_010);
    scene.walk(1_070, &[found], None);
    let holders = [
        held(socket, seqs, ORDERS, 37),
        held(socket, seqs, HELPER, 4),
    ];
    scene.truth(1_070, &holders, true);
    scene.tick(1_100);
    let release = Release {
        socket,
        seqs,
        bytes_received: 100,
        bytes_acked: 500,
        task: Some(ORDERS),
        exiting: false,
        opened: Some(seconds(1_005)),
    };
    scene.ring(1_130, 0, &Event::Release(release));
    scene.truth(1_130, &[], true);
    scene.tick(1_140);
    scene.records
}

/// The peer of a leaked connection resets it: the leak goes on under another kind, until the process
/// dies.
fn closed_held() -> Vec<Vec<u8>> {
    let mut scene = Scene::begin();
    let socket = accepted(4712, TcpState::CloseWait);
    let seqs = Seqs {
        rcv_nxt: 101,
        copied_seq: 51,
        write_seq: 501,
        snd_una: 501,
    };
    let found = Suspect {
        since_seen: false,
        ..suspect(socket, seqs, 1_001)
    };
    scene.walk(1_061, &[found], None);
    scene.truth(1_061, &[held(socket, seqs, ORDERS, 38)], true);
    let closed = Socket {
        state: TcpState::Close,
        ..socket
    };
    let change = StateChange {
        socket: closed,
        seqs,
        bytes_received: 100,
        bytes_acked: 500,
        old: TcpState::CloseWait,
        error: Some(104),
    };
    scene.ring(1_080, 1, &Event::StateChange(change));
    scene.truth(1_080, &[held(closed, seqs, ORDERS, 38)], true);
    let release = Release {
        socket: closed,
        seqs,
        bytes_received: 100,
        bytes_acked: 500,
        task: Some(ORDERS),
        exiting: true,
        opened: None,
    };
    scene.ring(1_200, 0, &Event::Release(release));
    scene.tick(1_201);
    scene.records
}

/// Nobody takes connections from a queue: two have been hung up on in it, one is then accepted.
fn unaccepted() -> Vec<Vec<u8>> {
    let mut scene = Scene::begin();
    let seqs = Seqs {
        rcv_nxt: 2,
        copied_seq: 1,
        write_seq: 1,
        snd_una: 1,
    };
    let queued = [4713, 4714].map(|cookie| Socket {
        inode: None,
        no_socket: true,
        ..accepted(cookie, TcpState::CloseWait)
    });
    let walked = queued.map(|socket| Suspect {
        owner: Owner::default(),
        ..suspect(socket, seqs, 1_005)
    });
    scene.walk(1_065, &walked, None);
    let listener = Socket {
        cookie: Cookie(17),
        kaddr: KernelAddr(17 << 12),
        state: TcpState::Listen,
        inode: Some(80_001),
        no_socket: false,
        established_once: false,
        local: SocketAddr::from(([0, 0, 0, 0], 8080)),
        peer: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..queued[0]
    };
    let waits = Held {
        ack_backlog: 2,
        max_ack_backlog: 128,
        idle: None,
        ..held(listener, Seqs::default(), ORDERS, 3)
    };
    scene.truth_with_queue(1_065, &[waits], &queued.map(|socket| unheld(socket, seqs)));
    let taken = Socket {
        inode: Some(90_214),
        no_socket: false,
        ..queued[1]
    };
    let waits = Held {
        ack_backlog: 1,
        ..waits
    };
    let holders = [waits, held(taken, seqs, ORDERS, 39)];
    scene.truth_with_queue(1_365, &holders, &[unheld(queued[0], seqs)]);
    scene.records
}

/// A leak that is none in the end: the program goes on writing, then leaks again.
fn progress() -> Vec<Vec<u8>> {
    let mut scene = Scene::begin();
    let socket = accepted(4715, TcpState::CloseWait);
    let before = Seqs {
        rcv_nxt: 101,
        copied_seq: 100,
        write_seq: 501,
        snd_una: 501,
    };
    let after = Seqs {
        write_seq: 900,
        snd_una: 900,
        ..before
    };
    scene.walk(1_070, &[suspect(socket, before, 1_010)], None);
    scene.truth(1_070, &[held(socket, before, ORDERS, 40)], true);
    let moved = Suspect {
        seqs_since: before,
        progress: true,
        episode: 1,
        ..suspect(socket, after, 1_100)
    };
    scene.walk(1_100, &[moved], None);
    let again = Suspect {
        episode: 1,
        ..suspect(socket, after, 1_100)
    };
    scene.walk(1_160, &[again], None);
    scene.truth(1_160, &[held(socket, after, ORDERS, 40)], true);
    scene.records
}

/// Records were lost, a reading of the truth failed on the way, and a process has a nasty name.
fn losses() -> Vec<Vec<u8>> {
    let mut scene = Scene::begin();
    let socket = Socket {
        family: Family::V6,
        local: "[2001:db8::5]:8443".parse().unwrap(),
        peer: "[2001:db8::9]:40000".parse().unwrap(),
        cookie_synthetic: true,
        ..accepted(0x8000_0000_0000_126c, TcpState::CloseWait)
    };
    let seqs = Seqs {
        rcv_nxt: 0,
        copied_seq: u32::MAX,
        write_seq: 5,
        snd_una: u32::MAX,
    };
    scene.gap(1_010, GapPlace::Ring, 12);
    scene.gap(1_010, GapPlace::Suspects, 1);
    scene.truth(1_011, &[], false);
    let holder = held(socket, seqs, NASTY, 1023);
    scene.truth(1_012, &[holder], true);
    let found = Suspect {
        since_seen: false,
        asked: true,
        ..suspect(socket, seqs, 1_012)
    };
    scene.walk(1_072, &[found], None);
    scene.truth(1_072, &[holder], true);
    scene.gap(1_080, GapPlace::Owners, 2);
    scene.gap(1_080, GapPlace::Decode, 3);
    scene.gap(1_080, GapPlace::Tracker, 4);
    let by_collector = Release {
        socket,
        seqs,
        bytes_received: 0,
        bytes_acked: 0,
        task: None,
        exiting: false,
        opened: None,
    };
    scene.ring(1_090, 3, &Event::Release(by_collector));
    scene.records
}
