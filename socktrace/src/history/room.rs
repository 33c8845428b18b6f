//! What has to go: findings that are too old, and the oldest where there is no room.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::rows::MINUTE;
use super::store::{add, pragma};
use crate::model::WallMicros;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the database. The log beside it is a few megabytes more.
    pub size: u64,
    /// How long a finding is kept after its end.
    pub age: Duration,
}

/// Rows that go at once: few enough for a short transaction.
const STEP: i64 = 2_000;

/// Forgets what ended too long ago.
pub(super) fn expire(db: &mut Connection, age: Duration, now: WallMicros) -> rusqlite::Result<()> {
    let age = WallMicros::try_from(age.as_micros()).unwrap_or(WallMicros::MAX);
    let oldest = now.saturating_sub(age);
    loop {
        let transaction = db.transaction()?;
        let gone = transaction
            .prepare_cached(
                "DELETE FROM findings WHERE id IN
                 (SELECT id FROM findings WHERE ended < ?1 ORDER BY ended LIMIT ?2)",
            )?
            .execute(params![oldest, STEP])?;
        let minutes = transaction
            .prepare_cached("DELETE FROM minutes WHERE minute < ?1")?
            .execute([oldest.div_euclid(MINUTE)])?;
        add(&transaction, "expired", gone as u64)?;
        if gone + minutes > 0 {
            forget_processes(&transaction)?;
        }
        transaction.commit()?;
        if gone == 0 {
            return Ok(());
        }
    }
}

/// Makes room: nine tenths of `size` may be used. The oldest resolved findings go first, and the counts of
/// their time with them; then the oldest counts, and the oldest findings that are open.
pub(super) fn make(db: &mut Connection, size: u64) -> rusqlite::Result<()> {
    let limit = size / 10 * 9;
    if used(db)? <= limit {
        return Ok(());
    }
    // Some more, so that not every batch has to do it.
    let goal = size / 100 * 85;
    while used(db)? > goal {
        let transaction = db.transaction()?;
        let until: Option<WallMicros> = transaction.query_row(
            "SELECT max(ended) FROM
             (SELECT ended FROM findings WHERE ended IS NOT NULL ORDER BY ended LIMIT ?1)",
            [STEP],
            |row| row.get(0),
        )?;
        let mut gone = 0;
        let minutes;
        if let Some(until) = until {
            gone = transaction.execute(
                "DELETE FROM findings WHERE id IN
                 (SELECT id FROM findings WHERE ended IS NOT NULL ORDER BY ended LIMIT ?1)",
                [STEP],
            )?;
            minutes = transaction.execute(
                "DELETE FROM minutes WHERE minute < ?1",
                [until.div_euclid(MINUTE)],
            )?;
        } else {
            minutes = transaction.execute(
                "DELETE FROM minutes WHERE minute <=
                 (SELECT max(minute) FROM (SELECT minute FROM minutes ORDER BY minute LIMIT ?1))",
                [STEP],
            )?;
            if minutes == 0 {
                gone = transaction.execute(
                    "DELETE FROM findings WHERE id IN (SELECT id FROM findings ORDER BY started LIMIT ?1)",
                    [STEP],
                )?;
            }
        }
        add(&transaction, "displaced", gone as u64)?;
        forget_processes(&transaction)?;
        transaction.commit()?;
        if gone + minutes == 0 {
            break;
        }
    }
    // What is free is given back to the disk.
    let mut vacuum = db.prepare_cached("PRAGMA incremental_vacuum")?;
    let mut steps = vacuum.query([])?;
    while steps.next()?.is_some() {}
    Ok(())
}

/// Bytes that hold something.
pub(super) fn used(db: &Connection) -> rusqlite::Result<u64> {
    let pages = pragma(db, "page_count")?.saturating_sub(pragma(db, "freelist_count")?);
    let bytes = pages.saturating_mul(pragma(db, "page_size")?);
    Ok(bytes.unsigned_abs())
}

/// Forgets processes that nothing refers to any more.
fn forget_processes(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM processes WHERE id NOT IN (SELECT process FROM findings WHERE process IS NOT NULL)
         AND id NOT IN (SELECT process FROM minutes)",
    )?
    .execute([])?;
    Ok(())
}
