//! socktrace finds leaked TCP sockets: which, who, why and since when.
//!
//! Data flows one way:
//!
//! ```text
//! kernel → source (bytes, gaps) → decode → Event → tracker → verdict → enrich → schema → sink
//! ```

#[cfg(test)]
mod allocations;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod decode;
pub mod enrich;
#[cfg(feature = "history")]
pub mod history;
pub mod incident;
#[cfg(feature = "kernel")]
mod memory;
pub mod metrics;
pub mod model;
pub mod schema;
pub mod secret;
#[cfg(feature = "kernel")]
pub mod service;
pub mod sink;
pub mod source;
mod spelling;
pub mod tracker;
mod units;
pub mod verdict;
