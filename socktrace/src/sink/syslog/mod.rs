//! Lines to a syslog daemon or collector: over a unix socket, UDP, TCP or TLS.
//!
//! The header of each line (RFC 5424) is the encoder's work; what is done here is its transport: a datagram
//! a message (RFC 5426), or octet counting on a stream (RFC 6587 §3.4.1, RFC 5425 §4.3).

#[cfg(feature = "tls")]
pub(super) mod tls;

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use super::PATIENCE;
use super::courier::{Refusal, Transport, lines};
use super::target::{SyslogTarget, Wire};
use crate::clock;

/// Between two looks at what is not confirmed.
const LOOK: Duration = Duration::from_millis(2);
/// Handed over at once on a stream.
const BATCH: usize = 256 * 1024;

/// A syslog counterpart.
pub(super) struct Syslog {
    name: String,
    wire: Wire,
    connection: Option<Connection>,
    frames: Vec<u8>,
    /// Datagrams of the batch that has to be sent again which have been sent.
    sent: usize,
}

enum Connection {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tls::Stream>),
}

impl Syslog {
    /// Connects with the first line.
    pub(super) fn new(name: String, target: &SyslogTarget) -> Self {
        Self {
            name,
            wire: target.wire.clone(),
            connection: None,
            frames: Vec::new(),
            sent: 0,
        }
    }

    fn try_send(&mut self, batch: &[u8]) -> Result<u64, io::Error> {
        let mut connection = match self.connection.take() {
            Some(Connection::Tcp(stream)) if was_closed(&stream) => connect(&self.wire)?,
            #[cfg(feature = "tls")]
            Some(Connection::Tls(mut stream)) => match stream.listen() {
                Ok(()) => Connection::Tls(stream),
                Err(_) => connect(&self.wire)?,
            },
            Some(connection) => connection,
            None => connect(&self.wire)?,
        };
        let refused = match &mut connection {
            Connection::Tcp(stream) => {
                frame(batch, &mut self.frames);
                send_all(stream, &self.frames)?;
                0
            }
            #[cfg(feature = "tls")]
            Connection::Tls(stream) => {
                frame(batch, &mut self.frames);
                stream.send_all(&self.frames)?;
                0
            }
            Connection::Unix(socket) => {
                datagrams(batch, &mut self.sent, |message| socket.send(message))?
            }
            Connection::Udp(socket) => {
                datagrams(batch, &mut self.sent, |message| socket.send(message))?
            }
        };
        self.connection = Some(connection);
        Ok(refused)
    }
}

impl Transport for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_bytes(&self) -> usize {
        BATCH
    }

    #[cfg(feature = "tls")]
    fn stack(&self) -> usize {
        match self.wire {
            Wire::Tls(..) => super::LARGE_STACK,
            _ => super::STACK,
        }
    }

    fn send(&mut self, batch: &[u8]) -> Result<(), Refusal> {
        match self.try_send(batch) {
            Ok(0) => Ok(()),
            Ok(lines) => Err(Refusal::Never {
                reason: "the message is larger than a datagram may be".to_owned(),
                lines,
            }),
            Err(error) => Err(Refusal::away(&error)),
        }
    }
}

fn connect(wire: &Wire) -> io::Result<Connection> {
    match wire {
        Wire::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(Path::new(path))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(Connection::Unix(socket))
        }
        Wire::Udp(host, port) => {
            let to = resolve(host, *port)?;
            let any: SocketAddr = if to.is_ipv4() {
                ([0; 4], 0).into()
            } else {
                ([0; 16], 0).into()
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(to)?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(Connection::Udp(socket))
        }
        Wire::Tcp(host, port) => Ok(Connection::Tcp(connect_tcp(host, *port)?)),
        #[cfg(feature = "tls")]
        Wire::Tls(host, port, options) => {
            let stream = tls::Stream::connect(connect_tcp(host, *port)?, host, options)?;
            Ok(Connection::Tls(Box::new(stream)))
        }
        #[cfg(not(feature = "tls"))]
        Wire::Tls(..) => Err(ErrorKind::Unsupported.into()),
    }
}

/// Connects to the first address of `host` that answers.
fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            // Where nobody listens at a port that connections are given, one may come to itself, which would
            // confirm everything.
            Ok(stream) if stream.local_addr()? == stream.peer_addr()? => {
                failed = Some(ErrorKind::ConnectionRefused.into());
            }
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| no_address(host)))
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| no_address(host))
}

fn no_address(host: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("{host} has no address"))
}

/// Sends each line as a message, from the one after the `sent` that were sent before; how many were too
/// large. If an error ends it, `sent` says how far it came, so that nothing is sent twice.
fn datagrams(
    batch: &[u8],
    sent: &mut usize,
    mut send: impl FnMut(&[u8]) -> io::Result<usize>,
) -> io::Result<u64> {
    let mut refused = 0;
    for message in lines(batch).skip(*sent) {
        match send(message) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => refused += 1,
            Err(error) => return Err(error),
        }
        *sent += 1;
    }
    *sent = 0;
    Ok(refused)
}

/// Octet counting: `LENGTH SP MESSAGE`, without anything between messages.
fn frame(batch: &[u8], into: &mut Vec<u8>) {
    into.clear();
    for message in lines(batch) {
        into.extend_from_slice(message.len().to_string().as_bytes());
        into.push(b' ');
        into.extend_from_slice(message);
    }
}

/// Writes all of it and waits until the other machine has confirmed every byte: a connection that breaks
/// before may have lost some, and all of it is sent again.
fn send_all(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    wait_confirmed(stream, || {
        if was_closed(stream) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        Ok(())
    })
}

/// Waits until every byte is confirmed; `look` fails when that will not be.
fn wait_confirmed(stream: &TcpStream, mut look: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let begun = clock::monotonic_ns();
    while unconfirmed(stream)? > 0 {
        look()?;
        if Duration::from_nanos(clock::monotonic_ns().saturating_sub(begun)) > PATIENCE {
            return Err(ErrorKind::TimedOut.into());
        }
        std::thread::park_timeout(LOOK);
    }
    Ok(())
}

/// Bytes that the other end has not acknowledged (tcp(7), `SIOCOUTQ`).
fn unconfirmed(stream: &TcpStream) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: `SIOCOUTQ` (the value of `TIOCOUTQ`) writes one int to a valid pointer.
    let failed = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } != 0;
    if failed {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Whether the other end has closed the connection. Syslog's answers nothing, so there is nothing to read
/// until then.
fn was_closed(stream: &TcpStream) -> bool {
    let mut byte = 0_u8;
    // SAFETY: one byte is read into a valid buffer of one byte, without waiting and without taking it.
    let read = unsafe {
        libc::recv(
            stream.as_raw_fd(),
            (&raw mut byte).cast(),
            1,
            libc::MSG_PEEK | libc::MSG_DONTWAIT,
        )
    };
    let waits = read < 0 && io::Error::last_os_error().kind() == ErrorKind::WouldBlock;
    !waits && read <= 0
}

#[cfg(test)]
mod tests;
