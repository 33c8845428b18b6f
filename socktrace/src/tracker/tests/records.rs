//! Records for tests, from short descriptions.

use std::time::Duration;

use crate::model::{
    Accept, BootTime, Comm, Event, Family, Held, KernelAddr, Listed, Owner, Release, Role, Seqs,
    Socket, StateChange, Suspect, Task, TcpState, Tgid, Tid, Touch, TouchOp, Unheld, samples,
};

use super::script::EPOCH;

/// A socket in a script: `c1:10/3@5,close,rx=2`. See [`Spec::attribute`] for what can follow.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) socket: Socket,
    pub(super) seqs: Seqs,
    base: Option<Seqs>,
    seen_as: SeenAs,
    since: BootTime,
    found: bool,
    progress: bool,
    episode: u32,
    error: Option<u32>,
    idle: Option<Duration>,
    started: u64,
    by: Option<Task>,
    old: TcpState,
    backlog: u32,
    listed: Option<Listed>,
    owner: Owner,
    comm: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum SeenAs {
    Held(u32, u32),
    Unheld,
    Kept,
}

impl Spec {
    /// Socket `cookie` in `CLOSE_WAIT`, the peer's FIN unread.
    pub(super) fn new(cookie: u64) -> Self {
        let seqs = Seqs {
            rcv_nxt: 1001,
            copied_seq: 1000,
            write_seq: 5000,
            snd_una: 5000,
        };
        Self {
            socket: Socket {
                kaddr: KernelAddr(0xffff_0000 + cookie),
                peer: ([127, 0, 0, 1], 5000).into(),
                ..samples::socket(cookie)
            },
            seqs,
            base: None,
            seen_as: SeenAs::Kept,
            since: BootTime(EPOCH),
            found: false,
            progress: false,
            episode: 0,
            error: None,
            idle: None,
            started: 0,
            by: None,
            old: TcpState::CloseWait,
            backlog: 1,
            listed: None,
            owner: Owner::default(),
            comm: "test",
        }
    }

    #[track_caller]
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = text.split(',');
        let head = parts.next().expect("a socket");
        let (head, since) = head.split_once('@').unwrap_or((head, "0"));
        let (name, seen_as) = head.split_once(':').unwrap_or((head, "?"));
        let mut spec = if name == "L" {
            let mut spec = Self::new(1_000_000);
            spec.socket.state = TcpState::Listen;
            spec.socket.peer = ([0, 0, 0, 0], 0).into();
            spec
        } else {
            Self::new(
                name.strip_prefix('c')
                    .and_then(|n| n.parse().ok())
                    .expect("cN"),
            )
        };
        spec.since = BootTime(EPOCH + secs(since));
        spec.seen_as = match seen_as {
            "?" => SeenAs::Kept,
            "-" => SeenAs::Unheld,
            _ => {
                let (tgid, fd) = pair(seen_as);
                SeenAs::Held(tgid, fd)
            }
        };
        if matches!(spec.seen_as, SeenAs::Unheld) {
            spec.socket.no_socket = true;
        }
        parts.for_each(|part| spec.attribute(part));
        spec
    }

    #[track_caller]
    fn attribute(&mut self, part: &str) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let number = || value.parse::<u32>().expect("a number");
        match name {
            // The state.
            "close" => self.socket.state = TcpState::Close,
            "fw2" => self.socket.state = TcpState::FinWait2,
            "state" => self.socket.state = value.parse().expect("a state"),
            "old" => self.old = value.parse().expect("a state"),
            "dead" => self.socket.dead = true,
            "queued" => self.socket.no_socket = true,
            "never" => self.socket.established_once = false,
            "nopeer" => self.socket.peer = ([0, 0, 0, 0], 0).into(),
            "err" => self.error = Some(number()),
            "ino" => self.socket.inode = Some(number()),
            // The addresses.
            "local" => self.socket.local = value.parse().expect("an address"),
            "netns" => self.socket.netns = number(),
            "v6" => self.socket.family = Family::V6,
            // The streams now; `base` gives the same at `since`.
            "rx" => self.seqs.copied_seq = self.seqs.rcv_nxt.wrapping_sub(number()),
            "w" => self.seqs.write_seq = self.seqs.write_seq.wrapping_add(number()),
            "a" => self.seqs.snd_una = self.seqs.snd_una.wrapping_add(number()),
            "base" => {
                let copied_seq = self.seqs.rcv_nxt.wrapping_sub(number());
                self.base = Some(Seqs {
                    copied_seq,
                    ..self.seqs
                });
            }
            // What the table of suspects knows of it.
            "new" => self.listed = Some(Listed::Not),
            "waits" => self.listed = Some(Listed::Waiting),
            "told" => self.listed = Some(Listed::Told),
            // A suspect's.
            "found" => self.found = true,
            "prog" => self.progress = true,
            "ep" => self.episode = number(),
            // Who.
            "by" => self.by = Some(task(value)),
            "start" => self.started = secs(value),
            "comm" => self.comm = if value == "a" { "a" } else { "b" },
            "idle" => self.idle = Some(Duration::from_nanos(secs(value))),
            "b" => self.backlog = number(),
            "acc" => self.opened(Role::Accepted, value),
            "con" => self.opened(Role::Connected, value),
            "used" => self.used(value, TouchOp::Recv),
            "eof" => self.owner.eof_read = Some(true),
            "noeof" => self.owner.eof_read = Some(false),
            _ => panic!("no such attribute: {part}"),
        }
    }

    fn opened(&mut self, role: Role, value: &str) {
        self.owner.role = role;
        self.owner.opener = Some(task(value));
        self.owner.opened = Some(BootTime(EPOCH));
    }

    fn used(&mut self, value: &str, op: TouchOp) {
        let Task { tgid, tid, .. } = task(value);
        self.owner.touches[0] = Some(Touch {
            at: BootTime(EPOCH),
            tgid,
            tid,
            op,
        });
    }

    pub(super) fn suspect(&self, asked: bool) -> Event {
        Event::Suspect(Suspect {
            socket: self.socket,
            seqs: self.seqs,
            seqs_since: self.base.unwrap_or(self.seqs),
            since: self.since,
            since_seen: !self.found,
            progress: self.progress,
            asked,
            episode: self.episode,
            error: self.error,
            owner: self.owner,
        })
    }

    /// What a reading shows of it.
    pub(super) fn sight(&self) -> Event {
        match self.seen_as {
            SeenAs::Kept => self.suspect(true),
            SeenAs::Unheld => Event::Unheld(Unheld {
                socket: self.socket,
                seqs: self.seqs,
                idle: self.idle,
                listed: self.listed,
            }),
            SeenAs::Held(tgid, fd) => Event::Held(Held {
                socket: self.socket,
                seqs: self.seqs,
                task: Task {
                    tgid: Tgid(tgid),
                    tid: Tid(tgid),
                    comm: Comm::from_bytes(self.comm.as_bytes()),
                },
                task_started: BootTime(self.started),
                fd,
                error: self.error,
                ack_backlog: self.backlog,
                max_ack_backlog: 128,
                idle: self.idle,
                listed: self.listed,
            }),
        }
    }

    pub(super) fn release(&self, exiting: bool) -> Event {
        Event::Release(Release {
            socket: self.socket,
            seqs: self.seqs,
            bytes_received: 0,
            bytes_acked: 0,
            task: self.by,
            exiting,
            opened: None,
        })
    }

    pub(super) fn change(&self) -> Event {
        Event::StateChange(StateChange {
            socket: self.socket,
            seqs: self.seqs,
            bytes_received: 0,
            bytes_acked: 0,
            old: self.old,
            error: self.error,
        })
    }

    #[track_caller]
    pub(super) fn accepted(&self) -> Event {
        let task = self.by.expect("by=");
        Event::Accept(Accept {
            socket: self.socket,
            task,
        })
    }
}

/// Seconds, as in a script, in nanoseconds.
#[track_caller]
pub(super) fn secs(text: &str) -> u64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let millis: u64 = format!("{part:0<3}").parse().expect("milliseconds");
    (whole.parse::<u64>().expect("seconds") * 1000 + millis) * 1_000_000
}

#[track_caller]
fn pair(text: &str) -> (u32, u32) {
    let (a, b) = text.split_once('/').expect("a/b");
    (a.parse().expect("a number"), b.parse().expect("a number"))
}

#[track_caller]
fn task(text: &str) -> Task {
    let (tgid, tid) = pair(text);
    Task {
        tgid: Tgid(tgid),
        tid: Tid(tid),
        comm: Comm::from_bytes(b"test"),
    }
}
