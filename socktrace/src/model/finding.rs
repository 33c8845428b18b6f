//! What the core tells the world: a leaked socket, from its opening to its resolution.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{BootTime, Comm, Held, Role, Seqs, Socket, Task, Tgid, Tid};

/// What kind of leak it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The peer's FIN has arrived, a descriptor is held, nothing moves.
    CloseWait,
    /// TCP is over and a descriptor is still held.
    ClosedHeld,
    /// CLOSE_WAIT in a listener's accept queue: no descriptor yet.
    Unaccepted,
    /// We sent FIN and hold the socket; the peer never closes.
    HalfClosed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::CloseWait,
        Self::ClosedHeld,
        Self::Unaccepted,
        Self::HalfClosed,
    ];

    /// Name on the command line and in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CloseWait => "close_wait",
            Self::ClosedHeld => "closed_held",
            Self::Unaccepted => "unaccepted",
            Self::HalfClosed => "half_closed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == s)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("no such kind; the kinds are {names}")
            })
    }
}

/// Why the program leaks, as far as the kernel can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Diagnosis {
    /// Bytes sit in the receive queue.
    UnreadData,
    /// All bytes were read, the end was not: the program is busy or stuck elsewhere.
    EofUnread,
    /// A read returned 0: the program saw the end and never closed.
    EofRead,
    /// Everything was read, the end perhaps with the last data: the kernel cannot tell.
    EofUnknown,
    /// The connection was reset.
    Reset,
    /// Both sides sent their FIN.
    AfterFin,
    /// The peer stopped answering.
    Timeout,
}

impl Diagnosis {
    /// Name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnreadData => "unread_data",
            Self::EofUnread => "eof_unread",
            Self::EofRead => "eof_read",
            Self::EofUnknown => "eof_unknown",
            Self::Reset => "reset",
            Self::AfterFin => "after_fin",
            Self::Timeout => "timeout",
        }
    }
}

/// A (process, descriptor) that refers to the socket now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process.
    pub tgid: Tgid,
    /// Descriptor.
    pub fd: u32,
    /// Name of the process.
    pub comm: Comm,
    /// When the process started; with the pid it names the process.
    pub started: BootTime,
}

impl From<&Held> for Holder {
    fn from(held: &Held) -> Self {
        Self {
            tgid: held.task.tgid,
            fd: held.fd,
            comm: held.task.comm,
            started: held.task_started,
        }
    }
}

/// What the blame rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerVia {
    /// The thread that last moved bytes.
    LastIo,
    /// The thread that accepted.
    Accept,
    /// The thread that connected.
    Connect,
    /// Nobody was seen: the oldest holder.
    Holder,
    /// A holder of the listener.
    Listener,
}

impl OwnerVia {
    /// Name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LastIo => "last_io",
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::Holder => "holder",
            Self::Listener => "listener",
        }
    }
}

/// A listener's accept queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Queue {
    /// Connections that wait for accept() (`sk_ack_backlog`).
    pub waiting: u32,
    /// How many may wait (`sk_max_ack_backlog`); the kernel takes one more.
    pub backlog: u32,
}

/// Who is blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blame {
    /// The process.
    pub tgid: Tgid,
    /// When the process started.
    pub started: BootTime,
    /// Name of the process's leader.
    pub comm: Comm,
    /// The thread; `None` where it would be a guess (via holder and listener).
    pub tid: Option<Tid>,
    /// What that rests on.
    pub via: OwnerVia,
    /// Its descriptor for the socket (for `unaccepted`, of the listener).
    pub fd: u32,
}

/// A thread's use of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketUse {
    /// When; `None` where that was not seen.
    pub at: Option<BootTime>,
    /// Process.
    pub tgid: Tgid,
    /// Thread.
    pub tid: Tid,
    /// What it did.
    pub op: UseOp,
}

/// See [`SocketUse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UseOp {
    /// It connected.
    Connect,
    /// It took the connection from a listener.
    Accept,
    /// It read data.
    Recv,
    /// It wrote data.
    Send,
    /// It read the end of the stream.
    Eof,
}

impl UseOp {
    /// Name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Accept => "accept",
            Self::Recv => "recv",
            Self::Send => "send",
            Self::Eof => "eof",
        }
    }
}

/// Why a finding is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was closed; by whom, if the release was seen.
    Closed(Option<Task>),
    /// Its holder died.
    Exited(Option<Task>),
    /// Bytes moved again.
    Progress,
    /// The kernel itself forgot the connection.
    Reset,
}

impl Cause {
    /// Name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Exited(_) => "exited",
            Self::Progress => "progress",
            Self::Reset => "reset",
        }
    }

    /// Who released the socket.
    #[must_use]
    pub fn released_by(self) -> Option<Task> {
        match self {
            Self::Closed(task) | Self::Exited(task) => task,
            Self::Progress | Self::Reset => None,
        }
    }
}

/// Where a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is new.
    Open,
    /// Its kind, holders or diagnosis changed.
    Update,
    /// It is over.
    Resolved(Cause),
}

impl Phase {
    /// Name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Resolved(_) => "resolved",
        }
    }
}

/// One proven leak at one moment, before names are added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Where it stands.
    pub phase: Phase,
    /// When this was found out.
    pub at: BootTime,
    /// What kind.
    pub kind: Kind,
    /// Why.
    pub diagnosis: Option<Diagnosis>,
    /// The socket.
    pub socket: Socket,
    /// Its streams.
    pub seqs: Seqs,
    /// Since when it is a suspect without progress.
    pub since: BootTime,
    /// False: it was there before anybody looked, and `since` is the latest it can be.
    pub since_seen: bool,
    /// 0, or how often it has leaked and made progress before.
    pub episode: u32,
    /// How the connection came to be.
    pub role: Role,
    /// Everybody who holds it, sorted by process and descriptor. At resolution: who held it last.
    pub holders: Vec<Holder>,
    /// Who is blamed.
    pub blame: Option<Blame>,
    /// Which threads used it, as far as that was seen: the last few distinct ones that moved bytes or read
    /// the end, newest first, then the one that connected or accepted.
    pub uses: Vec<SocketUse>,
    /// Of `unaccepted`: the queue it waits in, as it was when it was last read.
    pub queue: Option<Queue>,
}

impl Leak {
    /// How long it has been without progress.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.at.since(self.since)
    }
}
