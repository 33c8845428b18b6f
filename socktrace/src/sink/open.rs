//! From a target to a sink.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};

use super::courier::{Courier, Transport};
use super::file::FileSink;
#[cfg(feature = "http")]
use super::http::Http;
use super::journald::Journald;
#[cfg(feature = "kafka")]
use super::kafka::Kafka;
#[cfg(feature = "nats")]
use super::nats::Nats;
use super::spool::Spooled;
use super::syslog::Syslog;
use super::target::SpoolTarget;
use super::{LineSink, Sink, SinkError, Target};
use crate::clock;

/// Opens the sink for `target`. A file that is not there is created with mode 0640 (less the umask); one
/// that is there is appended to.
///
/// # Errors
///
/// [`SinkError::Open`] with the path and the reason.
pub fn open(target: &Target) -> Result<Box<dyn Sink>, SinkError> {
    let name = target.name();
    let opened: io::Result<Box<dyn Sink>> = match target {
        Target::Stdout => stdout()
            .map(|file| -> Box<dyn Sink> { Box::new(LineSink::new(name.clone(), Patient(file))) }),
        Target::Syslog(syslog) => {
            delivered(Syslog::new(name.clone(), syslog), syslog.spool.as_ref())
        }
        Target::Journald(journald) => delivered(
            Journald::new(name.clone(), journald),
            journald.spool.as_ref(),
        ),
        #[cfg(feature = "kafka")]
        Target::Kafka(kafka) => Kafka::new(name.clone(), kafka)
            .and_then(|transport| delivered(transport, kafka.spool.as_ref())),
        #[cfg(feature = "nats")]
        Target::Nats(nats) => Nats::new(name.clone(), nats)
            .and_then(|transport| delivered(transport, nats.spool.as_ref())),
        #[cfg(not(feature = "kafka"))]
        Target::Kafka(_) => Err(ErrorKind::Unsupported.into()),
        #[cfg(not(feature = "nats"))]
        Target::Nats(_) => Err(ErrorKind::Unsupported.into()),
        #[cfg(feature = "http")]
        Target::Http(http) => delivered(Http::new(name.clone(), http), http.spool.as_ref()),
        Target::File(file) => FileSink::open(name.clone(), file, clock::System)
            .map(|sink| -> Box<dyn Sink> { Box::new(sink) }),
    };
    opened.map_err(|reason| SinkError::Open { name, reason })
}

/// A sink that delivers through `transport`, from a spool if there is one.
fn delivered(
    transport: impl Transport + 'static,
    spool: Option<&SpoolTarget>,
) -> io::Result<Box<dyn Sink>> {
    Ok(match spool {
        None => Box::new(Courier::new(transport)),
        Some(spool) => Box::new(Spooled::start(transport, &spool.folder, spool.size)?),
    })
}

/// Standard output without the buffer of [`io::Stdout`], which would cut a batch into several writes
/// and keep what could not be written.
fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// A file that waits where another process has made its description non-blocking (a terminal or a pipe
/// is often shared with one that did).
pub(super) struct Patient(pub(super) File);

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
