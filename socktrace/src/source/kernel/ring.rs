//! The stream of records, on tokio.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use aya::Ebpf;
use aya::maps::Map;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::records::Records;
use crate::source::batch::Batch;

/// How many bytes are taken before others get their turn.
const MOST: usize = 1 << 20;

/// The ring buffer's reading end.
pub struct Ring {
    records: Records,
    fd: Waiting,
}

/// What is waited with: a descriptor can be registered within a tokio runtime only.
enum Waiting {
    Not(Option<OwnedFd>),
    On(AsyncFd<OwnedFd>),
}

impl Ring {
    /// Maps the ring buffer of the object.
    pub fn new(ebpf: &mut Ebpf) -> Result<Self, String> {
        let Some(Map::RingBuf(map)) = ebpf.map("EVENTS") else {
            return Err("the object has no map EVENTS".to_owned());
        };
        let info = map.info().map_err(|error| error.to_string())?;
        let fd = map.fd().as_fd();
        let opened = || -> io::Result<Self> {
            let len = usize::try_from(info.max_entries()).map_err(io::Error::other)?;
            Ok(Self {
                records: Records::map(fd, len)?,
                fd: Waiting::Not(Some(fd.try_clone_to_owned()?)),
            })
        };
        opened().map_err(|error| error.to_string())
    }

    /// Waits until there is something, then takes all of it, or about a megabyte, whichever is
    /// less. Must be called within a tokio runtime. Cancelling it loses nothing.
    pub async fn read(&mut self, into: &mut Batch) -> io::Result<()> {
        if let Waiting::Not(fd) = &mut self.fd {
            let fd = fd
                .take()
                .ok_or_else(|| io::Error::other("the ring buffer is gone"))?;
            // SAFETY: an OwnedFd owns its descriptor and does not change it while it lives.
            let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
            self.fd = Waiting::On(fd.map_err(io::Error::from)?);
        }
        let Waiting::On(fd) = &self.fd else {
            return Ok(());
        };
        let mut ready = fd.readable().await?;
        if self.records.take(into, MOST) {
            // Readiness is told once: it may be cleared only when nothing is left.
            ready.clear_ready();
        }
        Ok(())
    }

    /// Takes what is there, at most about a megabyte, without waiting; true if nothing is left.
    pub fn take(&mut self, into: &mut Batch) -> bool {
        self.records.take(into, MOST)
    }
}
