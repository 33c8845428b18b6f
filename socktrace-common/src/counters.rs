//! What the programs count, in a per-CPU array. Every loss has a counter.

use crate::plain;

plain! {
    /// One CPU's counters since the programs were loaded.
    pub struct Counters {
        /// Records tried: the next [`crate::wire::Header::seq`].
        pub seq: u64,
        /// Records not sent because the ring buffer was full.
        pub ring_lost: u64,
        /// Suspects not kept because their table was full.
        pub suspects_lost: u64,
        /// Owners not kept because their table was full.
        pub owners_lost: u64,
    }
    size 32
}
