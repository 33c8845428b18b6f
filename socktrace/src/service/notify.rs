//! What the service manager is told (sd_notify(3)): a datagram of lines for each piece of news. Without a
//! manager that wants to know, nothing is sent.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A manager that does not read delays the agent by no more than this.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often a manager that does not watch is given a sign of life, which then says nothing.
const UNWATCHED: Duration = Duration::from_hours(1);

/// The service manager.
#[derive(Debug)]
pub struct Manager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
    status: String,
}

impl Manager {
    /// The one that the environment names: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    #[must_use]
    pub fn of_environment() -> Self {
        Self::new(|name| env::var_os(name))
    }

    fn new(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let socket = variable("NOTIFY_SOCKET").and_then(|address| connect(&address).ok());
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = match variable("WATCHDOG_PID") {
            None => true,
            Some(_) => number("WATCHDOG_PID") == Some(u64::from(std::process::id())),
        };
        let watchdog = number("WATCHDOG_USEC").filter(|limit| is_ours && *limit > 0);
        Self {
            watchdog: watchdog
                .filter(|_| socket.is_some())
                .map(Duration::from_micros),
            socket,
            status: String::new(),
        }
    }

    /// Everything is attached.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is about to be read again; [`Self::ready`] says that this is over.
    /// `monotonic_ns` is now.
    pub fn reloading(&self, monotonic_ns: u64) {
        let now = monotonic_ns / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// How it is, in a line for people; told only where it has changed.
    pub fn status(&mut self, line: impl FnOnce() -> String) {
        if self.socket.is_none() {
            return;
        }
        let line = line();
        if line != self.status {
            self.tell(&format!("STATUS={line}"));
            self.status = line;
        }
    }

    /// How often [`Self::beat`] is to be called: twice as often as the manager wants.
    #[must_use]
    pub fn beats_every(&self) -> Duration {
        self.watchdog
            .map_or(UNWATCHED, |limit| limit / 2)
            .max(Duration::from_millis(1))
    }

    /// A sign of life. Whoever calls this must be the one whose life matters.
    pub fn beat(&self) {
        if self.watchdog.is_some() {
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, news: &str) {
        if let Some(socket) = &self.socket {
            // A manager that has gone or does not read cannot be helped, and is no reason to stop.
            let _ = socket.send(news.as_bytes());
        }
    }
}

/// `@` begins the name of a socket in the abstract namespace.
fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let address = match address.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manager's end, and ours in an environment of these variables.
    fn pair(variables: &[(&str, &str)]) -> (UnixDatagram, Manager) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let end = UnixDatagram::bind(&path).expect("a socket");
        end.set_nonblocking(true).expect("a socket");
        let manager = Manager::new(|name| {
            if name == "NOTIFY_SOCKET" {
                return Some(path.clone().into());
            }
            let mut variables = variables.iter();
            variables
                .find(|(of, _)| *of == name)
                .map(|(_, value)| OsString::from(value))
        });
        (end, manager)
    }

    /// What has been told.
    fn told(end: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 256];
        std::iter::from_fn(|| end.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec()))
            .map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
            .collect()
    }

    #[test]
    fn news_are_told_as_they_are() {
        let (end, mut manager) = pair(&[]);
        manager.ready();
        manager.status(|| "1 leak".to_owned());
        manager.status(|| "1 leak".to_owned());
        manager.status(|| "2 leaks".to_owned());
        manager.reloading(1_234_567_890);
        manager.stopping();
        let expected = [
            "READY=1",
            "STATUS=1 leak",
            "STATUS=2 leaks",
            "RELOADING=1\nMONOTONIC_USEC=1234567",
            "STOPPING=1",
        ];
        assert_eq!(told(&end), expected);
    }

    #[test]
    fn signs_of_life_are_for_whoever_watches_us() {
        let own = std::process::id().to_string();
        for (variables, beats) in [
            (&[("WATCHDOG_USEC", "3000000")][..], true),
            (
                &[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", &own)],
                true,
            ),
            (
                &[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "1")],
                false,
            ),
            (&[("WATCHDOG_USEC", "soon")], false),
            (&[], false),
        ] {
            let (end, manager) = pair(variables);
            manager.beat();
            let expected: &[&str] = if beats { &["WATCHDOG=1"] } else { &[] };
            assert_eq!(told(&end), expected, "{variables:?}");
            let every = manager.beats_every();
            assert_eq!(every == Duration::from_millis(1500), beats, "{every:?}");
        }
    }

    #[test]
    fn without_a_manager_nothing_is_told() {
        let mut manager = Manager::new(|_| None);
        manager.ready();
        manager.beat();
        manager.status(|| unreachable!("nobody is told"));
        // One that is named and not there is none.
        let manager = Manager::new(|name| (name == "NOTIFY_SOCKET").then(|| "/no/such".into()));
        manager.ready();
        assert_eq!(manager.beats_every(), UNWATCHED);
    }

    #[test]
    fn a_manager_may_listen_in_the_abstract_namespace() {
        let name = format!("socktrace-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let end = UnixDatagram::bind_addr(&address).expect("a socket");
        end.set_nonblocking(true).expect("a socket");
        let address = format!("@{name}");
        let manager =
            Manager::new(|name| (name == "NOTIFY_SOCKET").then(|| address.clone().into()));
        manager.ready();
        assert_eq!(told(&end), ["READY=1"]);
    }
}
