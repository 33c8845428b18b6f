//! Sockets of the test program itself.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// A port on which nobody listens, nor will as long as this lives: it is bound.
///
/// It is none of those that the kernel chooses from for clients: a client that is given the port it connects
/// to is connected with itself. Nor is it that of a listener that has been closed: a child that another test
/// has just forked would still listen on it.
#[derive(Debug)]
pub(crate) struct DeafPort {
    address: SocketAddrV4,
    /// Keeps the port.
    _bound: OwnedFd,
}

impl DeafPort {
    pub(crate) fn new() -> Self {
        let bound = tcp_socket();
        Self {
            address: bind(&bound),
            _bound: bound,
        }
    }

    /// Whom to connect to in vain.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        self.address
    }
}

/// A listener whose queue is full: the kernel drops every further SYN without an answer.
#[derive(Debug)]
pub(crate) struct DeafQueue {
    listener: TcpListener,
    /// It fills the queue.
    _client: TcpStream,
}

impl DeafQueue {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        // SAFETY: listen() takes two integers. A queue of length 0 has room for one connection.
        let failed = unsafe { libc::listen(listener.as_raw_fd(), 0) };
        assert_eq!(failed, 0, "listen: {}", io::Error::last_os_error());
        let client = TcpStream::connect(listener.local_addr().expect("its address"));
        Self {
            listener,
            _client: client.expect("the first client"),
        }
    }

    /// A socket whose connection is begun and will not come to be.
    pub(crate) fn knock(&self) -> OwnedFd {
        let socket = tcp_socket();
        // SAFETY: fcntl() takes three integers here.
        let failed = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        assert_eq!(failed, 0, "fcntl: {}", io::Error::last_os_error());
        let error = connect(&socket, v4(&self.listener)).expect_err("the queue is full");
        assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS), "{error}");
        socket
    }
}

/// The address of an IPv4 listener.
pub(crate) fn v4(listener: &TcpListener) -> SocketAddrV4 {
    match listener.local_addr().expect("its address") {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address} is not IPv4"),
    }
}

/// Binds a socket to a port that is none of those that the kernel chooses from.
pub(crate) fn bind(socket: &OwnedFd) -> SocketAddrV4 {
    let is_bound = |address: &SocketAddrV4| {
        let address = sockaddr(*address);
        // SAFETY: the address is a valid sockaddr_in of the given length.
        unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), LENGTH) == 0 }
    };
    (15_000..30_000)
        .map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
        .find(is_bound)
        .expect("a free port")
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
    let address = sockaddr(to);
    // SAFETY: the address is a valid sockaddr_in of the given length.
    let failed = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), LENGTH) };
    if failed == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The length of a `sockaddr_in`.
#[expect(clippy::cast_possible_truncation, reason = "it is 16")]
const LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

fn sockaddr(of: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET).expect("a small number"),
        sin_port: of.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(of.ip().octets()),
        },
        sin_zero: [0; 8],
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
