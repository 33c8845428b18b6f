//! Listeners, connections and what the kernel says about them.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use crate::peer::Peer;
use crate::protocol::{
    Arguments, During, Failure, Outcome, Step, done, next_command, pause, unknown_command,
};

/// What the peer sends.
pub(crate) const DATA: &[u8] = b"hello";

const STATE_POLLS: u32 = 5000;
const STATE_POLL: Duration = Duration::from_millis(1);

/// Which addresses a workload uses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Family {
    /// 127.0.0.1.
    V4,
    /// `[::1]`.
    V6,
    /// A listener on `[::]`, a peer on 127.0.0.1.
    Mapped,
}

impl Family {
    /// From `--ipv6` and `--mapped`.
    pub(crate) fn take(arguments: &mut Arguments) -> Self {
        match (arguments.flag("--ipv6"), arguments.flag("--mapped")) {
            (true, _) => Self::V6,
            (false, true) => Self::Mapped,
            (false, false) => Self::V4,
        }
    }

    /// As the peer is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
            Self::Mapped => "mapped",
        }
    }

    /// The family of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::V4, Self::V6, Self::Mapped]
            .into_iter()
            .find(|family| family.name() == name)
    }
}

/// A listener on a free loopback port, and where it is reached.
pub(crate) fn listen(family: Family) -> Outcome<(TcpListener, SocketAddr)> {
    let bind = match family {
        Family::V4 => "127.0.0.1:0",
        Family::V6 => "[::1]:0",
        Family::Mapped => "[::]:0",
    };
    let listener = TcpListener::bind(bind).during("bind")?;
    let mut reach = listener.local_addr().during("getsockname")?;
    if matches!(family, Family::Mapped) {
        reach.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    Ok((listener, reach))
}

/// Accepts one connection.
pub(crate) fn accept(listener: &TcpListener) -> Outcome<TcpStream> {
    Ok(listener.accept().during("accept")?.0)
}

/// Reads what the peer sent, not its end.
pub(crate) fn read_data(mut stream: &TcpStream) -> Outcome {
    stream
        .read_exact(&mut [0; DATA.len()])
        .during("read of data")
}

/// Reads the end.
pub(crate) fn read_end(mut stream: &TcpStream) -> Outcome {
    match stream.read(&mut [0]).during("read of the end")? {
        0 => Ok(()),
        _ => Err(Failure::Run("data where the end was expected".to_owned())),
    }
}

/// Reads what is there without waiting and tells it: 0 is the end, -1 an errno.
pub(crate) fn read_and_report(mut stream: &TcpStream) -> Outcome {
    stream.set_nonblocking(true).during("fcntl")?;
    let result = stream.read(&mut [0; 4096]);
    stream.set_nonblocking(false).during("fcntl")?;
    let (bytes, errno) = match result {
        Ok(bytes) => (i64::try_from(bytes).unwrap_or(i64::MAX), 0),
        Err(error) => (-1, error.raw_os_error().unwrap_or(0)),
    };
    let step = Step::new("read").me().number("fd", stream.as_raw_fd());
    step.number("bytes", bytes).number("errno", errno).print();
    Ok(())
}

/// Closes and says so.
pub(crate) fn close_and_report(stream: TcpStream) {
    let fd = stream.as_raw_fd();
    drop(stream);
    Step::new("closed").me().number("fd", fd).print();
}

/// Holds a connection until it is told to close it, or to quit. Commands: `close`.
pub(crate) fn hold(stream: TcpStream) -> Outcome {
    let mut held = Some(stream);
    loop {
        match (next_command().as_str(), held.take()) {
            ("quit", stream) => {
                drop(stream);
                done();
            }
            ("close", Some(stream)) => close_and_report(stream),
            (_, stream) => {
                held = stream;
                unknown_command();
            }
        }
    }
}

/// A `leaked` step without the process and thread.
pub(crate) fn leaked(stream: &TcpStream, peer: &Peer) -> Outcome<Step> {
    let local = stream.local_addr().during("getsockname")?;
    let remote = stream.peer_addr().during("getpeername")?;
    Ok(Step::new("leaked")
        .number("fd", stream.as_raw_fd())
        .text("local", canonical(local))
        .text("peer", canonical(remote))
        .text("state", "CLOSE_WAIT")
        .number("peer_pid", peer.pid()))
}

/// Returns once the kernel says that the connection is in `CLOSE_WAIT`.
pub(crate) fn wait_for_close_wait(stream: &TcpStream) -> Outcome {
    wait_for_state(stream.as_raw_fd(), Some("08"))
}

/// Returns once the kernel says that TCP is over; such sockets are in none of its tables.
pub(crate) fn wait_for_close(stream: &TcpStream) -> Outcome {
    wait_for_state(stream.as_raw_fd(), None)
}

fn wait_for_state(fd: RawFd, state: Option<&str>) -> Outcome {
    let link = fs::read_link(format!("/proc/self/fd/{fd}")).during("inode of the socket")?;
    let link = link.to_string_lossy();
    let inode = link.trim_start_matches("socket:[").trim_end_matches(']');
    for _ in 0..STATE_POLLS {
        if state_of(inode)?.as_deref() == state {
            return Ok(());
        }
        pause(STATE_POLL);
    }
    Err(Failure::Run(format!(
        "fd {fd} has not come to state {state:?}"
    )))
}

/// The state in the kernel's tables, two hexadecimal digits.
fn state_of(inode: &str) -> Outcome<Option<String>> {
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let lines = match fs::read_to_string(table) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            lines => lines.during(table)?,
        };
        for line in lines.lines() {
            let mut fields = line.split_whitespace().skip(3);
            let state = fields.next();
            if fields.nth(5) == Some(inode) {
                return Ok(state.map(str::to_owned));
            }
        }
    }
    Ok(None)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
