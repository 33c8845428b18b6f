//! What is kept of findings after they are told: with wall times, so that they outlive the boot.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::{Comm, Kind, TcpState};

/// Microseconds since 1970, UTC.
pub type WallMicros = i64;

/// A word of ours: new ones are constants, stored ones are read back.
pub type Word = Cow<'static, str>;

/// The cause of an end that nobody saw: the agent was not there, or was looking for other leaks.
pub const ENDED_UNSEEN: &str = "ended_unseen";

/// A finding as it was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The same as `socktrace.leak.id`.
    pub id: [u8; 16],
    /// `open`, `update` or `resolved`.
    pub phase: Word,
    /// What kind it was at last.
    pub kind: Kind,
    /// Why.
    pub diagnosis: Option<Word>,
    /// When it came into the leak's state.
    pub started: WallMicros,
    /// False: it was there before anybody looked, and `started` is the latest it can be.
    pub since_seen: bool,
    /// When it was first told.
    pub told: WallMicros,
    /// When it was last told.
    pub updated: WallMicros,
    /// Its end, if it has come.
    pub end: Option<PastEnd>,
    /// How often it had leaked and made progress before.
    pub episode: u32,
    /// The blamed process.
    pub process: Option<PastProcess>,
    /// The blamed thread and its name.
    pub thread: Option<(u32, Option<Vec<u8>>)>,
    /// What the blame rests on.
    pub via: Option<Word>,
    /// Its descriptor.
    pub fd: Option<u32>,
    /// The socket.
    pub socket: PastSocket,
    /// (process, descriptor, name); at the end: who held it last. The first [`MAX_HOLDERS`] of them.
    pub holders: Vec<(u32, u32, Comm)>,
    /// How many there were.
    pub holders_total: u32,
}

/// How many holders are kept of a finding.
pub const MAX_HOLDERS: usize = 64;

/// See [`Past::end`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEnd {
    /// When.
    pub at: WallMicros,
    /// As `socktrace.leak.cause`, or [`ENDED_UNSEEN`].
    pub cause: Word,
    /// Process, thread and name of who released it.
    pub by: Option<(u32, u32, Comm)>,
}

/// See [`Past::socket`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastSocket {
    /// The kernel's cookie, or a made-up one.
    pub cookie: u64,
    /// Inode of its file.
    pub inode: Option<u32>,
    /// Inode of its network namespace.
    pub netns: u32,
    /// What that is called.
    pub netns_name: Option<Vec<u8>>,
    /// TCP state.
    pub state: TcpState,
    /// How it came to be: `accepted`, `connected`, `unknown`.
    pub role: Word,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// Bytes to be read.
    pub rx_queue: u32,
    /// Bytes that are not acknowledged.
    pub tx_queue: u32,
}

/// See [`Past::process`]. Byte strings are as the process chose them: untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastProcess {
    /// The same as `process.entity_id`.
    pub entity: [u8; 16],
    /// Its pid.
    pub pid: u32,
    /// When it started.
    pub started: WallMicros,
    /// Its name.
    pub name: Vec<u8>,
    /// Target of `exe`.
    pub executable: Option<Vec<u8>>,
    /// Its arguments.
    pub command_line: Option<Vec<u8>>,
    /// Real user id.
    pub uid: Option<u32>,
    /// Parent process.
    pub parent: Option<u32>,
    /// Path of its cgroup.
    pub cgroup: Option<Vec<u8>>,
    /// systemd's unit.
    pub unit: Option<Vec<u8>>,
    /// Id of its container.
    pub container: Option<String>,
    /// The container's runtime.
    pub runtime: Option<Word>,
    /// Its pod.
    pub pod: Option<String>,
}

/// Findings of one process, kind and state in one minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastMinute {
    /// The minute's begin.
    pub begin: WallMicros,
    /// Pid and name; `None` where nobody was blamed.
    pub process: Option<(u32, Vec<u8>)>,
    /// The process's cgroup.
    pub cgroup: Option<Vec<u8>>,
    /// Their kind.
    pub kind: Kind,
    /// Their TCP state.
    pub state: TcpState,
    /// How many were open at its end.
    pub open: u64,
    /// How many came.
    pub opened: u64,
    /// How many were resolved.
    pub resolved: u64,
}

/// What was not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PastLosses {
    /// Findings dropped because they were too old.
    pub expired: u64,
    /// Findings dropped for lack of room.
    pub displaced: u64,
    /// Changes that could not be written.
    pub unwritten: u64,
}

/// Findings that have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastGroup {
    /// What that is. Untrusted.
    pub key: Vec<u8>,
    /// How many findings.
    pub count: u64,
    /// How many of them are open.
    pub open: u64,
    /// When the first of them began.
    pub first: WallMicros,
    /// When the last of them began.
    pub last: WallMicros,
}
