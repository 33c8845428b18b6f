//! Where records come from: a live kernel or a recording.
//!
//! A source hands over bytes, exactly as the programs wrote them, and tells of everything that was lost
//! on the way. What the bytes mean is [`crate::decode`]'s business.
//!
//! * [`batch`]: records of the ring buffer, delimited by the kernel.
//! * [`btf`]: the kernel's description of its types.
//! * [`diag`]: this machine's kernel without eBPF, for `scan`.
//! * [`faults`]: losses on purpose, for tests.
//! * [`gaps`]: losses, each counted once, wherever it shows.
//! * [`hooks`]: the hooks of a live kernel, by name.
//! * `kernel`: this machine's kernel, through eBPF (feature `kernel`).
//! * [`recording`]: the bytes of a run in a file, to be played back through the same decoder and tracker.

pub mod batch;
pub mod btf;
pub mod diag;
pub mod faults;
pub mod gaps;
pub mod hooks;
#[cfg(feature = "kernel")]
pub mod kernel;
pub mod recording;
