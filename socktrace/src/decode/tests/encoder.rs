//! The way from the model back to the wire.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socktrace_common::wire::{
    self, owner_flag, release_flag, role, sock_flag, suspect_flag, touch_op,
};

use super::wire::{
    HZ, accept, bytes, connect, held, mapped, release, state_change, suspect, unheld,
};
use crate::decode::{gap_record, mark_record};
use crate::model::{
    Event, Family, Listed, Owner, Record, Role, Seqs, Socket, Task, Touch, TouchOp,
};

/// The bytes that decode to `record`, with [`HZ`] jiffies a second.
pub(crate) fn encode(record: &Record) -> Vec<u8> {
    let mut bytes = match &record.event {
        Event::StateChange(event) => bytes(&wire::StateChange {
            sock: to_sock(&event.socket),
            seqs: to_seqs(event.seqs),
            bytes_received: event.bytes_received,
            bytes_acked: event.bytes_acked,
            old_state: event.old as u32,
            sk_err: event.error.unwrap_or(0),
            ..state_change()
        }),
        Event::Connect(event) => bytes(&wire::Connect {
            sock: to_sock(&event.socket),
            task: to_task(Some(event.task)),
            started_ns: event.started.0,
            ..connect()
        }),
        Event::Accept(event) => bytes(&wire::Accept {
            sock: to_sock(&event.socket),
            task: to_task(Some(event.task)),
            ..accept()
        }),
        Event::Release(event) => bytes(&wire::Release {
            sock: to_sock(&event.socket),
            seqs: to_seqs(event.seqs),
            bytes_received: event.bytes_received,
            bytes_acked: event.bytes_acked,
            task: to_task(event.task),
            opened_ns: event.opened.map_or(0, |at| at.0),
            flags: bit(event.exiting, release_flag::EXITING)
                | bit(event.task.is_none(), release_flag::KTHREAD),
            ..release()
        }),
        Event::Suspect(event) => bytes(&wire::Suspect {
            sock: to_sock(&event.socket),
            seqs: to_seqs(event.seqs),
            seqs_since: to_seqs(event.seqs_since),
            since_ns: event.since.0,
            sk_err: event.error.unwrap_or(0),
            flags: bit(!event.since_seen, suspect_flag::FOUND)
                | bit(event.progress, suspect_flag::PROGRESS)
                | bit(event.asked, suspect_flag::ASKED),
            episode: event.episode,
            owner: to_owner(&event.owner),
            ..suspect()
        }),
        Event::Held(event) => bytes(&wire::Held {
            sock: to_sighted(&event.socket, event.listed),
            seqs: to_seqs(event.seqs),
            task: to_task(Some(event.task)),
            fd: event.fd,
            sk_err: event.error.unwrap_or(0),
            ack_backlog: event.ack_backlog,
            max_ack_backlog: event.max_ack_backlog,
            idle_jiffies: to_jiffies(event.idle),
            task_start_ns: event.task_started.0,
            ..held()
        }),
        Event::Unheld(event) => bytes(&wire::Unheld {
            sock: to_sighted(&event.socket, event.listed),
            seqs: to_seqs(event.seqs),
            idle_jiffies: to_jiffies(event.idle),
            ..unheld()
        }),
        Event::Gap(gap) => gap_record(record.at, *gap).to_vec(),
        Event::Mark(mark) => mark_record(record.at, *mark).to_vec(),
    };
    bytes[8..16].copy_from_slice(&record.at.0.to_ne_bytes());
    bytes
}

fn to_sock(socket: &Socket) -> wire::Sock {
    let octets = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => mapped(ip.octets()),
        IpAddr::V6(ip) => ip.octets(),
    };
    let bit = |set, flag: u8| if set { flag } else { 0 };
    wire::Sock {
        kaddr: socket.kaddr.0,
        cookie: socket.cookie.0,
        netns: socket.netns,
        inode: socket.inode.unwrap_or(0),
        family: if socket.family == Family::V4 { 2 } else { 10 },
        lport: socket.local.port(),
        rport: socket.peer.port(),
        state: socket.state as u8,
        flags: bit(socket.cookie_synthetic, sock_flag::COOKIE_SYNTHETIC)
            | bit(socket.no_socket, sock_flag::NO_SOCKET)
            | bit(socket.dead, sock_flag::DEAD)
            | bit(socket.established_once, sock_flag::ESTABLISHED_ONCE),
        laddr: octets(socket.local),
        raddr: octets(socket.peer),
    }
}

fn to_sighted(socket: &Socket, listed: Option<Listed>) -> wire::Sock {
    let sock = to_sock(socket);
    let listed = match listed {
        None => 0,
        Some(Listed::Not) => sock_flag::UNLISTED,
        Some(Listed::Waiting) => sock_flag::WAITING,
        Some(Listed::Told) => sock_flag::TOLD,
    };
    wire::Sock {
        flags: sock.flags | listed,
        ..sock
    }
}

fn to_seqs(seqs: Seqs) -> wire::Seqs {
    let Seqs {
        rcv_nxt,
        copied_seq,
        write_seq,
        snd_una,
    } = seqs;
    wire::Seqs {
        rcv_nxt,
        copied_seq,
        write_seq,
        snd_una,
    }
}

fn to_task(task: Option<Task>) -> wire::Task {
    let known = |task: Task| wire::Task {
        tgid: task.tgid.0,
        tid: task.tid.0,
        comm: task.comm.0,
    };
    task.map_or(wire::Task::default(), known)
}

fn to_owner(owner: &Owner) -> wire::Owner {
    wire::Owner {
        opened_ns: owner.opened.map_or(0, |at| at.0),
        task: to_task(owner.opener),
        role: match owner.role {
            Role::Unknown => role::UNKNOWN,
            Role::Connected => role::CONNECTED,
            Role::Accepted => role::ACCEPTED,
        },
        flags: match owner.eof_read {
            None => 0,
            Some(false) => owner_flag::EOF_VISIBLE,
            Some(true) => owner_flag::EOF_VISIBLE | owner_flag::EOF_READ,
        },
        touches: owner.touches.map(to_touch),
    }
}

fn to_touch(touch: Option<Touch>) -> wire::Touch {
    touch.map_or(wire::Touch::default(), |touch| wire::Touch {
        boot_ns: touch.at.0,
        runtime_task: 0,
        tgid: touch.tgid.0,
        tid: touch.tid.0,
        op: match touch.op {
            TouchOp::Recv => touch_op::RECV,
            TouchOp::Send => touch_op::SEND,
            TouchOp::Eof => touch_op::EOF,
        },
        reserved: 0,
    })
}

fn to_jiffies(idle: Option<Duration>) -> u32 {
    let nanos = idle.unwrap_or_default().as_nanos();
    u32::try_from(nanos * u128::from(HZ.hz) / 1_000_000_000).unwrap()
}

fn bit(set: bool, flag: u32) -> u32 {
    if set { flag } else { 0 }
}
