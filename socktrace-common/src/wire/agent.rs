//! Records that the agent makes itself, so that they travel and are recorded like the kernel's.

use super::Header;
#[cfg(doc)]
use super::kind;
use crate::plain;

plain! {
    /// Records were lost. Made by the agent from sequence numbers and counters, never by a program.
    pub struct Gap {
        /// Kind [`kind::GAP`].
        pub header: Header,
        /// Where: one of [`gap_place`].
        pub place: u32,
        /// Always 0.
        pub reserved: u32,
        /// How many were lost there.
        pub lost: u64,
    }
    size 48
}

/// Values of [`Gap::place`].
pub mod gap_place {
    /// The ring buffer was full.
    pub const RING: u32 = 1;
    /// The table of suspects was full.
    pub const SUSPECTS: u32 = 2;
    /// The table of owners was full: a thread may be unknown, no leak is missed.
    pub const OWNERS: u32 = 3;
    /// Records that could not be decoded.
    pub const DECODE: u32 = 4;
    /// The agent's own table of tracked sockets was full.
    pub const TRACKER: u32 = 5;
    /// Programs did not run where they should have.
    pub const MISSED: u32 = 6;
    /// Network namespaces whose accept queues could not be read.
    pub const QUEUES: u32 = 7;
}

/// Values of [`Mark::what`].
pub mod mark {
    /// A walk over the table of suspects begins.
    pub const WALK_BEGIN: u32 = 1;
    /// It ended; `value` is the oldest `since_ns` among those too young to be sent, 0 if there are none.
    pub const WALK_END: u32 = 2;
    /// A reading of who holds what begins (`iter/task_file`, `iter/tcp`).
    pub const TRUTH_BEGIN: u32 = 3;
    /// It ended; `value` is 1 if it was complete, 0 if it failed on the way.
    pub const TRUTH_END: u32 = 4;
    /// The agent's timer: time has come to `boot_ns`.
    pub const TICK: u32 = 5;
}

plain! {
    /// A point in the stream, made by the agent.
    pub struct Mark {
        /// Kind [`kind::MARK`].
        pub header: Header,
        /// One of [`mark`].
        pub what: u32,
        /// Always 0.
        pub reserved: u32,
        /// See [`mark`].
        pub value: u64,
    }
    size 48
}
