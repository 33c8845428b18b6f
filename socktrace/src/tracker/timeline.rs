//! The lives of all sockets, for `trace`: who opened them and how long they have been in their state.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::time::Duration;

use crate::model::{
    Accept, BootTime, Connect, Cookie, Event, KernelAddr, Lifecycle, LifecycleEvent, Record,
    Release, Role, StateChange, Task, TcpState,
};

use super::Table;
use super::hasher::NumberHasher;

/// How many sockets whose connect() failed are remembered until their release.
const MOST_FAILED: usize = 64;

/// How many that are forgotten may stand in the order of those that live, besides as many as live.
const FORGOTTEN: usize = 1024;

/// Remembers, of every living socket, who opened it and when it last changed its state.
#[derive(Debug)]
pub struct Timeline {
    lives: Table<Life>,
    /// The sockets in the order they were first seen, each with its number. Those that are forgotten stay until
    /// they come to the front or are more than those that live: nothing is allocated for one more then.
    order: VecDeque<(u64, Cookie)>,
    next: u64,
    /// When connections that are being made for a listener were made. The kernel gives such a socket its
    /// cookie only after its first state change (`inet_csk_clone_lock`), so that change and the next one
    /// are connected by the address, a moment later.
    embryos: HashMap<KernelAddr, BootTime, BuildHasherDefault<NumberHasher>>,
    /// Sockets whose connect() failed, the last one last.
    failed: VecDeque<Cookie>,
    max: usize,
    evicted: u64,
}

#[derive(Debug)]
struct Life {
    order: u64,
    state: TcpState,
    changed: Option<BootTime>,
    opener: Option<Task>,
    role: Role,
    opened: Option<BootTime>,
    released: bool,
}

impl Timeline {
    /// Room for `max` sockets; the one first seen makes room for another.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            lives: Table::default(),
            order: VecDeque::new(),
            next: 0,
            embryos: HashMap::default(),
            failed: VecDeque::new(),
            max,
            evicted: 0,
        }
    }

    /// The record as an event in its socket's life; `None` if it is none.
    pub fn observe(&mut self, record: &Record) -> Option<Lifecycle> {
        match record.event {
            Event::StateChange(change) => Some(self.on_change(record.at, change)),
            Event::Connect(connect) => Some(self.on_connect(record.at, connect)),
            Event::Accept(accept) => Some(self.on_accept(record.at, accept)),
            Event::Release(release) => Some(self.on_release(record.at, release)),
            Event::Suspect(_)
            | Event::Held(_)
            | Event::Unheld(_)
            | Event::Gap(_)
            | Event::Mark(_) => None,
        }
    }

    /// How many sockets are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lives.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    /// How many were forgotten for lack of room while they lived.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn on_change(&mut self, at: BootTime, change: StateChange) -> Lifecycle {
        let socket = &change.socket;
        let what = LifecycleEvent::StateChange(change);
        if change.old == TcpState::Listen && socket.state == TcpState::SynRecv {
            self.conceive(socket.kaddr, at);
            return Lifecycle {
                at,
                what,
                owner: None,
                role: Role::Unknown,
                in_state: None,
                lifetime: None,
            };
        }
        let conceived = if change.old == TcpState::SynRecv {
            self.embryos.remove(&socket.kaddr)
        } else {
            None
        };
        let life = self.life(socket.cookie, socket.state);
        let in_state = life.changed.or(conceived).map(|changed| at.since(changed));
        life.changed = Some(at);
        life.state = socket.state;
        let told = Lifecycle {
            at,
            what,
            owner: life.opener,
            role: life.role,
            in_state,
            lifetime: life.opened.map(|opened| at.since(opened)),
        };
        // An orphan's end is its last event; a socket that somebody holds is released after it.
        let over = socket.state == TcpState::Close && (life.released || socket.no_socket);
        if over {
            self.forget(socket.cookie);
        } else if change.old == TcpState::SynSent && socket.state == TcpState::Close {
            self.note_failed(socket.cookie);
        }
        told
    }

    fn on_connect(&mut self, at: BootTime, connect: Connect) -> Lifecycle {
        let life = self.life(connect.socket.cookie, connect.socket.state);
        life.role = Role::Connected;
        life.opener = Some(connect.task);
        life.opened = Some(connect.started);
        Lifecycle {
            at,
            what: LifecycleEvent::Connect(connect),
            owner: Some(connect.task),
            role: Role::Connected,
            in_state: None,
            lifetime: Some(at.since(connect.started)),
        }
    }

    fn on_accept(&mut self, at: BootTime, accept: Accept) -> Lifecycle {
        let life = self.life(accept.socket.cookie, accept.socket.state);
        life.role = Role::Accepted;
        life.opener = Some(accept.task);
        life.opened = Some(at);
        Lifecycle {
            at,
            what: LifecycleEvent::Accept(accept),
            owner: Some(accept.task),
            role: Role::Accepted,
            in_state: None,
            lifetime: Some(Duration::ZERO),
        }
    }

    fn on_release(&mut self, at: BootTime, release: Release) -> Lifecycle {
        let cookie = release.socket.cookie;
        let life = self.lives.get_mut(&cookie);
        let opened = life
            .as_ref()
            .and_then(|life| life.opened)
            .or(release.opened);
        let told = Lifecycle {
            at,
            what: LifecycleEvent::Release(release),
            owner: release.task,
            role: life.as_ref().map_or(Role::Unknown, |life| life.role),
            in_state: life
                .as_ref()
                .and_then(|life| life.changed)
                .map(|changed| at.since(changed)),
            lifetime: opened.map(|opened| at.since(opened)),
        };
        if let Some(life) = life {
            life.released = true;
        }
        if release.socket.state == TcpState::Close {
            self.forget(cookie);
        }
        told
    }

    /// A connect() has failed. Where it waited for the answer the socket has no peer any more, and its release
    /// is not told: all but the last few are forgotten, or a client of a service that is down would push
    /// everybody else out.
    fn note_failed(&mut self, cookie: Cookie) {
        self.failed.push_back(cookie);
        if self.failed.len() <= MOST_FAILED {
            return;
        }
        let oldest = self.failed.pop_front();
        let is_closed = |life: &Life| life.state == TcpState::Close;
        if let Some(oldest) = oldest.filter(|cookie| self.lives.get(cookie).is_some_and(is_closed))
        {
            self.forget(oldest);
        }
    }

    fn conceive(&mut self, kaddr: KernelAddr, at: BootTime) {
        if self.embryos.len() >= self.max {
            // Such a socket leaves its state at once: these have lost their next record.
            self.embryos.clear();
        }
        self.embryos.insert(kaddr, at);
    }

    /// The life of a socket; it begins now if nothing was known.
    fn life(&mut self, cookie: Cookie, state: TcpState) -> &mut Life {
        if !self.lives.contains_key(&cookie) && self.lives.len() >= self.max {
            self.evict();
        }
        let (order, next) = (&mut self.order, &mut self.next);
        self.lives.entry(cookie).or_insert_with(|| {
            *next += 1;
            order.push_back((*next, cookie));
            Life {
                order: *next,
                state,
                changed: None,
                opener: None,
                role: Role::Unknown,
                opened: None,
                released: false,
            }
        })
    }

    fn evict(&mut self) {
        while let Some(first) = self.order.pop_front() {
            if self.remembers(first) {
                self.lives.remove(&first.1);
                self.evicted = self.evicted.saturating_add(1);
                return;
            }
        }
    }

    fn forget(&mut self, cookie: Cookie) {
        self.lives.remove(&cookie);
        if self.order.len() > 2 * self.lives.len() + FORGOTTEN {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|seen| self.remembers(*seen));
            self.order = order;
        }
    }

    /// Whether a socket is remembered still, and is the one that was seen then.
    fn remembers(&self, (order, cookie): (u64, Cookie)) -> bool {
        let life = self.lives.get(&cookie);
        life.is_some_and(|life| life.order == order)
    }
}
