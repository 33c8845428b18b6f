//! The stream of records, on tokio.

use std::io;

use aya::Ebpf;
use aya::maps::{MapData, RingBuf};
use tokio::io::unix::AsyncFd;

use crate::source::batch::Batch;

/// How many bytes are taken before others get their turn.
const MOST: usize = 1 << 20;

/// The ring buffer's reading end.
pub struct Ring {
    fd: Option<AsyncFd<RingBuf<MapData>>>,
    idle: Option<RingBuf<MapData>>,
}

impl Ring {
    /// Takes the ring buffer out of the object.
    pub fn new(ebpf: &mut Ebpf) -> Result<Self, String> {
        let map = ebpf
            .take_map("EVENTS")
            .ok_or("the object has no map EVENTS")?;
        let ring = RingBuf::try_from(map).map_err(|error| error.to_string())?;
        Ok(Self {
            fd: None,
            idle: Some(ring),
        })
    }

    /// Waits until there is something, then takes all of it, or about a megabyte, whichever is
    /// less. Must be called within a tokio runtime. Cancelling it loses nothing.
    pub async fn read(&mut self, into: &mut Batch) -> io::Result<()> {
        let fd = self.register()?;
        let mut ready = fd.readable_mut().await?;
        if drain(ready.get_inner_mut(), into) {
            // Readiness is told once: it may be cleared only when nothing is left.
            ready.clear_ready();
        }
        Ok(())
    }

    /// Takes what is there, at most about a megabyte, without waiting; true if nothing is left.
    pub fn take(&mut self, into: &mut Batch) -> bool {
        match (&mut self.idle, &mut self.fd) {
            (Some(ring), _) => drain(ring, into),
            (None, Some(fd)) => drain(fd.get_mut(), into),
            (None, None) => true,
        }
    }

    fn register(&mut self) -> io::Result<&mut AsyncFd<RingBuf<MapData>>> {
        if let Some(ring) = self.idle.take() {
            // SAFETY: a RingBuf owns its map's descriptor and does not change it while it lives.
            self.fd = Some(unsafe { AsyncFd::register(ring) }.map_err(io::Error::from)?);
        }
        self.fd
            .as_mut()
            .ok_or_else(|| io::Error::other("the ring buffer is gone"))
    }
}

/// Copies records out; true if none is left.
fn drain(ring: &mut RingBuf<MapData>, into: &mut Batch) -> bool {
    while into.bytes() < MOST {
        match ring.next() {
            Some(record) => into.push(&record),
            None => return true,
        }
    }
    false
}
