//! What can be wrong with a history.

use std::io;
use std::path::Path;

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant is its message, each field what is printed"
)]
pub enum HistoryError {
    #[error("history {path}: another socktrace writes it; give this one a --history of its own")]
    Busy { path: String },
    #[error("history {path}: that is a file of something else; choose another one with --history")]
    Foreign { path: String },
    #[error(
        "history {path}: a newer socktrace has written it (version {found}, this one knows {known}); choose \
         another file with --history"
    )]
    Newer {
        path: String,
        found: i64,
        known: i64,
    },
    #[error("history {path}: {reason}; `run --history {path}` makes it")]
    Missing { path: String, reason: io::Error },
    #[error("history {path}: cannot open it: {reason}")]
    Open { path: String, reason: io::Error },
    #[error("history {path}: {}", in_words(.reason))]
    Sqlite {
        path: String,
        reason: rusqlite::Error,
    },
}

impl HistoryError {
    pub(super) fn sqlite(path: &Path, reason: rusqlite::Error) -> Self {
        Self::Sqlite {
            path: name(path),
            reason,
        }
    }

    pub(super) fn open(path: &Path, reason: io::Error) -> Self {
        Self::Open {
            path: name(path),
            reason,
        }
    }
}

/// A path as it is printed.
pub(super) fn name(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    crate::schema::escape(path.as_os_str().as_bytes()).into_owned()
}

/// What SQLite says, and what it means where its words do not say that.
pub(super) fn in_words(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly,
        SystemIoFailure,
    };
    let text = error.to_string().replace('\n', " ");
    let more = match error.sqlite_error_code() {
        Some(DiskFull) => "make room on its disk, or lower --history-size",
        Some(ReadOnly) => "its folder and its files have to be writable",
        Some(CannotOpen) => "its folder has to be there and to be writable",
        Some(SystemIoFailure) => "the disk, or what is mounted there, has a fault",
        Some(DatabaseBusy) => "another program keeps it locked",
        Some(DatabaseCorrupt | NotADatabase) => "it is damaged",
        _ => return text,
    };
    format!("{text}: {more}")
}

/// Whether the file's contents are at fault.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseCorrupt | NotADatabase)
    )
}
