//! What leaves the core with names added: findings, lifecycle events, status, scan results.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Accept, BootTime, Comm, Connect, Diagnosis, GapPlace, Holder, Kind, Leak, Membership, Place,
    Release, Role, Seqs, Socket, StateChange, Task, Tgid, Tid,
};

/// The machine and this run of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// `/etc/machine-id`, empty where there is none.
    pub id: String,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Wall clock minus boot clock, nanoseconds.
    pub wall_minus_boot_ns: i128,
    /// When this agent started.
    pub agent_started: BootTime,
}

/// Facts about a process from /proc. Byte strings are as the process chose them: untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process.
    pub tgid: Tgid,
    /// When it started.
    pub started: BootTime,
    /// `comm` of the leader.
    pub name: Vec<u8>,
    /// Target of `exe`; absent for kernel threads and where it may not be read.
    pub executable: Option<Vec<u8>>,
    /// `cmdline`, NULs turned into spaces.
    pub command_line: Option<Vec<u8>>,
    /// Real user id.
    pub uid: Option<u32>,
    /// Parent process.
    pub parent: Option<Tgid>,
    /// Path in the unified cgroup hierarchy, or in the systemd one.
    pub cgroup: Option<Vec<u8>>,
    /// What its cgroups are named after.
    pub place: Place,
}

impl Process {
    /// What the kernel told of it, without a look at /proc.
    #[must_use]
    pub fn as_told(tgid: Tgid, started: BootTime, name: Comm) -> Self {
        Self {
            tgid,
            started,
            name: name.as_bytes().to_vec(),
            executable: None,
            command_line: None,
            uid: None,
            parent: None,
            cgroup: None,
            place: Place::default(),
        }
    }
}

/// A thread and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Thread.
    pub tid: Tid,
    /// Its `comm`, where it could still be read.
    pub name: Option<Vec<u8>>,
}

/// A [`Leak`] with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The leak.
    pub leak: Leak,
    /// The blamed process, as far as it could be read.
    pub process: Option<Process>,
    /// The blamed thread.
    pub thread: Option<Thread>,
    /// Names of the threads in `leak.uses`, in that order, where they could still be read; empty if nobody
    /// looked.
    pub user_names: Vec<Option<Vec<u8>>>,
    /// What the socket's network namespace is called, where it has a name.
    pub netns_name: Option<Arc<[u8]>>,
    /// The incident it belongs to; `None` where there was no room for one.
    pub membership: Option<Membership>,
}

/// One event in a socket's life, for `trace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// When.
    pub at: BootTime,
    /// What happened.
    pub what: LifecycleEvent,
    /// Who opened the socket (connect, accept) or released it; `None` where nobody is known.
    pub owner: Option<Task>,
    /// How the connection came to be.
    pub role: Role,
    /// Time spent in the state that was left.
    pub in_state: Option<Duration>,
    /// Time since the connection was connected or accepted.
    pub lifetime: Option<Duration>,
}

/// See [`Lifecycle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifecycleEvent {
    /// A connect() ended.
    Connect(Connect),
    /// A connection was accepted.
    Accept(Accept),
    /// A TCP state was left for another.
    StateChange(StateChange),
    /// The owner released it.
    Release(Release),
}

impl LifecycleEvent {
    /// Its name in events.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::Connect(_) => "socket.connect",
            Self::Accept(_) => "socket.accept",
            Self::StateChange(_) => "socket.state_change",
            Self::Release(_) => "socket.release",
        }
    }

    /// The socket it is about.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Connect(event) => &event.socket,
            Self::Accept(event) => &event.socket,
            Self::StateChange(event) => &event.socket,
            Self::Release(event) => &event.socket,
        }
    }
}

/// How well a hook or a capability is served on this kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// The best way.
    Ok,
    /// Another way; something may be lost or cost more.
    Fallback,
    /// Not at all.
    Missing,
}

impl Support {
    /// Name in `doctor` and status events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fallback => "fallback",
            Self::Missing => "missing",
        }
    }
}

/// What serves one purpose on this kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookReport {
    /// The purpose: `state_change`, `release`, `accept`, `connect`, `last_io`, `holders` …
    pub purpose: &'static str,
    /// How well it is served.
    pub support: Support,
    /// What serves it: `fentry/inet_release`, say; empty if nothing does.
    pub used: String,
    /// What is lost without the better way; empty if nothing is.
    pub lost: String,
    /// What to do about it; empty if there is nothing to do.
    pub cure: String,
}

/// The agent's own health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// When.
    pub at: BootTime,
    /// Why it is told.
    pub reason: StatusReason,
    /// What is attached; told at the start only.
    pub hooks: Vec<HookReport>,
    /// Losses since the start, by place.
    pub lost: BTreeMap<GapPlace, u64>,
    /// Sockets tracked now.
    pub tracked: u64,
    /// Findings open now.
    pub open: u64,
    /// Possible leaks that there was no room to track.
    pub untracked: u64,
    /// Suspects that are old enough, but which no descriptor was seen to refer to.
    pub unproven: u64,
    /// Lines of findings held back since the start.
    pub held_back: u64,
    /// Findings that no incident had room for, since the start.
    pub without_incident: u64,
}

/// See [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusReason {
    /// Everything is attached.
    Started,
    /// Records were lost (a sweep follows), or findings had no room in any incident.
    Gap,
    /// The number of old suspects that nobody was seen to hold has changed.
    Unproven,
    /// Another configuration counts.
    Reloaded,
    /// Another configuration was to count and cannot: the old one goes on.
    ReloadFailed,
    /// The agent stops.
    Stopped,
}

impl StatusReason {
    /// Name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Gap => "gap",
            Self::Unproven => "unproven",
            Self::Reloaded => "reloaded",
            Self::ReloadFailed => "reload_failed",
            Self::Stopped => "stopped",
        }
    }
}

/// One leaked socket seen by `scan`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// When it was seen.
    pub at: BootTime,
    /// What kind.
    pub kind: Kind,
    /// Why, as far as one look can tell.
    pub diagnosis: Option<Diagnosis>,
    /// The socket.
    pub socket: Socket,
    /// Its streams.
    pub seqs: Seqs,
    /// A lower bound of how long nothing has moved.
    pub idle: Option<Duration>,
    /// Everybody who holds it (for `unaccepted`, its listener).
    pub holders: Vec<Holder>,
    /// The oldest holder, with names.
    pub process: Option<Arc<Process>>,
    /// What the socket's network namespace is called, where it has a name.
    pub netns_name: Option<Arc<[u8]>>,
}

/// One line of `scan --by`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanGroup {
    /// The value grouped by: `orders[812]`, `10.0.0.9`, `CLOSE_WAIT` …, escaped by the printer.
    pub key: Vec<u8>,
    /// How many leaked sockets.
    pub count: u64,
}
