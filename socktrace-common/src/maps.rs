//! Values of the kernel's maps. Keys are the addresses of `struct sock`.

use crate::plain;
use crate::wire::{Owner, Seqs};

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

plain! {
    /// Who made a socket and who used it last.
    pub struct OwnerEntry {
        /// Cookie of the socket the entry is about; 0 where the kernel gives none and none was made up.
        pub cookie: u64,
        /// The facts, as they are sent.
        pub owner: Owner,
    }
    size 144
}

plain! {
    /// Arguments and results of a walk over the suspects, in a one-element array.
    pub struct WalkControl {
        /// In: entries with `since_ns` above this are too young. Nanoseconds since boot.
        pub older_than_ns: u64,
        /// In: length of a jiffy; 0 while it is not known.
        pub ns_per_jiffy: u64,
        /// Out: the oldest `since_ns` among the young; 0 if there are none.
        pub oldest_young_ns: u64,
        /// Out: entries seen.
        pub seen: u64,
        /// Out: entries dropped because their socket is gone.
        pub stale: u64,
        /// Out: `jiffies_64` at the end of the walk.
        pub jiffies: u64,
        /// In: 1 to be told of the sockets in the table of questions and of no others.
        pub asking: u64,
        /// Out: `pid_namespace.level` of the reader's pid namespace.
        pub pid_level: u64,
    }
    size 64
}
