//! Files of a spool: records, each `length | checksum | number | bytes`. Numbers are little-endian, two `u32` and a
//! `u64`; the checksum is the CRC-32 (ISO 3309) of the number and the bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes before those of a record.
pub(super) const HEADER: u64 = 16;
/// A record larger than this is none: batches are far smaller.
const MOST: u64 = 64 << 20;

/// One file. It knows no more than where it is and how much of it is written.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    pub(super) bytes: u64,
}

/// What is at some place of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A record with this number that takes so many bytes; they may be damaged.
    Record { number: u64, size: u64 },
    /// The end.
    End,
    /// No record, and no telling where the next one begins.
    Damaged,
}

impl Segment {
    /// A new one, and what writes to it.
    pub(super) fn begin(path: PathBuf) -> io::Result<(Self, File)> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok((Self { path, bytes: 0 }, file))
    }

    /// One that an earlier run has left.
    pub(super) fn found(path: PathBuf) -> io::Result<Self> {
        let bytes = fs::metadata(&path)?.len();
        Ok(Self { path, bytes })
    }

    /// Cuts off what is behind `bytes`.
    pub(super) fn cut(&mut self, bytes: u64) -> io::Result<()> {
        if bytes < self.bytes {
            let file = OpenOptions::new().write(true).open(&self.path)?;
            file.set_len(bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// To write at its end.
    pub(super) fn writer(&self) -> io::Result<File> {
        OpenOptions::new().append(true).open(&self.path)
    }

    /// To read from it.
    pub(super) fn reader(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Adds a record with `file`, which writes to it. One that cannot be written as a whole leaves nothing behind.
    pub(super) fn append(&mut self, file: &mut File, number: u64, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut record = Vec::with_capacity(bytes.len() + 16);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&checksum(number, bytes).to_le_bytes());
        record.extend_from_slice(&number.to_le_bytes());
        record.extend_from_slice(bytes);
        if let Err(error) = file.write_all(&record) {
            file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += size_of(bytes);
        Ok(())
    }

    /// What is at `offset`.
    pub(super) fn head(&self, file: &File, offset: u64) -> io::Result<Head> {
        if offset >= self.bytes {
            return Ok(Head::End);
        }
        let left = self.bytes - offset;
        if left < HEADER {
            return Ok(Head::Damaged);
        }
        let (length, _, number) = header(file, offset)?;
        let size = HEADER + u64::from(length);
        if u64::from(length) > MOST || size > left {
            return Ok(Head::Damaged);
        }
        Ok(Head::Record { number, size })
    }

    pub(super) fn remove(self) -> io::Result<()> {
        match fs::remove_file(self.path) {
            // Somebody has tidied up.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// The bytes of the record at `offset`, which takes `size`; `None` if they are not what was written.
pub(super) fn read(file: &File, offset: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
    let (_, expected, number) = header(file, offset)?;
    let length = usize::try_from(size.saturating_sub(HEADER)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset + HEADER)?;
    Ok((checksum(number, &bytes) == expected).then_some(bytes))
}

/// What a record of these bytes takes.
pub(super) fn size_of(bytes: &[u8]) -> u64 {
    HEADER.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

/// Length, checksum and number.
fn header(file: &File, offset: u64) -> io::Result<(u32, u32, u64)> {
    let mut bytes = [0; 16];
    file.read_exact_at(&mut bytes, offset)?;
    let [l0, l1, l2, l3, c0, c1, c2, c3, number @ ..] = bytes;
    Ok((
        u32::from_le_bytes([l0, l1, l2, l3]),
        u32::from_le_bytes([c0, c1, c2, c3]),
        u64::from_le_bytes(number),
    ))
}

fn checksum(number: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// The files of a folder whose names are a number and `suffix`, in the order of their numbers.
pub(super) fn numbered(folder: &Path, suffix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(suffix));
        if let Some(number) = number.and_then(|number| u64::from_str_radix(number, 16).ok()) {
            found.push((number, folder.join(name)));
        }
    }
    found.sort_unstable();
    Ok(found)
}
