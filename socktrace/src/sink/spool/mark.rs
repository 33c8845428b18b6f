//! Up to where everything was taken: the number of the first record that was not, with a checksum.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

const NAME: &str = "taken";
const LENGTH: usize = 30;

/// The mark, and its file. It is written in place: so few bytes are never written by half, and a full disk has
/// room for them.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    at: u64,
}

impl Mark {
    /// Where the last run had come to. A mark that cannot be read is at the beginning: everything that is still
    /// there is delivered, some of it again.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, u64)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(NAME))?;
        let mut bytes = [0; LENGTH];
        let read = file.read_at(&mut bytes, 0)?;
        let number = bytes.get(..20).filter(|_| read == bytes.len());
        let number = number.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        let at = number.filter(|at| text(*at) == bytes).unwrap_or(0);
        Ok((Self { file, at }, at))
    }

    /// Everything before `at` was taken.
    pub(super) fn set(&mut self, at: u64) -> io::Result<()> {
        if at == self.at {
            return Ok(());
        }
        self.file.write_all_at(&text(at), 0)?;
        self.at = at;
        Ok(())
    }
}

/// Twenty digits, and eight of their checksum: `00000000000000000042 1b2c3d4e` and a newline.
fn text(at: u64) -> [u8; LENGTH] {
    let digits = format!("{at:020}");
    let line = format!("{digits} {:08x}\n", crc32fast::hash(digits.as_bytes()));
    line.as_bytes().try_into().unwrap_or([0; LENGTH])
}
