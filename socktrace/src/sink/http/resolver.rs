//! Names to addresses, in bounded time.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::{io, vec};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// More are not tried.
const MOST: usize = 8;
/// The system's resolver reads files and sends datagrams.
const STACK: usize = 256 * 1024;

/// The system's resolver, on a thread of its own while it is busy: it knows no deadline. A machine that has no
/// room for a thread is an error like others, not an end.
#[derive(Debug)]
pub(super) struct Lookup;

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let name = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority))
            .ok_or(ureq::Error::HostNotFound)?;
        let found = match name.parse() {
            Ok(address) => vec![address].into_iter(),
            Err(_) => look_up(name, timeout)?,
        };
        let mut addresses = self.empty();
        for address in found.take(MOST) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(addresses)
    }
}

fn look_up(name: String, timeout: NextTimeout) -> Result<vec::IntoIter<SocketAddr>, ureq::Error> {
    let (sender, receiver) = sync_channel(1);
    let thread = thread::Builder::new()
        .name("resolver".to_owned())
        .stack_size(STACK);
    thread.spawn(move || {
        // Whoever asked may have given up.
        let _ = sender.send(name.to_socket_addrs());
    })?;
    match receiver.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found?),
        Err(RecvTimeoutError::Timeout) => Err(ureq::Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => {
            Err(io::Error::other("the system's resolver has failed").into())
        }
    }
}
