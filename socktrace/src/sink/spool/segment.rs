//! Files of a spool: records, each `length | checksum | bytes`, the numbers being little-endian `u32` and the
//! checksum the CRC-32 of the bytes (ISO 3309).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const HEADER: usize = 8;
/// A record larger than this is none: batches are far smaller.
const MOST: usize = 64 << 20;
const SUFFIX: &str = ".spool";

/// One file, written at its end.
#[derive(Debug)]
pub(super) struct Segment {
    number: u64,
    file: File,
    bytes: u64,
}

/// Why there is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The file ends there.
    End,
    /// What is there is no record.
    Damaged,
}

impl Segment {
    /// A new one.
    pub(super) fn begin(folder: &Path, number: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path(folder, number))?;
        Ok(Self {
            number,
            file,
            bytes: 0,
        })
    }

    /// One that an earlier run has left; a record that was not finished is cut off. Bytes of it.
    pub(super) fn repair(folder: &Path, number: u64) -> io::Result<(Self, u64)> {
        let reader = Reader::open(folder, number)?;
        let size = reader.0.metadata()?.len();
        let mut whole = 0;
        // Only the end can be unfinished. Damage before it is found when it is read.
        while let Some(end) = reader.end_of_record(whole, size)? {
            whole = end;
        }
        let file = OpenOptions::new().append(true).open(path(folder, number))?;
        file.set_len(whole)?;
        let segment = Self {
            number,
            file,
            bytes: whole,
        };
        Ok((segment, size - whole))
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a record. One that cannot be written as a whole leaves nothing behind.
    pub(super) fn append(&mut self, batch: &[u8]) -> io::Result<()> {
        let length = u32::try_from(batch.len()).map_err(io::Error::other)?;
        let mut record = Vec::with_capacity(HEADER + batch.len());
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(batch).to_le_bytes());
        record.extend_from_slice(batch);
        if let Err(error) = self.file.write_all(&record) {
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += size_of(batch);
        Ok(())
    }

    pub(super) fn remove(self, folder: &Path) -> io::Result<()> {
        fs::remove_file(path(folder, self.number))
    }
}

/// Bytes that a batch takes in a segment.
pub(super) fn size_of(batch: &[u8]) -> u64 {
    (HEADER as u64).saturating_add(u64::try_from(batch.len()).unwrap_or(u64::MAX))
}

/// The numbers of the segments in a folder, in order.
pub(super) fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        numbers.extend(number.and_then(|number| u64::from_str_radix(number, 16).ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}{SUFFIX}"))
}

/// Reads records.
#[derive(Debug)]
pub(super) struct Reader(File);

impl Reader {
    pub(super) fn open(folder: &Path, number: u64) -> io::Result<Self> {
        File::open(path(folder, number)).map(Self)
    }

    /// The record at `offset` of a file of which `bytes` are written.
    pub(super) fn read(&self, offset: u64, bytes: u64) -> io::Result<Result<Vec<u8>, Ended>> {
        if offset >= bytes {
            return Ok(Err(Ended::End));
        }
        let Some(end) = self.end_of_record(offset, bytes)? else {
            return Ok(Err(Ended::Damaged));
        };
        let checksum = self.header(offset)?.1;
        let length = usize::try_from(end - offset).map_err(io::Error::other)? - HEADER;
        let mut batch = vec![0; length];
        self.0.read_exact_at(&mut batch, offset + HEADER as u64)?;
        if crc32fast::hash(&batch) == checksum {
            Ok(Ok(batch))
        } else {
            Ok(Err(Ended::Damaged))
        }
    }

    /// Where the record at `offset` ends; `None` if it is not there as a whole.
    fn end_of_record(&self, offset: u64, bytes: u64) -> io::Result<Option<u64>> {
        let left = bytes.saturating_sub(offset);
        if left < HEADER as u64 {
            return Ok(None);
        }
        let (length, _) = self.header(offset)?;
        let whole = HEADER as u64 + u64::from(length);
        let fits = usize::try_from(length).is_ok_and(|length| length <= MOST) && whole <= left;
        Ok(fits.then_some(offset + whole))
    }

    fn header(&self, offset: u64) -> io::Result<(u32, u32)> {
        let mut length = [0; 4];
        let mut checksum = [0; 4];
        self.0.read_exact_at(&mut length, offset)?;
        self.0.read_exact_at(&mut checksum, offset + 4)?;
        Ok((u32::from_le_bytes(length), u32::from_le_bytes(checksum)))
    }
}
