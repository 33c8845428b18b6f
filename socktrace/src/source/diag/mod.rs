//! The kernel's tables without eBPF: `sock_diag` for sockets, links in /proc for who holds them.
//!
//! * [`netlink`]: the table of TCP sockets of our network namespace.
//! * [`read`]: the same records as a reading of the truth through eBPF gives, as far as that goes.
//!
//! A socket in `TCP_CLOSE` is in no table, and nothing tells one whose connection is over from one that
//! was never connected. It is counted as [`Seen::unlisted`], never told as a leak.

mod descriptors;
pub mod netlink;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use crate::model::{BootTime, Cookie, Event, Held, KernelAddr, Record, Socket, TcpState, Unheld};
use crate::verdict::can_leak;
use descriptors::{Descriptor, Processes};
use netlink::{Answer, States};

/// What can be seen without eBPF.
#[derive(Debug, Default)]
pub struct Seen {
    /// Who holds what, and who waits in a queue.
    pub records: Vec<Record>,
    /// TCP sockets with a descriptor that no table lists: their connections are over, or they were never
    /// connected.
    pub unlisted: u64,
    /// Processes whose descriptors may not be looked at.
    pub hidden: u64,
    /// Sockets in CLOSE_WAIT or FIN_WAIT2 that one of those holds.
    pub unowned: u64,
    /// Processes in other network namespaces, whose sockets are in other tables.
    pub elsewhere: u64,
}

/// Reads the table of sockets and the descriptors of every process that lets us.
///
/// # Errors
///
/// If the kernel does not answer questions about sockets.
pub fn read(proc: &Path, netns: u32, at: BootTime) -> io::Result<Seen> {
    let mut seen = Seen::default();
    let mut by_inode = HashMap::new();
    netlink::table(States::ALL, &mut |answer| {
        if answer.inode != 0 {
            by_inode.insert(answer.inode, answer);
        } else if answer.state == TcpState::CloseWait {
            // Released sockets leave CLOSE_WAIT: without an inode it waits to be accepted.
            seen.records.push(unheld(&answer, netns, at));
        }
    })?;
    let mut unlisted = Vec::new();
    let mut processes = Processes::new(proc);
    let mut owned = HashSet::new();
    processes.each(&mut |descriptor| match by_inode.get(&descriptor.inode) {
        Some(answer) => {
            owned.insert(descriptor.inode);
            seen.records.push(held(answer, &descriptor, netns, at));
        }
        None => {
            if descriptor.is_tcp() {
                unlisted.push(descriptor.inode);
            }
        }
    });
    seen.hidden = processes.hidden;
    let unowned = |answer: &&Answer| can_leak(answer.state) && !owned.contains(&answer.inode);
    seen.unowned = by_inode.values().filter(unowned).count() as u64;
    seen.elsewhere = processes.elsewhere;
    unlisted.sort_unstable();
    unlisted.dedup();
    if !unlisted.is_empty() {
        // What was opened after the first look is in the table by now.
        let mut now = HashSet::new();
        netlink::table(States::ALL, &mut |answer| {
            now.insert(answer.inode);
        })?;
        unlisted.retain(|inode| !now.contains(inode));
    }
    seen.unlisted = u64::try_from(unlisted.len()).unwrap_or(u64::MAX);
    Ok(seen)
}

fn held(answer: &Answer, descriptor: &Descriptor<'_>, netns: u32, at: BootTime) -> Record {
    let listens = answer.state == TcpState::Listen;
    Record {
        at,
        event: Event::Held(Held {
            socket: socket(answer, netns),
            seqs: if listens {
                crate::model::Seqs::default()
            } else {
                answer.seqs()
            },
            task: descriptor.task,
            task_started: descriptor.started,
            fd: descriptor.fd,
            error: None,
            // For a listener the queues are those of connections (net/ipv4/tcp_diag.c).
            ack_backlog: if listens { answer.rx_queue } else { 0 },
            max_ack_backlog: if listens { answer.tx_queue } else { 0 },
            idle: answer.idle,
            listed: None,
        }),
    }
}

fn unheld(answer: &Answer, netns: u32, at: BootTime) -> Record {
    Record {
        at,
        event: Event::Unheld(Unheld {
            socket: socket(answer, netns),
            seqs: answer.seqs(),
            idle: answer.idle,
            listed: None,
        }),
    }
}

fn socket(answer: &Answer, netns: u32) -> Socket {
    Socket {
        cookie: Cookie(answer.cookie),
        cookie_synthetic: false,
        // No address is told; the cookie tells sockets apart as well.
        kaddr: KernelAddr(answer.cookie),
        netns,
        inode: (answer.inode != 0).then_some(answer.inode),
        family: answer.family,
        state: answer.state,
        no_socket: answer.inode == 0,
        dead: false,
        established_once: !matches!(
            answer.state,
            TcpState::Listen | TcpState::SynSent | TcpState::Close
        ),
        local: answer.local,
        peer: answer.peer,
    }
}
