//! The database while it is read, by anybody, at any time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::error::{HistoryError, name};
use super::rows::{self, MINUTE};
use super::store::{self, pragma, with_suffix};
use super::tables::{APPLICATION, SELECT_FINDINGS, SELECT_MINUTES, VERSION};
use crate::model::{Past, PastLosses, PastMinute, WallMicros};

/// How long reading waits where the database is locked as a whole.
const BUSY: Duration = Duration::from_secs(5);

/// An open database.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    path: PathBuf,
}

impl Reader {
    /// Opens the database at `path`, without changing it.
    ///
    /// # Errors
    ///
    /// If it is not there, may not be read, or is none of ours.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        if let Err(reason) = fs::File::open(path) {
            return Err(if reason.kind() == std::io::ErrorKind::NotFound {
                HistoryError::Missing {
                    path: name(path),
                    reason,
                }
            } else {
                HistoryError::open(path, reason)
            });
        }
        let reader = Self {
            db: connect(path, false).or_else(|error| {
                // Whoever may read it but not write beside it: where no agent is at work nothing changes.
                if with_suffix(path, "-wal").exists() {
                    Err(error)
                } else {
                    connect(path, true)
                }
            })?,
            path: path.to_owned(),
        };
        Ok(reader)
    }

    /// Calls `each` with the findings that were open at some time from `since` to `until`, by their begin.
    ///
    /// # Errors
    ///
    /// If reading fails on the way.
    pub fn findings(
        &self,
        since: WallMicros,
        until: WallMicros,
        mut each: impl FnMut(Past),
    ) -> Result<(), HistoryError> {
        let mut read = || {
            let mut statement = self.db.prepare(SELECT_FINDINGS)?;
            for past in statement.query_map(params![since, until], rows::past)? {
                each(past?);
            }
            Ok(())
        };
        read().map_err(|reason| HistoryError::sqlite(&self.path, reason))
    }

    /// Calls `each` with the counts of the minutes from `since` to `until`.
    ///
    /// # Errors
    ///
    /// If reading fails on the way.
    pub fn minutes(
        &self,
        since: WallMicros,
        until: WallMicros,
        mut each: impl FnMut(PastMinute),
    ) -> Result<(), HistoryError> {
        let mut read = || {
            let mut statement = self.db.prepare(SELECT_MINUTES)?;
            let range = params![since.div_euclid(MINUTE), until.div_euclid(MINUTE)];
            for minute in statement.query_map(range, rows::minute)? {
                each(minute?);
            }
            Ok(())
        };
        read().map_err(|reason| HistoryError::sqlite(&self.path, reason))
    }

    /// What was not kept since the database was made.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn losses(&self) -> Result<PastLosses, HistoryError> {
        store::losses(&self.db).map_err(|reason| HistoryError::sqlite(&self.path, reason))
    }
}

fn connect(path: &Path, immutable: bool) -> Result<Connection, HistoryError> {
    let wrong = |reason| HistoryError::sqlite(path, reason);
    let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = if immutable {
        flags |= OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(uri(path), flags)
    } else {
        Connection::open_with_flags(path, flags)
    }
    .map_err(wrong)?;
    db.busy_timeout(BUSY).map_err(wrong)?;
    let application = match pragma(&db, "application_id") {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => 0,
        other => other.map_err(wrong)?,
    };
    if application != APPLICATION {
        return Err(HistoryError::Foreign { path: name(path) });
    }
    let version = pragma(&db, "user_version").map_err(wrong)?;
    if version > VERSION {
        return Err(HistoryError::Newer {
            path: name(path),
            found: version,
            known: VERSION,
        });
    }
    Ok(db)
}

/// The path as SQLite's URI: with it can be said that nobody changes the file.
fn uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte));
            }
            byte => {
                uri.push('%');
                for digit in [byte >> 4, byte & 15] {
                    uri.extend(char::from_digit(digit.into(), 16));
                }
            }
        }
    }
    uri + "?immutable=1"
}
