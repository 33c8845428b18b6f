//! Values of the kernel's maps.

use crate::plain;
use crate::wire::{Seqs, TOUCHES};

/// Bits of [`SuspectEntry::flags`].
pub mod entry_flag {
    /// See [`crate::wire::suspect_flag::FOUND`].
    pub const FOUND: u32 = 1;
    /// A walk has sent it to the agent: from now on its state changes and its release are streamed.
    pub const REPORTED: u32 = 2;
}

plain! {
    /// A socket in a state that is a leak if it lasts.
    pub struct SuspectEntry {
        /// Cookie of the socket the entry is about: a reused address has another one.
        pub cookie: u64,
        /// Since when without progress, nanoseconds since boot.
        pub since_ns: u64,
        /// Its streams then.
        pub seqs: Seqs,
        /// `sk->sk_err` when it reached TCP_CLOSE.
        pub sk_err: u32,
        /// Bits of [`entry_flag`].
        pub flags: u32,
        /// How often it has made progress after having been reported.
        pub episode: u32,
        /// Always 0.
        pub reserved: u32,
    }
    size 48
}

/// Sockets of one set of the table of sockets.
pub const WAYS: usize = 8;

plain! {
    /// A thread's last use of a socket, in two words that are each written at once.
    pub struct Use {
        /// `bpf_get_current_pid_tgid()`: process in the upper half, thread in the lower. 0: nobody.
        pub who: u64,
        /// `jiffies_64`, times 4, plus one of [`crate::wire::touch_op`].
        pub when: u64,
    }
    size 16
}

plain! {
    /// What is known of one socket, in two lines of the cache: what every use looks at is in the first.
    pub struct Slot {
        /// 1 while a socket has the slot; more for the moment in which several want it.
        pub claims: u64,
        /// A cookie made up for it, or that of a young suspect; 0 where none was needed yet.
        pub cookie: u64,
        /// When it was connected or accepted: in `trace` nanoseconds since boot, else `jiffies_64`. 0: not seen.
        pub opened: u64,
        /// Who connected or accepted it, as [`Use::who`].
        pub opener: u64,
        /// Always 0.
        pub reserved: u64,
        /// One of [`crate::wire::role`].
        pub role: u8,
        /// 1 once a read on it has returned 0.
        pub eof_read: u8,
        /// Of a young suspect: `sk->sk_err` when it reached TCP_CLOSE.
        pub sk_err: u16,
        /// Since when it has been a young suspect: the lower half of `jiffies_64`, never 0. 0: it is none.
        pub young: u32,
        /// The last distinct threads that moved bytes or saw the end, newest first.
        pub uses: [Use; TOUCHES],
        /// Of a young suspect: its streams when it became one.
        pub seqs: Seqs,
        /// The opener's name, in `trace`.
        pub comm: [u8; 16],
    }
    size 128
}

plain! {
    /// One set: the sockets whose addresses lead here. Where an array's values begin in memory (312 bytes
    /// behind a page's beginning, or a multiple of 64 further), tags and slots are aligned to lines of the cache.
    pub struct SocketSet {
        /// 1 once a socket was turned away: it may be in its next set.
        pub overflowed: u64,
        /// Address of the `struct sock` in each slot; 0: the slot is free.
        pub tags: [u64; WAYS],
        /// The slots.
        pub slots: [Slot; WAYS],
        /// Always 0.
        pub reserved: [u64; 7],
    }
    size 1152
}

/// Sets that share a mark: when a young suspect was last put into one of them, as [`Slot::young`]. With more of
/// them the walk would read fewer marks, and the verifier follow it for longer.
pub const MARKED: u32 = 2;

plain! {
    /// Arguments and results of a walk over the suspects, in a one-element array.
    pub struct WalkControl {
        /// In: entries with `since_ns` above this are too young. Nanoseconds since boot.
        pub older_than_ns: u64,
        /// Out: the oldest `since_ns` among the young; 0 if there are none.
        pub oldest_young_ns: u64,
        /// Out: entries seen.
        pub seen: u64,
        /// Out: entries dropped because their socket is gone.
        pub stale: u64,
        /// In: 1 to be told of the sockets in the table of questions and of no others.
        pub asking: u64,
        /// Out: `pid_namespace.level` of the reader's pid namespace.
        pub pid_level: u64,
        /// In: young suspects are looked for in sets marked since then, `jiffies_64`; 0: in all.
        pub marked_since: u64,
        /// Out: `jiffies_64` when it was begun to look for young suspects.
        pub looked: u64,
    }
    size 64
}
