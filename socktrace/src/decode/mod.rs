//! Bytes to records: everything that crosses from the kernel, or from a file, is checked here.
//!
//! No bytes make this module panic, allocate without bound or produce a value the model forbids: what
//! is not a record of this wire version, whole and with every field in its range, is a [`DecodeError`]
//! that says what is wrong and where. Callers count those.
//!
//! * [`decode()`] turns the bytes of exactly one record into a [`crate::model::Record`].
//! * [`records()`] walks over concatenated records: a recording's, or an iterator's output.
//! * [`frame`], [`skip`] and [`origin`] look at records' headers only.
//! * [`SequenceTracker`] finds out what a ring buffer lost.
//! * [`gap_record`] and [`mark_record`] make the bytes of the records that the agent adds itself.

mod encode;
mod error;
mod frame;
mod record;
mod sequence;
mod socket;
#[cfg(test)]
pub(crate) mod tests;

pub use encode::{AGENT_RECORD_LEN, gap_record, mark_record};
pub use error::DecodeError;
pub use frame::{MAX_CPUS, MAX_RECORD_LEN, Origin, Records, frame, origin, records, skip};
pub use record::{DecodeContext, decode};
pub use sequence::SequenceTracker;
