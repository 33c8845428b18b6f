//! What versions before classes had files of their own have left: `NUMBER.spool` with records
//! `length | checksum | bytes`, and `cursor`, which says up to where they were taken.

use std::fs;
use std::io;
use std::path::Path;

use super::segment::numbered;

const CURSOR: &str = "cursor";

/// Hands every batch that was not taken to `take_over`, and removes what has been handed over. Bytes that are no
/// records any more.
///
/// If it is interrupted, the same batches come again the next time.
pub(super) fn take_over(
    folder: &Path,
    mut take_over: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let segments = numbered(folder, ".spool")?;
    if segments.is_empty() {
        return Ok(0);
    }
    let text = fs::read_to_string(folder.join(CURSOR)).unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
    let last = segments.last().map_or(0, |(number, _)| *number);
    let (segment, offset) = match (numbers.next(), numbers.next()) {
        (Some(Ok(segment)), Some(Ok(offset))) if segment <= last => (segment, offset),
        _ => (0, 0),
    };
    let mut damaged = 0;
    for (number, path) in segments {
        if number >= segment {
            let bytes = fs::read(&path)?;
            let taken = if number == segment { offset } else { 0 };
            let taken = usize::try_from(taken).unwrap_or(usize::MAX);
            let mut rest = bytes.get(taken..).unwrap_or_default();
            while let Some((batch, others)) = record(rest) {
                take_over(batch)?;
                rest = others;
            }
            damaged += u64::try_from(rest.len()).unwrap_or(u64::MAX);
        }
        fs::remove_file(path)?;
    }
    fs::remove_file(folder.join(CURSOR)).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    Ok(damaged)
}

/// The first record of `bytes`, if there is one that is whole, and what comes behind it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (batch, rest) = rest.split_at_checked(length)?;
    (crc32fast::hash(batch) == u32::from_le_bytes(*checksum)).then_some((batch, rest))
}
