//! What can go wrong with a sink.

use std::io;

/// See [`super::Sink::write`] and [`super::open`].
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The destination cannot be opened.
    #[error("cannot open {name}: {reason}")]
    Open {
        /// The path, escaped.
        name: String,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// Nobody reads any more (`EPIPE`): a quiet end, nothing to complain about.
    #[error("{name} was closed by its reader")]
    Closed {
        /// Which sink.
        name: String,
    },
    /// A batch could not be written as a whole.
    #[error("cannot write to {name}: {reason}; lost {lines} lines")]
    Write {
        /// Which sink.
        name: String,
        /// Why.
        #[source]
        reason: io::Error,
        /// Lines of the batch that did not get through, a torn one included.
        lines: u64,
    },
}

impl SinkError {
    /// Nobody reads any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}
