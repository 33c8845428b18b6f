//! The raw recording of a run, if one was asked for.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;

use super::outputs::warn;
use crate::source::recording::{Header, Writer};

/// Records, until it fails; a failure is told once and stops nothing else.
pub(super) struct Recorder(Option<Writer<File>>);

impl Recorder {
    /// Begins a recording at `path`, if there is one.
    pub(super) fn open(path: Option<&Path>, header: &Header) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let file = File::create(path).with_context(|| format!("cannot open {}", path.display()))?;
        let writer = Writer::new(file, header)
            .with_context(|| format!("cannot record to {}", path.display()))?;
        Ok(Self(Some(writer)))
    }

    /// No recording.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Adds one record's bytes.
    pub(super) fn record(&mut self, record: &[u8]) {
        if let Some(Err(error)) = self.0.as_mut().map(|writer| writer.record(record)) {
            warn(&error.to_string());
        }
    }

    /// Writes out what is kept back.
    pub(super) fn flush(&mut self) {
        if let Some(Err(error)) = self.0.as_mut().map(Writer::flush) {
            warn(&error.to_string());
        }
    }
}
