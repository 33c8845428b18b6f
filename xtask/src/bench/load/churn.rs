//! Connections made, used for a byte, and closed: by the client first, so that each passes through
//! CLOSE_WAIT as a healthy one does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Lane;
use super::netns::{ADDRESSES, address, enter};
use crate::clock::Stopwatch;

/// One thread's share.
pub(super) fn run(lane: &Lane, thread: u16, count: u32) -> Result<Duration> {
    let listeners = listen(lane, thread)?;
    let since = Stopwatch::start();
    for (listener, address) in listeners.iter().cycle().take(count as usize) {
        one(listener, *address)?;
    }
    Ok(since.elapsed())
}

/// Listeners on several addresses, so that ports do not run out.
pub(super) fn listen(lane: &Lane, thread: u16) -> Result<Vec<(TcpListener, SocketAddr)>> {
    enter(lane.server.as_deref())?;
    let listeners = (0..ADDRESSES).map(|index| {
        let listener =
            TcpListener::bind((address(lane, thread, index), 0)).context("cannot listen")?;
        let address = listener
            .local_addr()
            .context("a listener without an address")?;
        Ok((listener, address))
    });
    let listeners = listeners.collect::<Result<_>>()?;
    enter(lane.client.as_deref())?;
    Ok(listeners)
}

fn one(listener: &TcpListener, address: SocketAddr) -> Result<()> {
    let mut client = TcpStream::connect(address).context("cannot connect")?;
    let (mut server, _) = listener.accept().context("cannot accept")?;
    let mut buffer = [0; 16];
    client.write_all(b"x").context("cannot send")?;
    ensure!(
        server.read(&mut buffer).context("cannot receive")? == 1,
        "a byte is missing"
    );
    drop(client);
    ensure!(
        server.read(&mut buffer).context("cannot receive")? == 0,
        "the end is missing"
    );
    Ok(())
}
