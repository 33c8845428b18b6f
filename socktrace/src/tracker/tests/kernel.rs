//! A simulated kernel: sockets, who holds them, the table of suspects, and the records it all makes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::records::Spec;
use crate::model::{
    BootTime, Comm, Cookie, Event, Held, KernelAddr, Listed, Owner, Release, Role, Seqs, Socket,
    StateChange, Suspect, Task, TcpState, Tgid, Tid, Unheld,
};
use crate::verdict::made_progress;

/// A process and a descriptor.
pub(super) type Fd = (u32, u32);

/// The thread of a process that opens sockets.
pub(super) fn thread_of(process: u32) -> Task {
    Task {
        tgid: Tgid(process),
        tid: Tid(process + 1),
        comm: Comm::default(),
    }
}

/// The kernel.
pub(super) struct Kernel {
    pub(super) now: BootTime,
    pub(super) leak_after: Duration,
    pub(super) socks: BTreeMap<Cookie, Sock>,
    /// Records on their way through the ring buffer.
    pub(super) ring: Vec<(BootTime, Event)>,
    /// How many suspects the table has room for.
    pub(super) table: usize,
    /// Suspects that found no room and were not told of.
    pub(super) suspects_lost: usize,
    next: u64,
}

/// A socket that has not been released.
#[derive(Clone)]
pub(super) struct Sock {
    pub(super) socket: Socket,
    pub(super) seqs: Seqs,
    pub(super) holders: BTreeSet<Fd>,
    /// When it came into its kind of state, or last moved bytes.
    pub(super) quiet_since: BootTime,
    error: Option<u32>,
    /// Who opened it, as the table of owners has it.
    owner: Option<Task>,
    suspect: Option<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    since: BootTime,
    seqs: Seqs,
    found: bool,
    reported: bool,
    episode: u32,
}

impl Sock {
    pub(super) fn queued(&self) -> bool {
        self.socket.no_socket
    }

    pub(super) fn leaks(&self) -> bool {
        match self.socket.state {
            TcpState::CloseWait => true,
            TcpState::Close | TcpState::FinWait2 => !self.queued(),
            _ => false,
        }
    }

    /// Who opened it, if a walk tells or would tell: what the agent can know.
    pub(super) fn known_owner(&self) -> Option<Task> {
        self.suspect.and(self.owner)
    }

    fn listed(&self) -> Listed {
        match self.suspect {
            Some(entry) if entry.reported => Listed::Told,
            Some(entry) if !entry.found => Listed::Waiting,
            _ => Listed::Not,
        }
    }

    fn suspect(&self, progress: bool, asked: bool) -> Option<Event> {
        self.suspect.map(|entry| {
            Event::Suspect(Suspect {
                socket: self.socket,
                seqs: self.seqs,
                seqs_since: entry.seqs,
                since: entry.since,
                since_seen: !entry.found,
                progress,
                asked,
                episode: entry.episode,
                error: self.error,
                owner: Owner {
                    opener: self.owner,
                    role: self.owner.map_or(Role::Unknown, |_| Role::Accepted),
                    ..Owner::default()
                },
            })
        })
    }
}

impl Kernel {
    pub(super) fn new(now: BootTime, leak_after: Duration) -> Self {
        Self {
            now,
            leak_after,
            socks: BTreeMap::new(),
            ring: Vec::new(),
            table: usize::MAX,
            suspects_lost: 0,
            next: 0,
        }
    }

    /// Another agent starts: its tables are empty, and nothing of the old one's is left.
    pub(super) fn restart(&mut self) {
        self.ring.clear();
        self.suspects_lost = 0;
        for sock in self.socks.values_mut() {
            sock.suspect = None;
            sock.owner = None;
        }
    }

    fn has_room(&self) -> bool {
        let taken = self.socks.values().filter(|sock| sock.suspect.is_some());
        taken.count() < self.table
    }

    /// A socket comes into a state, in a process, or in an accept queue; `owned` says whether there is room
    /// in the table of owners.
    pub(super) fn create(
        &mut self,
        state: TcpState,
        process: Option<u32>,
        unread: u32,
        owned: bool,
    ) {
        self.next += 1;
        let Spec {
            mut socket,
            mut seqs,
            ..
        } = Spec::new(self.next);
        socket.kaddr = KernelAddr(self.next % 3);
        socket.state = state;
        socket.no_socket = process.is_none();
        seqs.copied_seq = seqs.rcv_nxt.wrapping_sub(unread);
        let fd = u32::try_from(self.next).unwrap_or_default();
        let suspect = self.has_room().then_some(Entry {
            since: self.now,
            seqs,
            found: false,
            reported: false,
            episode: 0,
        });
        self.suspects_lost += usize::from(suspect.is_none());
        let owner = process.filter(|_| owned).map(thread_of);
        let sock = Sock {
            socket,
            seqs,
            holders: process.map(|process| (process, fd)).into_iter().collect(),
            quiet_since: self.now,
            error: None,
            owner,
            suspect,
        };
        self.socks.insert(socket.cookie, sock);
    }

    pub(super) fn accept(&mut self, cookie: Cookie, process: u32) {
        let Some(sock) = self.socks.get_mut(&cookie) else {
            return;
        };
        if sock.queued() {
            sock.socket.no_socket = false;
            sock.owner = Some(thread_of(process));
            sock.holders.insert((process, 9_000));
        }
    }

    pub(super) fn dup(&mut self, cookie: Cookie, fd: Fd) {
        if let Some(sock) = self.socks.get_mut(&cookie).filter(|sock| !sock.queued()) {
            sock.holders.insert(fd);
        }
    }

    /// Closes one descriptor. The last one releases the socket.
    pub(super) fn close(&mut self, cookie: Cookie, exiting: bool) {
        let Some(sock) = self.socks.get_mut(&cookie) else {
            return;
        };
        let Some((tgid, _)) = sock.holders.pop_first() else {
            return;
        };
        if !sock.holders.is_empty() {
            return;
        }
        let task = Task {
            tgid: Tgid(tgid),
            tid: Tid(tgid),
            comm: Comm::default(),
        };
        let release = Event::Release(Release {
            socket: sock.socket,
            seqs: sock.seqs,
            bytes_received: 0,
            bytes_acked: 0,
            task: Some(task),
            exiting,
            opened: None,
        });
        let suspect = sock.suspect;
        self.socks.remove(&cookie);
        self.stream(suspect, release);
    }

    /// The peer, the program or a timer moves the socket to another state.
    pub(super) fn change(&mut self, cookie: Cookie, state: TcpState, error: Option<u32>) {
        let (now, room) = (self.now, self.has_room());
        let Some(sock) = self.socks.get_mut(&cookie) else {
            return;
        };
        let old = std::mem::replace(&mut sock.socket.state, state);
        if state == TcpState::LastAck {
            sock.seqs.write_seq = sock.seqs.write_seq.wrapping_add(1);
        } else if old == TcpState::LastAck {
            sock.seqs.snd_una = sock.seqs.write_seq;
        }
        sock.error = error;
        let event = Event::StateChange(StateChange {
            socket: sock.socket,
            seqs: sock.seqs,
            bytes_received: 0,
            bytes_acked: 0,
            old,
            error,
        });
        let was = sock.suspect;
        if state == TcpState::LastAck {
            // In a moment TCP is over, and then it is the same suspect as before.
            return;
        }
        if sock.suspect.is_none() && !room {
            self.suspects_lost += 1;
        } else if sock.suspect.is_none() {
            sock.suspect = Some(Entry {
                since: now,
                seqs: sock.seqs,
                found: false,
                reported: false,
                episode: 0,
            });
        }
        self.stream(was, event);
    }

    /// The program sends its FIN and keeps the descriptor.
    pub(super) fn shutdown(&mut self, cookie: Cookie) {
        if self.socks.get(&cookie).is_some_and(|sock| !sock.queued()) {
            self.change(cookie, TcpState::LastAck, None);
        }
    }

    /// The program reads at most `count` numbers: the end, if nothing else is left, is no byte.
    pub(super) fn read(&mut self, cookie: Cookie, count: u32) {
        let now = self.now;
        let Some(sock) = self.socks.get_mut(&cookie).filter(|sock| !sock.queued()) else {
            return;
        };
        let unread = sock.seqs.rx_queue();
        sock.seqs.copied_seq = sock.seqs.copied_seq.wrapping_add(count.min(unread));
        if unread > 1 {
            sock.quiet_since = now;
        }
    }

    pub(super) fn write(&mut self, cookie: Cookie) {
        let now = self.now;
        let Some(sock) = self.socks.get_mut(&cookie) else {
            return;
        };
        if sock.socket.state == TcpState::CloseWait && !sock.queued() {
            sock.seqs.write_seq = sock.seqs.write_seq.wrapping_add(7);
            sock.seqs.snd_una = sock.seqs.write_seq;
            sock.quiet_since = now;
        }
    }

    /// A walk: what it tells, and the oldest of the young.
    pub(super) fn walk(&mut self) -> (Vec<Event>, Option<BootTime>) {
        let (now, leak_after) = (self.now, self.leak_after);
        let (mut told, mut oldest_young) = (Vec::new(), None::<BootTime>);
        for sock in self.socks.values_mut() {
            let (seqs, state) = (sock.seqs, sock.socket.state);
            let Some(entry) = sock.suspect.as_mut() else {
                continue;
            };
            let moved = made_progress(entry.seqs, seqs, state);
            let was_reported = entry.reported;
            if moved {
                *entry = Entry {
                    since: sock.quiet_since,
                    seqs,
                    found: false,
                    reported: false,
                    episode: entry.episode + u32::from(was_reported),
                };
            }
            let ripe = entry.found || now.since(entry.since) >= leak_after;
            let progress = moved && was_reported;
            let tell = progress || (ripe && !entry.reported);
            if !ripe {
                oldest_young = Some(oldest_young.map_or(entry.since, |at| at.min(entry.since)));
            }
            if tell {
                entry.reported |= ripe;
                told.extend(sock.suspect(progress, false));
            }
        }
        (told, oldest_young)
    }

    /// What a reading shows of one socket. A held one that the table does not have is put there.
    pub(super) fn sights(&mut self, cookie: Cookie) -> Vec<Event> {
        let (now, room) = (self.now, self.has_room());
        let shown = |sock: &&mut Sock| sock.leaks() || sock.socket.state == TcpState::LastAck;
        let Some(sock) = self.socks.get_mut(&cookie).filter(shown) else {
            return Vec::new();
        };
        let listed = Some(sock.listed());
        if room && sock.leaks() {
            sock.suspect.get_or_insert(Entry {
                since: now,
                seqs: sock.seqs,
                found: true,
                reported: false,
                episode: 0,
            });
        }
        let idle = Some(now.since(sock.quiet_since));
        if sock.queued() {
            return vec![Event::Unheld(Unheld {
                socket: sock.socket,
                seqs: sock.seqs,
                idle,
                listed,
            })];
        }
        let held = |&(tgid, fd): &Fd| {
            Event::Held(Held {
                socket: sock.socket,
                seqs: sock.seqs,
                task: Task {
                    tgid: Tgid(tgid),
                    tid: Tid(tgid),
                    comm: Comm::default(),
                },
                task_started: BootTime(1),
                fd,
                error: sock.error,
                ack_backlog: 0,
                max_ack_backlog: 0,
                idle,
                listed,
            })
        };
        sock.holders.iter().map(held).collect()
    }

    /// The answer for a socket that was asked for.
    pub(super) fn answer(&self, cookie: Cookie) -> Option<Event> {
        self.socks
            .get(&cookie)
            .and_then(|sock| sock.suspect(false, true))
    }

    /// Streams a record about a suspect that has been told of, or is about to be.
    #[expect(clippy::large_types_passed_by_value, reason = "it is kept")]
    fn stream(&mut self, suspect: Option<Entry>, event: Event) {
        let old = |entry: Entry| {
            entry.found || entry.reported || self.now.since(entry.since) >= self.leak_after
        };
        if suspect.is_some_and(old) {
            self.ring.push((self.now, event));
        }
    }
}
