//! Lines to a file, which may be put aside and begun anew.
//!
//! * [`FileSink`]: the sink.
//! * [`aside`]: what becomes of files that were put aside.

mod aside;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::open::Patient;
use super::target::FileTarget;
use super::{LineSink, Sink, SinkError};
use crate::clock::Clock;
use crate::model::BootTime;

/// A file and its rotation.
pub(super) struct FileSink<C> {
    name: String,
    target: FileTarget,
    clock: C,
    lines: LineSink<Patient>,
    size: u64,
    begun: BootTime,
}

impl<C: Clock + Send> FileSink<C> {
    /// Opens the file. One that is not there is created with mode 0640 (less the umask); one that is there
    /// is appended to.
    pub(super) fn open(name: String, target: &FileTarget, clock: C) -> io::Result<Self> {
        let file = open(&target.path)?;
        let (size, age) = size_and_age(&file, &clock);
        Ok(Self {
            lines: LineSink::new(name.clone(), Patient(file)),
            name,
            target: target.clone(),
            size,
            begun: clock.boot().before(age),
            clock,
        })
    }

    fn is_due(&self, batch: &[u8]) -> bool {
        let rotation = &self.target.rotation;
        let more = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let full = rotation
            .size
            .is_some_and(|most| self.size.saturating_add(more) > most);
        let old = rotation
            .age
            .is_some_and(|most| self.clock.boot().since(self.begun) >= most);
        self.size > 0 && (full || old)
    }

    /// Puts the file aside and begins a new one. If that fails the old one goes on.
    fn rotate(&mut self) -> io::Result<()> {
        let path = &self.target.path;
        let aside = aside::free_name(path, self.clock.wall())?;
        match fs::rename(path, &aside) {
            // Somebody has moved it: it is put aside already.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.begin()?;
        aside::tidy(&self.target.path, self.target.rotation);
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        let file = open(&self.target.path)?;
        let (size, age) = size_and_age(&file, &self.clock);
        self.size = size;
        self.begun = self.clock.boot().before(age);
        self.lines = LineSink::new(self.name.clone(), Patient(file));
        Ok(())
    }

    fn failed(&self, reason: io::Error) -> SinkError {
        SinkError::Write {
            name: self.name.clone(),
            reason,
            lines: 0,
        }
    }
}

impl<C: Clock + Send> Sink for FileSink<C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, batch: &[u8]) -> Result<(), SinkError> {
        let rotated = if self.is_due(batch) {
            self.rotate()
        } else {
            Ok(())
        };
        self.lines.write(batch)?;
        let more = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(more);
        // The lines are safe; that the file could not be put aside has to be known all the same.
        rotated.map_err(|reason| self.failed(reason))
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        self.begin().map_err(|reason| self.failed(reason))
    }
}

/// How large a file is and how long it has been written to, as far as the file system knows.
fn size_and_age(file: &File, clock: &impl Clock) -> (u64, Duration) {
    let Ok(metadata) = file.metadata() else {
        return (0, Duration::ZERO);
    };
    let born = metadata.created().ok();
    let age = born.and_then(|born| clock.wall().duration_since(born).ok());
    (metadata.size(), age.unwrap_or_default())
}

fn open(path: &Path) -> io::Result<File> {
    // Opening a named pipe would wait for its reader, a socket cannot be opened at all.
    if let Ok(metadata) = fs::metadata(path) {
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_socket() {
            let what = "it is a named pipe or a socket, not a file";
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

#[cfg(test)]
mod tests;
