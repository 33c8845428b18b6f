//! Recordings: a run's records in a file, so that what happened elsewhere can be played back here.
//!
//! A recording is a header and then the records of [`socktrace_common::wire`], one behind the other, as
//! they came, the agent's own marks and gaps included. Integers are in the byte order of the machine that
//! recorded. The header:
//!
//! | offset | bytes | what |
//! | ---: | ---: | --- |
//! | 0 | 16 | `SOCKTRACE`, NUL, `REC`, NUL, NUL, NUL |
//! | 16 | 4 | byte order mark: the number `0x0102_0304` |
//! | 20 | 4 | format version: 1 |
//! | 24 | 4 | wire version: [`socktrace_common::wire::WIRE_VERSION`] |
//! | 28 | 4 | jiffies a second; 0 if that was not known |
//! | 32 | 8 | leak-after, nanoseconds |
//! | 40 | 8 | when the agent started, nanoseconds since boot |
//! | 48 | 16 | wall clock minus boot clock, nanoseconds, signed |
//! | 64 | 2 + 2 + 2 | bytes of the host's name, of its id and of its boot id, at most 255 each |
//! | 70 | 2 | 0 |
//! | 72 | | host name, host id, boot id, in UTF-8 |
//!
//! * [`Header`]: what a recording says of itself.
//! * [`Writer`]: makes one; its failure never stops the agent.
//! * [`Reader`]: reads one, from anything, in constant memory, and trusts none of it.

mod header;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use header::{Header, HeaderError};
pub use reader::{ReadError, Reader};
pub use writer::{WriteError, Writer};
