//! A server on loopback that speaks just enough of HTTP/1.1, strictly, and misbehaves on request.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socktrace_tests::wait::{SOON, until};

/// How long a thread sits in a call before it looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// A request as it was read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    /// Uncompressed.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a header, which there must not be twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }
}

/// What a server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Resets the connection.
    Reset,
    /// Answers with half a body and closes.
    Half(u16, Vec<u8>),
    /// Answers with a body that does not end.
    Endless(u16),
    /// A header a time, for ever.
    Trickle,
    /// Says nothing.
    Silent,
}

impl Reply {
    /// An answer of JSON.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::of(status, "application/json", body.as_bytes())
    }

    /// An answer of some type.
    pub(crate) fn of(status: u16, content_type: &str, body: &[u8]) -> Self {
        Self::Answer {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: body.to_vec(),
        }
    }

    /// An answer without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// What connections are made of: TCP, or TLS over it.
pub(crate) type Wrap = dyn Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync;

/// A connection.
pub(crate) trait Stream: io::Read + io::Write + Send {}

impl<T: io::Read + io::Write + Send> Stream for T {}

/// A running server. It is gone when dropped, with its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    listens: Option<JoinHandle<()>>,
}

impl Server {
    /// On a port that nobody else has.
    pub(crate) fn start(handler: Arc<Handler>) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), handler)
    }

    /// On an address where one was before.
    pub(crate) fn start_at(address: SocketAddr, handler: Arc<Handler>) -> Self {
        Self::start_wrapped(address, handler, Arc::new(|stream| Ok(Box::new(stream))))
    }

    /// With connections that are made into something else first.
    pub(crate) fn start_wrapped(
        address: SocketAddr,
        handler: Arc<Handler>,
        wrap: Arc<Wrap>,
    ) -> Self {
        let bound = Mutex::new(None);
        let is_bound = until(SOON, || {
            let listener = TcpListener::bind(address).ok();
            let found = listener.is_some();
            *bound.lock().unwrap_or_else(PoisonError::into_inner) = listener;
            found
        });
        assert!(is_bound, "{address} is taken");
        let listener = bound.into_inner().ok().flatten().expect("a listener");
        let address = listener.local_addr().expect("its address");
        let stop = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Mutex::new(Vec::new()));
        let (stopped, all) = (Arc::clone(&stop), Arc::clone(&open));
        let listens = thread::spawn(move || {
            let mut threads = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let Ok(copy) = stream.try_clone() else {
                    continue;
                };
                all.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(copy);
                let (handler, wrap, stopped) = (
                    Arc::clone(&handler),
                    Arc::clone(&wrap),
                    Arc::clone(&stopped),
                );
                threads.push(thread::spawn(move || {
                    serve(&stream, &*wrap, &*handler, &stopped);
                }));
            }
            drop(listener);
            for thread in threads {
                let _ = thread.join();
            }
        });
        Self {
            address,
            stop,
            open,
            listens: Some(listens),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It waits for a connection.
        let _ = TcpStream::connect_timeout(&self.address, SOON);
        for stream in self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        if let Some(listens) = self.listens.take() {
            let _ = listens.join();
        }
    }
}

/// One connection, request after request.
fn serve(stream: &TcpStream, wrap: &Wrap, handler: &Handler, stop: &AtomicBool) {
    let Ok(mut connection) = stream.try_clone().and_then(wrap) else {
        return;
    };
    while let Ok(Some(request)) = read(&mut connection) {
        let goes_on = reply(stream, &mut connection, handler(&request), stop);
        if !goes_on.unwrap_or(false) || stop.load(Ordering::Relaxed) {
            break;
        }
    }
}

/// Does what was asked for; whether the connection can be used again.
fn reply(
    stream: &TcpStream,
    connection: &mut impl Stream,
    reply: Reply,
    stop: &AtomicBool,
) -> io::Result<bool> {
    let still = || !stop.load(Ordering::Relaxed);
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => {
            let mut head = format!("HTTP/1.1 {status} x\r\n");
            for (name, value) in headers {
                head.extend([name, ": ", &value, "\r\n"]);
            }
            if status != 204 {
                head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
            }
            head.push_str("\r\n");
            // At once: what is written in two pieces may wait for a confirmation in between.
            let mut all = head.into_bytes();
            all.extend_from_slice(&body);
            connection.write_all(&all)?;
            connection.flush()?;
            Ok(true)
        }
        Reply::Reset => {
            reset(stream)?;
            Ok(false)
        }
        Reply::Half(status, body) => {
            let length = body.len() * 2 + 1;
            write!(
                connection,
                "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n"
            )?;
            connection.write_all(&body)?;
            connection.flush()?;
            stream.shutdown(std::net::Shutdown::Both)?;
            Ok(false)
        }
        Reply::Endless(status) => {
            write!(
                connection,
                "HTTP/1.1 {status} x\r\nTransfer-Encoding: chunked\r\n\r\n"
            )?;
            let chunk = [b'x'; 0x1000];
            while still() {
                connection.write_all(b"1000\r\n")?;
                connection.write_all(&chunk)?;
                connection.write_all(b"\r\n")?;
            }
            Ok(false)
        }
        Reply::Trickle => {
            write!(connection, "HTTP/1.1 200 x\r\n")?;
            while still() {
                write!(connection, "X: y\r\n")?;
                connection.flush()?;
                thread::park_timeout(LOOK);
            }
            Ok(false)
        }
        Reply::Silent => {
            while still() && !has_ended(stream) {
                thread::park_timeout(LOOK);
            }
            Ok(false)
        }
    }
}

fn has_ended(stream: &TcpStream) -> bool {
    let nonblocking = stream.set_nonblocking(true);
    let peeked = stream.peek(&mut [0]);
    let _ = stream.set_nonblocking(false);
    nonblocking.is_err() || matches!(peeked, Ok(0))
}

/// Closes so that the other end is reset.
fn reset(stream: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let size = libc::socklen_t::try_from(size_of::<libc::linger>()).unwrap_or(0);
    // SAFETY: the option takes a struct linger, which is valid for the call.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size,
        )
    };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    // Other descriptors of it may be open: a connection to nowhere ends it for all of them.
    let nowhere = libc::sockaddr {
        sa_family: libc::sa_family_t::try_from(libc::AF_UNSPEC).unwrap_or(0),
        sa_data: [0; 14],
    };
    let size = libc::socklen_t::try_from(size_of::<libc::sockaddr>()).unwrap_or(0);
    // SAFETY: `nowhere` is a valid sockaddr of the size given; AF_UNSPEC disconnects (connect(2)).
    unsafe { libc::connect(stream.as_raw_fd(), &raw const nowhere, size) };
    Ok(())
}

/// The next request; `None` at the end of the connection. Whatever is not as it should be is a panic, which the
/// test sees as a connection that ends without an answer, and in its output.
fn read(stream: &mut impl io::Read) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            assert!(head.is_empty(), "half a request");
            return Ok(None);
        }
        head.push(byte[0]);
        assert!(head.len() < 8192, "a long head");
    }
    let head = String::from_utf8(head).expect("a head of ASCII");
    let mut lines = head.trim_end().split("\r\n");
    let first: Vec<&str> = lines.next().expect("a line").split(' ').collect();
    let ["POST", path, "HTTP/1.1"] = first.as_slice() else {
        panic!("{first:?}");
    };
    let headers: Vec<(String, String)> = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_ascii_lowercase(), value.to_owned())
        })
        .collect();
    let mut request = Request {
        path: (*path).to_owned(),
        headers,
        body: Vec::new(),
    };
    assert!(request.header("host").is_some(), "no host");
    assert_eq!(request.header("transfer-encoding"), None);
    let length = request.header("content-length").expect("a length");
    let length: usize = length.parse().expect("a number");
    assert!(length < 4 << 20, "a large request");
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    match request.header("content-encoding") {
        None => request.body = body,
        Some("gzip") => {
            let mut decoder = flate2::read::GzDecoder::new(&*body);
            decoder.read_to_end(&mut request.body).expect("gzip");
        }
        Some(other) => panic!("{other}"),
    }
    Ok(Some(request))
}
