//! Random records of every kind.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proptest::array::uniform3;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::wire::HZ;
use crate::model::{
    Accept, BootTime, Comm, Connect, Cookie, Event, Family, Gap, GapPlace, Held, KernelAddr,
    Listed, Mark, Owner, Record, Release, Role, Seqs, Socket, StateChange, Suspect, Task, TcpState,
    Tgid, Tid, Touch, TouchOp, Unheld,
};

/// Any record that the wire can carry.
pub(super) fn record() -> BoxedStrategy<Record> {
    let event = prop_oneof![
        state_change(),
        connect().prop_map(Event::Connect),
        (socket(), task()).prop_map(|(socket, task)| Event::Accept(Accept { socket, task })),
        release(),
        suspect(),
        held(),
        (idle_socket(), seqs(), listed()).prop_map(|((socket, idle), seqs, listed)| {
            Event::Unheld(Unheld {
                socket,
                seqs,
                idle,
                listed,
            })
        }),
        gap(),
        mark(),
    ];
    (any::<u64>(), event)
        .prop_map(|(at, event)| Record {
            at: BootTime(at),
            event,
        })
        .boxed()
}

fn state_change() -> BoxedStrategy<Event> {
    (socket(), seqs(), any::<[u64; 2]>(), state(), errno())
        .prop_map(
            |(socket, seqs, [bytes_received, bytes_acked], old, error)| {
                Event::StateChange(StateChange {
                    socket,
                    seqs,
                    bytes_received,
                    bytes_acked,
                    old,
                    error,
                })
            },
        )
        .boxed()
}

fn connect() -> BoxedStrategy<Connect> {
    (socket(), task(), any::<u64>())
        .prop_map(|(socket, task, started)| Connect {
            socket,
            task,
            started: BootTime(started),
        })
        .boxed()
}

fn release() -> BoxedStrategy<Event> {
    (
        socket(),
        seqs(),
        any::<[u64; 2]>(),
        of(task()),
        any::<bool>(),
        moment(),
    )
        .prop_map(
            |(socket, seqs, [bytes_received, bytes_acked], task, exiting, opened)| {
                Event::Release(Release {
                    socket,
                    seqs,
                    bytes_received,
                    bytes_acked,
                    task,
                    exiting,
                    opened,
                })
            },
        )
        .boxed()
}

fn suspect() -> BoxedStrategy<Event> {
    let numbers = (any::<u64>(), any::<u32>(), errno());
    (
        socket(),
        seqs(),
        seqs(),
        any::<[bool; 3]>(),
        numbers,
        owner(),
    )
        .prop_map(
            |(socket, seqs, seqs_since, [since_seen, progress, asked], numbers, owner)| {
                let (since, episode, error) = numbers;
                Event::Suspect(Suspect {
                    socket,
                    seqs,
                    seqs_since,
                    since: BootTime(since),
                    since_seen,
                    progress,
                    asked,
                    episode,
                    error,
                    owner,
                })
            },
        )
        .boxed()
}

fn held() -> BoxedStrategy<Event> {
    let numbers = (any::<u64>(), any::<[u32; 3]>(), errno());
    (idle_socket(), seqs(), task(), numbers, listed())
        .prop_map(|((socket, idle), seqs, task, numbers, listed)| {
            let (started, [fd, ack_backlog, max_ack_backlog], error) = numbers;
            let task_started = BootTime(started);
            Event::Held(Held {
                socket,
                seqs,
                task,
                task_started,
                fd,
                error,
                ack_backlog,
                max_ack_backlog,
                idle,
                listed,
            })
        })
        .boxed()
}

fn listed() -> BoxedStrategy<Option<Listed>> {
    let listed = select(vec![Listed::Not, Listed::Waiting, Listed::Told]);
    of(listed).boxed()
}

fn gap() -> BoxedStrategy<Event> {
    let places = vec![
        GapPlace::Ring,
        GapPlace::Suspects,
        GapPlace::Owners,
        GapPlace::Decode,
        GapPlace::Tracker,
        GapPlace::Missed,
        GapPlace::Queues,
    ];
    (select(places), any::<u64>())
        .prop_map(|(place, lost)| Event::Gap(Gap { place, lost }))
        .boxed()
}

fn mark() -> BoxedStrategy<Event> {
    let mark = prop_oneof![
        Just(Mark::WalkBegin),
        moment().prop_map(|oldest_young| Mark::WalkEnd { oldest_young }),
        Just(Mark::TruthBegin),
        any::<bool>().prop_map(|complete| Mark::TruthEnd { complete }),
        Just(Mark::Tick),
    ];
    mark.prop_map(Event::Mark).boxed()
}

/// A socket, and how long it has been idle: known if it was a connection once.
fn idle_socket() -> BoxedStrategy<(Socket, Option<Duration>)> {
    let tick = Duration::from_secs(1) / HZ.hz;
    (socket(), any::<u32>())
        .prop_map(move |(socket, jiffies)| {
            (socket, socket.established_once.then(|| tick * jiffies))
        })
        .boxed()
}

fn socket() -> BoxedStrategy<Socket> {
    let names = (any::<[u64; 2]>(), any::<[u32; 2]>());
    (names, any::<[bool; 4]>(), state(), ends())
        .prop_map(
            |(([cookie, kaddr], [netns, inode]), flags, state, (family, local, peer))| {
                let [cookie_synthetic, no_socket, dead, established_once] = flags;
                Socket {
                    cookie: Cookie(cookie),
                    cookie_synthetic,
                    kaddr: KernelAddr(kaddr),
                    netns,
                    inode: (inode != 0).then_some(inode),
                    family,
                    state,
                    no_socket,
                    dead,
                    established_once,
                    local,
                    peer,
                }
            },
        )
        .boxed()
}

fn ends() -> BoxedStrategy<(Family, SocketAddr, SocketAddr)> {
    let v4 = || any::<std::net::Ipv4Addr>().prop_map(IpAddr::V4);
    let v6 = || any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_canonical());
    let pair = prop_oneof![
        (Just(Family::V4), v4(), v4()),
        (Just(Family::V6), v4(), v4()),
        (Just(Family::V6), v6(), v6()),
        (Just(Family::V6), v6(), v4()),
    ];
    (pair, any::<[u16; 2]>())
        .prop_map(|((family, local, peer), [lport, rport])| {
            (
                family,
                SocketAddr::new(local, lport),
                SocketAddr::new(peer, rport),
            )
        })
        .boxed()
}

fn state() -> BoxedStrategy<TcpState> {
    select(&TcpState::ALL[..]).boxed()
}

fn seqs() -> BoxedStrategy<Seqs> {
    any::<[u32; 4]>()
        .prop_map(|[rcv_nxt, copied_seq, write_seq, snd_una]| Seqs {
            rcv_nxt,
            copied_seq,
            write_seq,
            snd_una,
        })
        .boxed()
}

fn owner() -> BoxedStrategy<Owner> {
    let role = select(vec![Role::Unknown, Role::Connected, Role::Accepted]);
    (
        role,
        of(task()),
        moment(),
        uniform3(of(touch())),
        any::<Option<bool>>(),
    )
        .prop_map(|(role, opener, opened, touches, eof_read)| Owner {
            role,
            opener,
            opened,
            touches,
            eof_read,
        })
        .boxed()
}

fn touch() -> BoxedStrategy<Touch> {
    let op = select(vec![TouchOp::Recv, TouchOp::Send, TouchOp::Eof]);
    (1..=u64::MAX, 1..=u32::MAX, any::<u32>(), op)
        .prop_map(|(at, tgid, tid, op)| Touch {
            at: BootTime(at),
            tgid: Tgid(tgid),
            tid: Tid(tid),
            op,
        })
        .boxed()
}

fn task() -> BoxedStrategy<Task> {
    let name = proptest::collection::vec(1..=u8::MAX, 0..=16);
    (1..=u32::MAX, any::<u32>(), name)
        .prop_map(|(tgid, tid, name)| Task {
            tgid: Tgid(tgid),
            tid: Tid(tid),
            comm: Comm::from_bytes(&name),
        })
        .boxed()
}

fn moment() -> BoxedStrategy<Option<BootTime>> {
    any::<u64>()
        .prop_map(|at| (at != 0).then_some(BootTime(at)))
        .boxed()
}

fn errno() -> BoxedStrategy<Option<u32>> {
    prop_oneof![Just(None), (1..=u32::MAX).prop_map(Some)].boxed()
}
