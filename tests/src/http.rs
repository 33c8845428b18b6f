//! Asking over HTTP, on loopback.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::wait::{SOON, stretched};

/// Where ports are looked for, and how many there are.
const FIRST_PORT: u32 = 12_000;
const PORTS: u32 = 20_000;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200, say.
    pub status: u16,
    /// What was asked for.
    pub body: String,
}

/// Asks for `path` at a port of this machine. HTTP/1.0, so that the answer ends with the connection.
///
/// # Errors
///
/// If there is no answer, or one that is not understood.
pub fn get(port: u16, path: &str, accept: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(stretched(SOON)))?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let strange = || io::Error::new(io::ErrorKind::InvalidData, answer.clone());
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(strange)?,
        body: body.to_owned(),
    })
}

/// A port that nobody uses now, and that no connection is given before somebody listens there: the kernel takes
/// those of connections from above (`net.ipv4.ip_local_port_range`).
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Not the same as another process that runs tests at the same time.
    let first = std::process::id().wrapping_mul(7919);
    let free = (0..PORTS).find_map(|_| {
        let number = first.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = u16::try_from(FIRST_PORT + number).ok()?;
        TcpListener::bind(("127.0.0.1", port)).ok()?;
        Some(port)
    });
    free.expect("a port")
}
