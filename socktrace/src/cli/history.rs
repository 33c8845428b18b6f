//! Validated settings of the history: what is kept, and what is asked.

use std::path::PathBuf;
use std::time::Duration;

use super::args::{HistoryArgs, HistoryBy, HistoryFormatArg, KeepArgs};
use super::environment::Environment;
use super::error::UsageError;
use super::filter::Filter;
use super::values::Moment;

/// What of findings is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The database.
    pub file: PathBuf,
    /// Its bytes, at least 8 MiB.
    pub size: u64,
    /// How long after their end.
    pub age: Duration,
}

/// What `history` is to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// The database.
    pub file: PathBuf,
    /// What was open after this.
    pub since: Moment,
    /// What began before this.
    pub until: Option<Moment>,
    /// Count by this instead of listing.
    pub by: Option<HistoryBy>,
    /// What it looks like.
    pub format: AnswerFormat,
    /// Which sockets.
    pub filter: Filter,
}

/// What an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFormat {
    /// Columns for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values.
    Csv,
}

impl Keep {
    pub(super) fn new(args: KeepArgs) -> Result<Option<Self>, UsageError> {
        const LEAST: u64 = 8 << 20;
        let Some(file) = args.history else {
            return Ok(None);
        };
        if !cfg!(feature = "history") {
            return Err(UsageError::WithoutHistory);
        }
        if args.history_size < LEAST {
            return Err(UsageError::HistoryTooSmall {
                given: args.history_size,
            });
        }
        Ok(Some(Self {
            file,
            size: args.history_size,
            age: args.history_age,
        }))
    }
}

impl HistorySettings {
    pub(super) fn new(
        args: HistoryArgs,
        environment: &Environment<'_>,
    ) -> Result<Self, UsageError> {
        if !cfg!(feature = "history") {
            return Err(UsageError::WithoutHistory);
        }
        let filter = Filter::for_leaks(args.filter, environment)?;
        let uncounted = [
            ("--netns", filter.netns.is_empty()),
            ("--port", filter.ports.is_empty()),
            ("--family", filter.families.is_empty()),
        ];
        if let (Some(HistoryBy::Minute), Some((flag, _))) =
            (args.by, uncounted.iter().find(|(_, is_free)| !is_free))
        {
            return Err(UsageError::NotByMinute { flag });
        }
        Ok(Self {
            file: args.history,
            since: args.since,
            until: args.until,
            by: args.by,
            format: match args.format {
                Some(HistoryFormatArg::Text) => AnswerFormat::Text,
                Some(HistoryFormatArg::Csv) => AnswerFormat::Csv,
                None if environment.stdout_is_terminal => AnswerFormat::Text,
                Some(HistoryFormatArg::Json) | None => AnswerFormat::Json,
            },
            filter,
        })
    }
}
