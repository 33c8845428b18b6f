//! From a target to a sink.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use super::{LineSink, Sink, SinkError, Target};

/// Opens the sink for `target`. A file that is not there is created with mode 0640 (less the umask); one
/// that is there is appended to.
///
/// # Errors
///
/// [`SinkError::Open`] with the path and the reason.
pub fn open(target: &Target) -> Result<Box<dyn Sink>, SinkError> {
    let name = target.name();
    let file = match target {
        Target::Stdout => stdout(),
        Target::File(path) => open_file(path),
    };
    match file {
        Ok(file) => Ok(Box::new(LineSink::new(name, patient(file)))),
        Err(reason) => Err(SinkError::Open { name, reason }),
    }
}

/// Standard output without the buffer of [`io::Stdout`], which would cut a batch into several writes
/// and keep what could not be written.
fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

fn open_file(path: &Path) -> io::Result<File> {
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

/// `file` as a writer that waits where it cannot take more at once.
pub(super) fn patient(file: File) -> impl Write + Send {
    Patient(file)
}

/// A file that waits where another process has made its description non-blocking (a terminal or a pipe
/// is often shared with one that did).
struct Patient(File);

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait_writable(&self.0)?,
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn wait_writable(file: &File) -> io::Result<()> {
    let mut wanted = libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: `wanted` is one valid pollfd, and `file` keeps its descriptor open during the call.
    let ready = unsafe { libc::poll(&raw mut wanted, 1, -1) };
    let error = io::Error::last_os_error();
    if ready < 0 && error.kind() != ErrorKind::Interrupted {
        Err(error)
    } else {
        Ok(())
    }
}
