//! Past findings, in an SQLite database that outlives the agent, its host's boot and the leak.
//!
//! * [`Writer`]: takes findings, on a thread of its own.
//! * [`Reader`]: finds them again, also while they are written.
//! * `store`: one batch, one transaction; `tables`: what is stored; `rows`: how; `room`: what has to go for
//!   lack of room, or for age.
//!
//! The database is a file in SQLite's write-ahead mode. What is committed outlives the agent's end in any
//! form; what waits for the next batch, at most a second's worth, does not.

mod error;
mod reader;
mod room;
mod rows;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

pub use error::HistoryError;
pub use reader::Reader;
pub use room::Limits;
pub use writer::{Pace, Writer};
