//! A stream with TLS (RFC 5425).

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustls::{ClientConnection, ProtocolVersion};

use super::super::target::TlsTarget;
use super::super::tls;
use super::{LOOK, PATIENCE, wait_confirmed};
use crate::clock;

/// In TLS 1.3 the client is ready before the server has looked at its certificate. A server that does not
/// like it says so within this time, or what is sent meanwhile is lost.
const GRACE: Duration = Duration::from_millis(300);

/// A connection after its handshake.
pub(in super::super) struct Stream {
    tls: ClientConnection,
    tcp: TcpStream,
}

impl Stream {
    /// Does the handshake over `tcp` with the server, which has to be called `host`.
    pub(in super::super) fn connect(
        tcp: TcpStream,
        host: &str,
        options: &TlsTarget,
    ) -> io::Result<Self> {
        let config = tls::client_config(options)?;
        let name = tls::server_name(host)?;
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let mut stream = Self { tls, tcp };
        while stream.tls.is_handshaking() {
            stream.tls.complete_io(&mut stream.tcp).map_err(explained)?;
        }
        stream.wait_accepted()?;
        Ok(stream)
    }

    /// What stands in the way of a connection with TLS, in words; `None` if nothing does, or if it is not TLS.
    ///
    /// In TLS 1.3 a server looks at our certificate after the handshake: what is on its way then breaks before
    /// what the server says is read, and other clients tell nothing but that. So a handshake is made once more,
    /// and listened to.
    #[cfg(any(feature = "http", feature = "kafka"))]
    pub(in super::super) fn objection(
        host: &str,
        port: u16,
        options: &TlsTarget,
    ) -> Option<String> {
        let tcp = super::connect_tcp(host, port).ok()?;
        let refused = Self::connect(tcp, host, options).err()?;
        (refused.kind() == ErrorKind::Other).then(|| refused.to_string())
    }

    /// Writes all of it and waits until the other machine has confirmed every byte.
    pub(super) fn send_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.tcp);
        let written = stream.write_all(bytes).and_then(|()| stream.flush());
        if let Err(error) = written {
            // An alert that is already there says more than the broken connection.
            self.listen()?;
            return Err(explained(error));
        }
        // A descriptor of its own, so that alerts can be read while confirmations are counted.
        let tcp = self.tcp.try_clone()?;
        wait_confirmed(&tcp, || self.listen())?;
        self.listen()
    }

    /// Takes what has arrived, which can be nothing but TLS's own messages; fails if the connection has ended.
    pub(super) fn listen(&mut self) -> io::Result<()> {
        self.tcp.set_nonblocking(true)?;
        let heard = self.take_arrived();
        self.tcp.set_nonblocking(false)?;
        heard.map_err(explained)
    }

    fn take_arrived(&mut self) -> io::Result<()> {
        loop {
            match self.tls.read_tls(&mut self.tcp) {
                Ok(0) => return Err(ErrorKind::ConnectionReset.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let state = self.tls.process_new_packets().map_err(io::Error::other)?;
            if state.peer_has_closed() {
                return Err(ErrorKind::ConnectionReset.into());
            }
            // Whatever it says is for nobody.
            let said = self.tls.reader().read(&mut [0; 1024]);
            match said {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    }

    /// Waits until the server shows that it has accepted the handshake, or has had time to refuse it.
    fn wait_accepted(&mut self) -> io::Result<()> {
        if self.tls.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            return Ok(());
        }
        let begun = clock::monotonic_ns();
        loop {
            self.listen()?;
            let waited = Duration::from_nanos(clock::monotonic_ns().saturating_sub(begun));
            if self.tls.tls13_tickets_received() > 0 || waited > GRACE {
                return Ok(());
            }
            std::thread::park_timeout(LOOK);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // RFC 5425 §4.4. The connection may be broken, in which case nobody waits for it.
        self.tls.send_close_notify();
        let _ = self.tls.write_tls(&mut self.tcp);
    }
}

fn explained(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock {
        return ErrorKind::TimedOut.into();
    }
    tls::explained(error)
}
