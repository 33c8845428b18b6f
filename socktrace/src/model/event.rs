//! What the source tells the core, after decoding.

use std::time::Duration;

use super::{BootTime, Cookie, KernelAddr, Role, Seqs, Socket, Task, TcpState, Tgid, Tid};

/// One decoded record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When the kernel (or, for gaps and marks, the agent) made it.
    pub at: BootTime,
    /// What it says.
    pub event: Event,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A socket changed its TCP state.
    StateChange(StateChange),
    /// A connect() ended, well or not.
    Connect(Connect),
    /// A connection was accepted.
    Accept(Accept),
    /// A socket was released by its owner.
    Release(Release),
    /// The kernel's table holds a suspect that is old enough.
    Suspect(Suspect),
    /// A descriptor refers to a socket.
    Held(Held),
    /// No descriptor refers to a socket.
    Unheld(Unheld),
    /// Records were lost.
    Gap(Gap),
    /// A walk or a reading of the truth begins or ends.
    Mark(Mark),
}

/// See [`socktrace_common::wire::StateChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The socket, in its new state.
    pub socket: Socket,
    /// Its streams.
    pub seqs: Seqs,
    /// Bytes received since the connection began.
    pub bytes_received: u64,
    /// Bytes sent and acknowledged.
    pub bytes_acked: u64,
    /// The state it left.
    pub old: TcpState,
    /// An errno, where the kernel ended the connection with one.
    pub error: Option<u32>,
}

/// See [`socktrace_common::wire::Connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The socket; ESTABLISHED, or CLOSE when it failed.
    pub socket: Socket,
    /// The caller.
    pub task: Task,
    /// When connect() was called.
    pub started: BootTime,
}

/// See [`socktrace_common::wire::Accept`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The new socket.
    pub socket: Socket,
    /// The thread that accepted it.
    pub task: Task,
}

/// See [`socktrace_common::wire::Release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The socket, in the state it was released in.
    pub socket: Socket,
    /// Its streams.
    pub seqs: Seqs,
    /// Bytes received since the connection began.
    pub bytes_received: u64,
    /// Bytes sent and acknowledged.
    pub bytes_acked: u64,
    /// Who released it; `None` where it was a kernel thread, a bystander.
    pub task: Option<Task>,
    /// The task was exiting: it died, it did not call close().
    pub exiting: bool,
    /// When the connection was accepted or connected, if that was seen.
    pub opened: Option<BootTime>,
}

/// See [`socktrace_common::wire::Suspect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The socket as it is now.
    pub socket: Socket,
    /// Its streams now.
    pub seqs: Seqs,
    /// Its streams at `since`.
    pub seqs_since: Seqs,
    /// Since when it is a suspect without progress.
    pub since: BootTime,
    /// False: it was found by a walk, and `since` is when that was.
    pub since_seen: bool,
    /// Bytes moved since it was reported; `since` has been moved to now.
    pub progress: bool,
    /// Sent in answer to a question about this very socket, whatever its age.
    pub asked: bool,
    /// How often it has made progress after it was reported.
    pub episode: u32,
    /// An errno, where the kernel ended the connection with one.
    pub error: Option<u32>,
    /// Who made and used it.
    pub owner: Owner,
}

/// See [`socktrace_common::wire::Owner`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Whether it was connected or accepted.
    pub role: Role,
    /// Who did that, if it was seen.
    pub opener: Option<Task>,
    /// When.
    pub opened: Option<BootTime>,
    /// The last distinct threads that used it, newest first.
    pub touches: [Option<Touch>; socktrace_common::wire::TOUCHES],
    /// Whether a read returned 0; `None` where such reads cannot be seen.
    pub eof_read: Option<bool>,
}

/// A thread's last use of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// When.
    pub at: BootTime,
    /// Process.
    pub tgid: Tgid,
    /// Thread.
    pub tid: Tid,
    /// What it did.
    pub op: TouchOp,
}

/// What a thread did with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchOp {
    /// It read data.
    Recv,
    /// It wrote data.
    Send,
    /// It read the end of the stream.
    Eof,
}

/// See [`socktrace_common::wire::Held`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The socket as it is now.
    pub socket: Socket,
    /// Its streams now.
    pub seqs: Seqs,
    /// Process, with the name of its thread group leader.
    pub task: Task,
    /// When the process started.
    pub task_started: BootTime,
    /// The descriptor.
    pub fd: u32,
    /// An errno, where the kernel ended the connection with one and nobody has read it yet.
    pub error: Option<u32>,
    /// For a listener: connections waiting for accept().
    pub ack_backlog: u32,
    /// For a listener: how many may wait.
    pub max_ack_backlog: u32,
    /// Time since the peer last acknowledged or we last sent: a lower bound of its idleness.
    pub idle: Option<Duration>,
    /// What the kernel's table of suspects knew of it; `None` where that was not told: in `scan`, and in
    /// recordings of older agents.
    pub listed: Option<Listed>,
}

/// What the kernel's table of suspects knew of a socket when a reading came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listed {
    /// Nothing: it was not seen coming into its state, or there was no room for it. If there is room now,
    /// the reading has put it there.
    Not,
    /// It was seen coming into its state. A walk will tell of it when it is old enough.
    Waiting,
    /// A walk has told of it, and will not again.
    Told,
}

/// Something to be asked in a reading of the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The socket.
    pub cookie: Cookie,
    /// Where it is.
    pub kaddr: KernelAddr,
    /// Answer also if somebody is seen to hold it: what the table knows of it is not known here.
    pub always: bool,
}

/// See [`socktrace_common::wire::Unheld`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unheld {
    /// The socket as it is now.
    pub socket: Socket,
    /// Its streams now.
    pub seqs: Seqs,
    /// As in [`Held`].
    pub idle: Option<Duration>,
    /// As in [`Held`].
    pub listed: Option<Listed>,
}

/// Records were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gap {
    /// Where.
    pub place: GapPlace,
    /// How many.
    pub lost: u64,
}

/// Where records get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GapPlace {
    /// The ring buffer was full.
    Ring,
    /// The kernel's table of suspects was full.
    Suspects,
    /// The kernel's table of owners was full: a thread may be unknown, no leak is missed.
    Owners,
    /// Records that could not be decoded.
    Decode,
    /// The agent's own table was full.
    Tracker,
    /// Programs did not run where they should have: the kernel lets none interrupt itself.
    Missed,
    /// Network namespaces whose accept queues could not be read.
    Queues,
}

impl GapPlace {
    /// Every place.
    pub const ALL: [Self; 7] = [
        Self::Ring,
        Self::Suspects,
        Self::Owners,
        Self::Decode,
        Self::Tracker,
        Self::Missed,
        Self::Queues,
    ];

    /// Name in status events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Suspects => "suspects",
            Self::Owners => "owners",
            Self::Decode => "decode",
            Self::Tracker => "tracker",
            Self::Missed => "missed",
            Self::Queues => "queues",
        }
    }
}

/// A point in the stream, made by the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A walk over the suspects begins.
    WalkBegin,
    /// It ended; the oldest `since` among those too young to be told.
    WalkEnd {
        /// When the oldest of the young became a suspect.
        oldest_young: Option<BootTime>,
    },
    /// A reading of who holds what begins.
    TruthBegin,
    /// It ended.
    TruthEnd {
        /// False: it failed on the way, so that what it did not tell may still be there.
        complete: bool,
    },
    /// Time has come to the record's `at`.
    Tick,
}
