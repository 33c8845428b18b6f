//! Where lines go.
//!
//! * [`Target`]: a destination as it is named on the command line.
//! * `file`: a file that may be rotated; `syslog`: a daemon or collector; `journald`, `kafka`, `nats`.
//! * `http`: collectors and other counterparts that speak HTTP.
//! * `courier`: delivery to counterparts that may be away; [`Board`]: what it tells meanwhile;
//!   [`Account`]: what became of its lines.
//! * `seldom`: how often troubles are told.
//! * `spool`: lines on disk until they were taken.
//! * [`Batch`]: lines on their way, each of a [`Class`] that says what goes first where there is no room.
//! * [`Sink`]: something that takes batches of lines; [`LineSink`] is one over any writer.
//! * [`open`]: the sink for a target.
//! * [`Sinks`]: several at once, none of which can stop another or whoever writes to them.

mod account;
mod batch;
mod board;
mod courier;
mod error;
mod file;
#[cfg(feature = "http")]
mod http;
mod journald;
#[cfg(feature = "kafka")]
mod kafka;
mod line;
#[cfg(feature = "nats")]
mod nats;
mod open;
mod queue;
#[cfg(any(feature = "kafka", feature = "nats"))]
mod runtime;
mod seldom;
mod sinks;
mod spool;
mod syslog;
mod target;
#[cfg(feature = "tls")]
mod tls;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use account::{Account, Outcome, Trouble, Troubles};
pub use batch::{Batch, Class, Tally};
pub use board::Board;
pub use error::SinkError;
pub use line::LineSink;
pub use open::open;
pub use sinks::{Report, Sinks, WhenFull};
pub(crate) use target::redacted;
#[cfg(feature = "http")]
pub use target::{BodyShape, HttpDialect, HttpTarget, Login, SplunkTarget};
pub use target::{
    Destination, FileTarget, Identity, JournaldTarget, KafkaLogin, KafkaTarget, NatsLogin,
    NatsTarget, Rotation, SaslMechanism, StreamOptions, SyslogTarget, Target, TargetError,
    TlsTarget, Wire,
};

/// Writing lines needs little.
const STACK: usize = 128 * 1024;

/// How long to wait for a connection, for room to write, and for the other end to confirm.
const PATIENCE: Duration = Duration::from_secs(10);

/// What cryptography and protocols need, with room to spare.
#[cfg(feature = "tls")]
const LARGE_STACK: usize = 2 << 20;

/// Takes batches of lines.
pub trait Sink: Send {
    /// What it is called in messages: `standard output`, or the path.
    fn name(&self) -> &str;

    /// Writes `batch`, whole lines each ended by a newline, and flushes it.
    ///
    /// # Errors
    ///
    /// [`SinkError::Closed`] where nobody reads any more; it will not get better.
    /// [`SinkError::Write`] otherwise: the lines it counts are lost, the next batch may well pass. A
    /// line that was torn is ended before the next one is written, so that it spoils none but itself.
    fn write(&mut self, batch: &[u8]) -> Result<(), SinkError>;

    /// As [`Self::write`], for a sink that makes a difference between lines.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    fn take(&mut self, batch: &Batch) -> Result<(), SinkError> {
        self.write(batch.bytes())
    }

    /// Opens the destination anew, because somebody may have moved it away. Not every sink can.
    ///
    /// # Errors
    ///
    /// [`SinkError::Write`] of no lines: it goes on as before.
    fn reopen(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// No more lines will come: waits until those written have arrived, at most for about `patience`.
    fn settle(&mut self, _patience: Duration) {}

    /// How large a stack it needs, in bytes.
    fn stack(&self) -> usize {
        STACK
    }

    /// Where it tells what happens during a long [`Self::write`], and is told that the end has come. Who has
    /// one keeps its account: it counts what was delivered and what was rejected.
    fn board(&self) -> Option<Arc<Board>> {
        None
    }
}
