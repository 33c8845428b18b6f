//! A wire that can be cut: connections to one address go on to another, until they do not.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socktrace_tests::wait::{SOON, until};

/// How long one end of a connection with TLS is listened to before it is the other's turn.
const TURN: Duration = Duration::from_millis(5);

type Streams = Arc<Mutex<Vec<TcpStream>>>;

/// See the module. It is cut when dropped.
pub(crate) struct Proxy {
    at: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Streams,
    listens: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Connections to port `at` go on to port `to`, both of this machine.
    pub(crate) fn start(at: u16, to: u16) -> Self {
        Self::start_with(at, to, None)
    }

    /// The same for connections with TLS.
    pub(crate) fn start_secure(at: u16, to: u16, tls: Arc<ServerConfig>) -> Self {
        Self::start_with(at, to, Some(tls))
    }

    fn start_with(at: u16, to: u16, tls: Option<Arc<ServerConfig>>) -> Self {
        let at = SocketAddr::from(([127, 0, 0, 1], at));
        let bound = Mutex::new(None);
        let is_bound = until(SOON, || {
            let listener = TcpListener::bind(at).ok();
            let found = listener.is_some();
            *bound.lock().unwrap_or_else(PoisonError::into_inner) = listener;
            found
        });
        assert!(is_bound, "{at} is taken");
        let listener = bound.into_inner().ok().flatten().expect("a listener");
        let (cut, open) = (Arc::new(AtomicBool::new(false)), Streams::default());
        let (is_cut, all) = (Arc::clone(&cut), Arc::clone(&open));
        let listens = thread::spawn(move || {
            for stream in listener.incoming() {
                if is_cut.load(Ordering::Relaxed) {
                    break;
                }
                if let (Ok(stream), Ok(other)) = (stream, TcpStream::connect(("127.0.0.1", to))) {
                    // One that breaks is closed, which both ends see.
                    let _ = match &tls {
                        None => join(&stream, &other, &all),
                        Some(tls) => join_secure(stream, other, Arc::clone(tls)),
                    };
                }
            }
        });
        Self {
            at,
            cut,
            open,
            listens: Some(listens),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut.store(true, Ordering::Relaxed);
        // Wakes the thread that listens.
        let _ = TcpStream::connect(self.at);
        if let Some(listens) = self.listens.take() {
            let _ = listens.join();
        }
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Has two connections pass on what comes from the other, in threads that end with them.
fn join(one: &TcpStream, other: &TcpStream, open: &Streams) -> io::Result<()> {
    for (from, to) in [(one, other), (other, one)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        let copies = [from.try_clone()?, to.try_clone()?];
        open.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(copies);
        thread::spawn(move || {
            let mut bytes = vec![0; 16 << 10];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                if to.write_all(&bytes[..read]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

/// The same for a connection with TLS and one without. It ends with either.
fn join_secure(one: TcpStream, mut other: TcpStream, tls: Arc<ServerConfig>) -> io::Result<()> {
    for stream in [&one, &other] {
        stream.set_read_timeout(Some(TURN))?;
    }
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut secure = StreamOwned::new(connection, one);
    thread::spawn(move || while pass(&mut secure, &mut other) && pass(&mut other, &mut secure) {});
    Ok(())
}

/// Passes on what has come; false at an end.
fn pass(from: &mut impl io::Read, to: &mut impl io::Write) -> bool {
    let mut bytes = [0; 16 << 10];
    match from.read(&mut bytes) {
        Ok(0) => false,
        Ok(read) => to
            .write_all(&bytes[..read])
            .and_then(|()| to.flush())
            .is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
