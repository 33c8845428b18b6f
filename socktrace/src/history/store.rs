//! The database while it is written: by one agent at a time, one batch a transaction.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, params};

use super::error::{HistoryError, is_damage, name};
use super::room::{self, Limits};
use super::rows::{self, MINUTE};
use super::tables::{APPLICATION, TABLES, VERSION};
use crate::model::{ENDED_UNSEEN, Past, PastLosses, WallMicros};

/// How long a commit waits for others: readers never hold it up, `sqlite3` in somebody's hands may.
const BUSY: Duration = Duration::from_secs(5);

/// How many findings are written in one transaction.
const PART: usize = 256;

/// What a file of SQLite begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// An open database.
#[derive(Debug)]
pub(super) struct Store {
    db: Connection,
    boot: String,
    limits: Limits,
    /// When the agent before this one was last heard of.
    last_alive: Option<WallMicros>,
    /// Held as long as the database is written.
    _lock: File,
}

impl Store {
    /// Opens or makes the database at `path`. A damaged one of ours is put aside first: where to is told.
    pub(super) fn open(
        path: &Path,
        limits: Limits,
        boot: &str,
    ) -> Result<(Self, Option<PathBuf>), HistoryError> {
        let lock_path = with_suffix(path, ".lock");
        let was_ours = lock_path.exists();
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o640)
            .open(&lock_path)
            .map_err(|reason| HistoryError::open(&lock_path, reason))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HistoryError::Busy { path: name(path) }),
            Err(TryLockError::Error(reason)) => return Err(HistoryError::open(&lock_path, reason)),
        }
        let begin = beginning(path).map_err(|reason| HistoryError::open(path, reason))?;
        let foreign = !begin.is_empty() && begin != MAGIC && !was_ours;
        if foreign {
            return Err(HistoryError::Foreign { path: name(path) });
        }
        let mut aside = None;
        let db = match connect(path, limits) {
            Err(HistoryError::Sqlite { reason, .. }) if is_damage(&reason) => {
                aside = Some(put_aside(path)?);
                connect(path, limits)?
            }
            other => other?,
        };
        let mut store = Self {
            db,
            boot: boot.to_owned(),
            limits,
            last_alive: None,
            _lock: lock,
        };
        match store.take_over() {
            Err(reason) if is_damage(&reason) && aside.is_none() => {
                drop(store.db);
                aside = Some(put_aside(path)?);
                store.db = connect(path, limits)?;
            }
            other => other.map_err(|reason| HistoryError::sqlite(path, reason))?,
        }
        Ok((store, aside))
    }

    /// Writes a batch at `now`. With an error, says how many of it are not written.
    pub(super) fn write(
        &mut self,
        batch: &[Past],
        now: WallMicros,
    ) -> Result<(), (rusqlite::Error, usize)> {
        let mut left = batch.len();
        for part in batch.chunks(PART) {
            let mut result = self.write_part(part, now);
            if matches!(&result, Err(error) if is_full(error)) && self.is_at_its_limit() {
                // Long command lines: more came at once than is kept free for it.
                result = room::make(&mut self.db, self.limits.size / 2)
                    .and_then(|()| self.write_part(part, now));
            }
            result.map_err(|error| (error, left))?;
            left -= part.len();
        }
        Ok(())
    }

    /// Whether it is the file's own limit that leaves no room, and not the disk.
    fn is_at_its_limit(&self) -> bool {
        room::used(&self.db).is_ok_and(|used| used > self.limits.size / 2)
    }

    fn write_part(&mut self, batch: &[Past], now: WallMicros) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        for past in batch {
            put(&transaction, past, &self.boot)?;
        }
        set(&transaction, "alive", now)?;
        transaction.commit()?;
        room::make(&mut self.db, self.limits.size)
    }

    /// What is due once a minute: counts what is open, forgets what is too old.
    pub(super) fn count(&mut self, now: WallMicros) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        transaction
            .prepare_cached(
                "INSERT INTO minutes (minute, process, kind, state, open)
                 SELECT ?1, coalesce(process, 0), kind, state, count(*) FROM findings
                 WHERE ended IS NULL AND seen GROUP BY process, kind, state
                 ON CONFLICT (minute, process, kind, state) DO UPDATE SET open = excluded.open",
            )?
            .execute([now.div_euclid(MINUTE)])?;
        transaction.commit()?;
        room::expire(&mut self.db, self.limits.age, now)
    }

    /// Closes what was open when the last agent ended and has not been found again.
    pub(super) fn end_unseen(&mut self) -> rusqlite::Result<usize> {
        self.db
            .prepare_cached(END_UNSEEN)?
            .execute(params![ENDED_UNSEEN, self.last_alive, "", ""])
    }

    /// Adds to the changes that could not be written.
    pub(super) fn lose(&mut self, lost: u64) -> rusqlite::Result<()> {
        add(&self.db, "unwritten", lost)
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Connection {
        &self.db
    }

    /// Findings of earlier boots are over; those of this one have to be seen again.
    fn take_over(&mut self) -> rusqlite::Result<()> {
        self.last_alive = number(&self.db, "alive")?;
        let transaction = self.db.transaction()?;
        transaction.execute(
            END_UNSEEN,
            params![ENDED_UNSEEN, self.last_alive, self.boot, self.boot],
        )?;
        transaction.execute("UPDATE findings SET seen = 0 WHERE ended IS NULL", [])?;
        transaction.commit()
    }
}

/// With a boot: those of other boots. Without: those that were not seen.
const END_UNSEEN: &str = "
UPDATE findings SET ended = max(updated, coalesce(?2, updated)), cause = ?1, phase = 'resolved'
WHERE ended IS NULL AND iif(?3 = '', seen = 0, boot <> ?4)";

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

fn put(transaction: &Transaction<'_>, past: &Past, boot: &str) -> rusqlite::Result<()> {
    let process = match &past.process {
        Some(process) => Some(rows::put_process(transaction, process)?),
        None => None,
    };
    // Of a finding that was there: whether it was open.
    let known: Option<bool> = transaction
        .prepare_cached("SELECT ended IS NULL FROM findings WHERE leak = ?1")?
        .query_row([past.id], |row| row.get(0))
        .optional()?;
    rows::put_finding(transaction, past, boot, process)?;
    let opened = known.is_none();
    let resolved = past.end.is_some() && known != Some(false);
    if opened || resolved {
        transaction
            .prepare_cached(
                "INSERT INTO minutes (minute, process, kind, state, opened, resolved) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (minute, process, kind, state) DO UPDATE SET
                 opened = opened + excluded.opened, resolved = resolved + excluded.resolved",
            )?
            .execute(params![
                past.updated.div_euclid(MINUTE),
                process.unwrap_or(0),
                past.kind.name(),
                past.socket.state.name(),
                opened,
                resolved,
            ])?;
    }
    Ok(())
}

fn connect(path: &Path, limits: Limits) -> Result<Connection, HistoryError> {
    // SQLite gives its other files the mode of this one.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(path)
        .map_err(|reason| HistoryError::open(path, reason))?;
    let wrong = |reason| HistoryError::sqlite(path, reason);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags).map_err(wrong)?;
    db.busy_timeout(BUSY).map_err(wrong)?;
    let application = pragma(&db, "application_id").map_err(wrong)?;
    let version = pragma(&db, "user_version").map_err(wrong)?;
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(wrong)?;
    if tables > 0 && application != APPLICATION {
        return Err(HistoryError::Foreign { path: name(path) });
    }
    if version > VERSION {
        return Err(HistoryError::Newer {
            path: name(path),
            found: version,
            known: VERSION,
        });
    }
    prepare(&mut db, limits, tables == 0).map_err(wrong)?;
    Ok(db)
}

fn prepare(db: &mut Connection, limits: Limits, is_new: bool) -> rusqlite::Result<()> {
    if is_new {
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    let page = pragma(db, "page_size")?.unsigned_abs().max(1);
    let pages = (limits.size / page).max(16);
    db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    db.query_row(
        &format!("PRAGMA journal_size_limit = {}", 4 << 20),
        [],
        |_| Ok(()),
    )?;
    if is_new {
        let transaction = db.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The value of a pragma that is a number.
pub(super) fn pragma(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}

/// Adds to a number.
pub(super) fn add(db: &Connection, name: &str, more: u64) -> rusqlite::Result<()> {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    db.prepare_cached(
        "INSERT INTO numbers VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
    )?
    .execute(params![name, more])?;
    Ok(())
}

fn set(db: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO numbers VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![name, value])?;
    Ok(())
}

/// A number that was stored.
pub(super) fn number(db: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT value FROM numbers WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// What was not kept.
pub(super) fn losses(db: &Connection) -> rusqlite::Result<PastLosses> {
    let number = |name| -> rusqlite::Result<u64> {
        let value = number(db, name)?.unwrap_or(0);
        Ok(u64::try_from(value).unwrap_or(0))
    };
    Ok(PastLosses {
        expired: number("expired")?,
        displaced: number("displaced")?,
        unwritten: number("unwritten")?,
    })
}

/// The first bytes of a file; none of one that is empty or not there.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MAGIC.len() as u64).read_to_end(&mut begin)?,
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(begin)
}

/// Moves a damaged database out of the way, in place of one that was moved earlier.
fn put_aside(path: &Path) -> Result<PathBuf, HistoryError> {
    let aside = with_suffix(path, ".corrupt");
    fs::rename(path, &aside).map_err(|reason| HistoryError::open(path, reason))?;
    for suffix in ["-wal", "-shm"] {
        // They belong to it; a new database must not find them.
        let _ = fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix));
    }
    Ok(aside)
}

/// The path with something behind its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
