//! Sockets of the test program itself.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// A port on which nobody listens, nor will as long as this lives.
///
/// It is the client's port of a connection. That of a listener that has been closed would not do:
/// another test may be given it, and a child that another test has just forked still listens on it.
#[derive(Debug)]
pub(crate) struct DeafPort {
    client: TcpStream,
    /// Keeps the connection alive.
    _server: TcpStream,
}

impl DeafPort {
    pub(crate) fn new() -> Self {
        let (client, server) = connection();
        Self {
            client,
            _server: server,
        }
    }

    /// Whom to connect to in vain.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        match self.client.local_addr().expect("an address") {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(address) => panic!("{address} is not IPv4"),
        }
    }
}

/// A TCP socket that nothing has been done with.
pub(crate) fn tcp_socket() -> OwnedFd {
    // SAFETY: socket() takes three integers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0, "socket: {}", io::Error::last_os_error());
    // SAFETY: the kernel just made this descriptor and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Connects, and keeps the socket if that fails, which std does not.
pub(crate) fn connect(socket: &OwnedFd, to: SocketAddrV4) -> io::Result<()> {
    let address = libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET).expect("a small number"),
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(to.ip().octets()),
        },
        sin_zero: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&address)).expect("a small number");
    // SAFETY: the address is a valid sockaddr_in of the given length.
    let failed = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if failed == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Makes a listener stop listening, and keeps it.
pub(crate) fn shut_down(listener: &TcpListener) {
    // SAFETY: shutdown() takes two integers.
    let failed = unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
    assert_eq!(failed, 0, "shutdown: {}", io::Error::last_os_error());
}

/// A connection of this program with itself, over which a byte has gone.
pub(crate) fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let mut client =
        TcpStream::connect(listener.local_addr().expect("its address")).expect("a client");
    let (server, _) = listener.accept().expect("a connection");
    client.write_all(b"x").expect("a byte");
    (client, server)
}
