//! Requests and responses of a few bytes on connections that stay.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Lane;
use super::churn::listen;
use crate::clock::Stopwatch;

/// Bytes of a request and of a response.
const MESSAGE: usize = 32;

/// One thread's share, over all its connections in turn.
pub(super) fn run(lane: &Lane, thread: u16, count: u32) -> Result<Duration> {
    let mut kept = Vec::new();
    for (listener, address) in listen(lane, thread)? {
        let client = TcpStream::connect(address).context("cannot connect")?;
        let (server, _) = listener.accept().context("cannot accept")?;
        for end in [&client, &server] {
            end.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        }
        kept.push((client, server));
    }
    let lines = kept.len();
    let since = Stopwatch::start();
    for index in 0..count as usize {
        if let Some((client, server)) = kept.get_mut(index % lines) {
            pass(client, server)?;
            pass(server, client)?;
        }
    }
    Ok(since.elapsed())
}

fn pass(from: &mut TcpStream, to: &mut TcpStream) -> Result<()> {
    let mut buffer = [0; MESSAGE];
    from.write_all(&[b'x'; MESSAGE]).context("cannot send")?;
    to.read_exact(&mut buffer).context("cannot receive")
}
