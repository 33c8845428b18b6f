//! Flags about the history.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::super::values::{self, Moment};
use super::FilterArgs;

/// Where the packaged agent keeps its history.
const DEFAULT_HISTORY: &str = "/var/lib/socktrace/history.db";

/// What is kept.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "History")]
pub(crate) struct KeepArgs {
    /// Keep findings in this file, for `socktrace history`
    ///
    /// An SQLite database; it and its log are made with mode 0640. It is written by a thread of its own: a
    /// slow or full disk holds nothing else up, and what could not be written is counted.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// How large the file may become
    ///
    /// At least 8MiB. Where there is no more room the oldest resolved findings go first.
    #[arg(long, value_name = "BYTES", default_value = "256MiB", value_parser = values::bytes)]
    pub(crate) history_size: u64,
    /// How long a finding is kept after its end
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = values::duration)]
    pub(crate) history_age: Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    /// Only what was open after this: a time (2026-11-22T15:04:05Z) or how long ago (24h)
    #[arg(long, value_name = "TIME|DURATION", default_value = "24h", value_parser = values::moment)]
    pub(crate) since: Moment,
    /// Only what began before this: a time or how long ago [default: now]
    #[arg(long, value_name = "TIME|DURATION", value_parser = values::moment)]
    pub(crate) until: Option<Moment>,
    /// Count instead of listing, the largest group first
    #[arg(long, value_name = "WHAT")]
    pub(crate) by: Option<HistoryBy>,
    /// What lines look like [default: text on a terminal, json elsewhere]
    #[arg(long, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Option<HistoryFormatArg>,
    /// The file that `run --history` writes
    #[arg(long, value_name = "FILE", default_value = DEFAULT_HISTORY)]
    pub(crate) history: PathBuf,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// What `history --by` groups by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum HistoryBy {
    /// The blamed process
    Process,
    /// The peer's address
    Peer,
    /// The kind of leak
    Kind,
    /// The minute, with the process, the kind and the state: how many were open at its end, came and went
    Minute,
}

impl HistoryBy {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Peer => "peer",
            Self::Kind => "kind",
            Self::Minute => "minute",
        }
    }
}

/// See [`HistoryArgs::format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormatArg {
    /// Aligned columns for people; times are UTC
    Text,
    /// One JSON object a line
    Json,
    /// Comma-separated values (RFC 4180) with a line of names
    Csv,
}
