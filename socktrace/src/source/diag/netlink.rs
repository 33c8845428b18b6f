//! `NETLINK_SOCK_DIAG`: the TCP sockets of our network namespace, which anybody may ask for
//! (include/uapi/linux/inet_diag.h).

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::model::{Family, Seqs, TcpState};

/// `SOCK_DIAG_BY_FAMILY`, and types of messages (include/uapi/linux/{sock_diag,netlink}.h).
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `INET_DIAG_INFO`: an attribute, asked for by its bit in `idiag_ext`.
const INFO: u16 = 2;
/// `idiag_timer` of a time-wait mini-socket (`inet_twsk_diag_fill`).
const TIMER_TIME_WAIT: u8 = 3;
/// Room for the largest part of an answer that the kernel makes.
const BUFFER: usize = 256 * 1024;

/// `struct nlmsghdr`.
#[repr(C)]
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Header {
    len: u32,
    kind: u16,
    flags: u16,
    seq: u32,
    pid: u32,
}

/// `struct inet_diag_sockid`; ports and addresses in network order.
#[repr(C)]
#[derive(Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Id {
    sport: [u8; 2],
    dport: [u8; 2],
    src: [u8; 16],
    dst: [u8; 16],
    interface: u32,
    cookie: [u32; 2],
}

/// `struct inet_diag_req_v2` behind its header.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct Request {
    header: Header,
    family: u8,
    protocol: u8,
    ext: u8,
    pad: u8,
    states: u32,
    id: Id,
}

/// `struct inet_diag_msg`.
#[repr(C)]
#[derive(FromBytes, Immutable, KnownLayout)]
struct Message {
    family: u8,
    state: u8,
    timer: u8,
    retrans: u8,
    id: Id,
    expires: u32,
    rqueue: u32,
    wqueue: u32,
    uid: u32,
    inode: u32,
}

/// A set of TCP states.
#[derive(Clone, Copy, Debug)]
pub struct States(u32);

impl States {
    /// Every state.
    pub const ALL: Self = Self(u32::MAX);

    /// One state. Of mini-sockets in time-wait it is the state they stand for.
    #[must_use]
    pub fn only(state: TcpState) -> Self {
        Self(1 << state as u32)
    }

    /// These without some.
    #[must_use]
    pub fn without(self, states: &[TcpState]) -> Self {
        let bit = |bits, state: &TcpState| bits & !(1 << *state as u32);
        Self(states.iter().fold(self.0, bit))
    }
}

/// One socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its cookie.
    pub cookie: u64,
    /// Its inode; 0 without a descriptor.
    pub inode: u32,
    /// Family it was opened with.
    pub family: Family,
    /// Its state; of a mini-socket the state it stands for.
    pub state: TcpState,
    /// It is a time-wait mini-socket: its owner is through with it.
    pub mini: bool,
    /// Recv-Q of `ss`; for a listener, connections waiting.
    pub rx_queue: u32,
    /// Send-Q of `ss`; for a listener, how many may wait.
    pub tx_queue: u32,
    /// Time since the peer last acknowledged or we last sent.
    pub idle: Option<Duration>,
    /// Local end; v4-mapped addresses are IPv4 here.
    pub local: SocketAddr,
    /// Remote end; v4-mapped addresses are IPv4 here.
    pub peer: SocketAddr,
}

impl Answer {
    /// Streams with the lengths of these queues. Where they begin is not told.
    pub(super) fn seqs(&self) -> Seqs {
        Seqs {
            rcv_nxt: self.rx_queue,
            copied_seq: 0,
            write_seq: self.tx_queue,
            snd_una: 0,
        }
    }
}

/// Gives every TCP socket of our network namespace in one of `states` to `take`.
///
/// # Errors
///
/// What the kernel said; `InvalidData` if it is not understood.
pub fn table(states: States, take: &mut dyn FnMut(Answer)) -> io::Result<()> {
    dump(states, 1 << (INFO - 1), take)
}

/// Tells the state of every TCP socket of our network namespace in one of `states`, and whether it is a
/// mini-socket. Cheaper than [`table`]: no socket is locked for it.
///
/// # Errors
///
/// As [`table`].
pub fn count(states: States, each: &mut dyn FnMut(TcpState, bool)) -> io::Result<()> {
    dump(states, 0, &mut |answer| each(answer.state, answer.mini))
}

fn dump(states: States, ext: u8, take: &mut dyn FnMut(Answer)) -> io::Result<()> {
    let socket = open()?;
    let mut buffer = vec![0; BUFFER];
    for family in [libc::AF_INET, libc::AF_INET6] {
        ask(&socket, u8::try_from(family).unwrap_or(0), states, ext)?;
        while receive(&socket, &mut buffer, take)? {}
    }
    Ok(())
}

fn open() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: socket() takes three integers.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn ask(socket: &OwnedFd, family: u8, states: States, ext: u8) -> io::Result<()> {
    let request = Request {
        header: Header {
            len: u32::try_from(size_of::<Request>()).unwrap_or(0),
            kind: BY_FAMILY,
            flags: DUMP,
            seq: u32::from(family),
            pid: 0,
        },
        family,
        protocol: u8::try_from(libc::IPPROTO_TCP).unwrap_or(0),
        ext,
        pad: 0,
        states: states.0,
        id: Id::default(),
    };
    let bytes = request.as_bytes();
    // SAFETY: the pointer and the length are those of a slice.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes one part of the answer; false if it was the last.
fn receive(socket: &OwnedFd, buffer: &mut [u8], take: &mut dyn FnMut(Answer)) -> io::Result<bool> {
    // SAFETY: the pointer and the length are those of a slice that may be written to.
    let got = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_TRUNC,
        )
    };
    let Ok(got) = usize::try_from(got) else {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted {
            Ok(true)
        } else {
            Err(error)
        };
    };
    parts(buffer.get(..got).ok_or_else(strange)?, take)
}

/// Takes the messages of one part; false if one says that it was the last.
fn parts(mut bytes: &[u8], take: &mut dyn FnMut(Answer)) -> io::Result<bool> {
    while !bytes.is_empty() {
        let (header, _) = Header::read_from_prefix(bytes).map_err(|_| strange())?;
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        let payload = bytes.get(size_of::<Header>()..len).ok_or_else(strange)?;
        match header.kind {
            DONE => return Ok(false),
            ERROR => {
                let (errno, _) = i32::read_from_prefix(payload).map_err(|_| strange())?;
                return Err(io::Error::from_raw_os_error(errno.saturating_neg()));
            }
            BY_FAMILY => {
                if let Some(answer) = answer(payload) {
                    take(answer);
                }
            }
            _ => {}
        }
        // Messages begin at multiples of four.
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(true)
}

fn strange() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "an answer of sock_diag is not understood",
    )
}

/// `None` for what is no TCP socket of a family and state we know.
fn answer(payload: &[u8]) -> Option<Answer> {
    let (message, attributes) = Message::read_from_prefix(payload).ok()?;
    let (family, local, peer) = match i32::from(message.family) {
        libc::AF_INET => (Family::V4, v4(message.id.src), v4(message.id.dst)),
        libc::AF_INET6 => (Family::V6, v6(message.id.src), v6(message.id.dst)),
        _ => return None,
    };
    let [low, high] = message.id.cookie;
    Some(Answer {
        cookie: u64::from(high) << 32 | u64::from(low),
        inode: message.inode,
        family,
        state: TcpState::from_kernel(message.state.into())?,
        mini: message.inode == 0 && message.timer == TIMER_TIME_WAIT,
        rx_queue: message.rqueue,
        tx_queue: message.wqueue,
        idle: info(attributes).and_then(idle),
        local: SocketAddr::new(local, u16::from_be_bytes(message.id.sport)),
        peer: SocketAddr::new(peer, u16::from_be_bytes(message.id.dport)),
    })
}

fn v4([a, b, c, d, ..]: [u8; 16]) -> IpAddr {
    IpAddr::from([a, b, c, d])
}

fn v6(octets: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(octets).to_canonical()
}

/// The attribute `INET_DIAG_INFO`: a `struct tcp_info`.
fn info(mut attributes: &[u8]) -> Option<&[u8]> {
    loop {
        let ([len, kind], _) = <[u16; 2]>::read_from_prefix(attributes).ok()?;
        let len = usize::from(len);
        let value = attributes.get(4..len)?;
        if kind == INFO {
            return Some(value);
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
}

/// The shorter of `tcpi_last_data_sent` and `tcpi_last_ack_recv`, in milliseconds.
fn idle(tcp_info: &[u8]) -> Option<Duration> {
    const LAST_DATA_SENT: usize = 44;
    const LAST_ACK_RECV: usize = 56;
    let field = |at: usize| Some(u32::read_from_prefix(tcp_info.get(at..)?).ok()?.0);
    let least = field(LAST_DATA_SENT)?.min(field(LAST_ACK_RECV)?);
    Some(Duration::from_millis(least.into()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn our_own_connection_is_in_the_table() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).expect("a listener");
            let at = listener.local_addr().expect("its address");
            let client = TcpStream::connect(at).expect("a client");
            let mut found = Vec::new();
            table(States::ALL, &mut |answer| found.push(answer)).expect("a table");
            let listens = |a: &&Answer| a.local == at && a.state == TcpState::Listen;
            let queue = found.iter().find(listens).expect("the listener").rx_queue;
            assert_eq!(queue, 1, "connections that wait");
            let own = client.local_addr().expect("its address");
            // Former connections between the same ports may still wait for their end.
            let between = |a: &Answer, from, to| (a.local, a.peer, a.mini) == (from, to, false);
            let client = found.iter().find(|a| between(a, own, at));
            let client = client.expect("the client");
            assert_eq!(client.state, TcpState::Established);
            assert!(client.inode != 0 && client.cookie != 0);
            let queued = found.iter().find(|a| between(a, at, own));
            assert_eq!(queued.expect("the server").inode, 0);
            let mut only = Vec::new();
            table(States::only(TcpState::Listen), &mut |a| only.push(a.state)).expect("a table");
            assert!(only.iter().all(|state| *state == TcpState::Listen));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |bytes: &[u8]| parts(bytes, &mut |_| {}).is_err();
        assert!(refused(&[1]));
        assert!(refused(&[0; 16]), "a message shorter than its header");
        let mut long = [0; 16];
        long[0] = 200;
        assert!(refused(&long), "a message longer than its part");
        assert!(refused(&[16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(answer(&[0; 20]).is_none());
        assert!(info(&[0, 0, 0, 0]).is_none());
        assert!(idle(&[0; 58]).is_none());
    }
}
