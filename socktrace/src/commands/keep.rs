//! The history of a live agent or of a recording.

use std::time::Duration;

use super::outputs::warn;
use crate::cli::Keep;
use crate::history::{Limits, Pace, Writer};
use crate::model::{Finding, Host};
use crate::schema::Chronicle;

/// How long after leak-after a leak that was there before may take to be found again: two readings of the truth.
#[cfg(feature = "kernel")]
const FOUND_AGAIN: Duration = Duration::from_mins(1);

/// Keeps findings.
pub(super) struct Keeper {
    chronicle: Chronicle,
    writer: Writer,
}

impl Keeper {
    /// For an agent that watches. Without a database it goes on, and says so.
    #[cfg(feature = "kernel")]
    pub(super) fn live(keep: Option<&Keep>, host: &Host, leak_after: Duration) -> Option<Self> {
        let started = Self::start(keep?, host, Pace::Live(leak_after + FOUND_AGAIN));
        started
            .map_err(|error| warn(&format!("{error}; nothing is kept")))
            .ok()
    }

    /// For a recording.
    pub(super) fn played_back(
        keep: Option<&Keep>,
        host: &Host,
    ) -> Result<Option<Self>, anyhow::Error> {
        let keeper = keep.map(|keep| Self::start(keep, host, Pace::PlayedBack));
        Ok(keeper.transpose()?)
    }

    fn start(keep: &Keep, host: &Host, pace: Pace) -> Result<Self, crate::history::HistoryError> {
        let limits = Limits {
            size: keep.size,
            age: keep.age,
        };
        Ok(Self {
            writer: Writer::start(&keep.file, limits, &host.boot_id, pace, warn)?,
            chronicle: Chronicle::new(host.clone()),
        })
    }

    /// How many changes could not be kept so far.
    #[cfg(feature = "kernel")]
    pub(super) fn lost(&self) -> std::sync::Arc<std::sync::atomic::AtomicU64> {
        self.writer.lost()
    }

    /// Keeps a finding.
    pub(super) fn keep(&mut self, finding: &Finding) {
        self.writer.keep(self.chronicle.past(finding));
    }

    /// Follows a wall clock that was set. Nanoseconds to add to the boot clock.
    #[cfg(feature = "kernel")]
    pub(super) fn set_wall_minus_boot_ns(&mut self, offset: i128) {
        self.chronicle.set_wall_minus_boot_ns(offset);
    }

    /// Writes what waits.
    pub(super) fn finish(self) {
        self.writer.finish();
    }
}
