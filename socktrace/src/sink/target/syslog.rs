//! `syslog://` and its kin.

use std::fmt;
use std::path::PathBuf;

use super::address::Address;
use super::{SpoolTarget, TlsTarget};
use crate::schema::{Envelope, Facility};

/// See [`super::Target::Syslog`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SyslogTarget {
    /// How it is reached.
    pub wire: Wire,
    /// What the headers say.
    pub envelope: Envelope,
    /// Where lines wait while it is away; `None`: in memory.
    pub spool: Option<SpoolTarget>,
}

/// How a syslog daemon or collector is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// The daemon of this machine.
    Unix(PathBuf),
    /// Host and port; what is lost on the way is not noticed.
    Udp(String, u16),
    /// Host and port.
    Tcp(String, u16),
    /// Host, which the certificate has to name, and port.
    Tls(String, u16, TlsTarget),
}

/// Where the daemon of this machine listens.
const DEV_LOG: &str = "/dev/log";
/// RFC 5426 §3.3.
const UDP_PORT: u16 = 514;
/// Registered for syslog over TCP.
const TCP_PORT: u16 = 601;
/// RFC 5425 §4.1.
const TLS_PORT: u16 = 6514;

impl SyslogTarget {
    /// `syslog:///dev/log`, `syslog+udp://host:514`, `syslog+tcp://host:601`, `syslog+tls://host:6514`, each
    /// with the options `facility`, `app-name`, `enterprise`, `spool` and `spool-size`, the last one also with
    /// those of [`TlsTarget`].
    pub(super) fn of(address: &mut Address) -> Result<Self, String> {
        let wire = match address.scheme() {
            "syslog+udp" => {
                let (host, port) = address.host(UDP_PORT)?;
                Wire::Udp(host, port)
            }
            "syslog+tcp" => {
                let (host, port) = address.host(TCP_PORT)?;
                Wire::Tcp(host, port)
            }
            "syslog+tls" => {
                let (host, port) = address.host(TLS_PORT)?;
                Wire::Tls(host, port, TlsTarget::of(address)?)
            }
            _ => {
                address.no_host()?;
                let path = address.path();
                Wire::Unix(path.unwrap_or_else(|_| DEV_LOG.into()))
            }
        };
        let mut envelope = Envelope::default();
        if let Some(facility) = address.option("facility", Facility::named)? {
            envelope.facility = facility;
        }
        if let Some(name) = address.option("app-name", Envelope::app_name)? {
            envelope.app_name = name;
        }
        if let Some(number) = address.option("enterprise", |text| {
            text.parse()
                .map_err(|_| "it is a private enterprise number".to_owned())
        })? {
            envelope.enterprise = number;
        }
        let spool = SpoolTarget::of(address)?;
        Ok(Self {
            wire,
            envelope,
            spool,
        })
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "syslog://{}", path.display()),
            Self::Udp(host, port) => write!(f, "syslog+udp://{}:{port}", Bracketed(host)),
            Self::Tcp(host, port) => write!(f, "syslog+tcp://{}:{port}", Bracketed(host)),
            Self::Tls(host, port, _) => write!(f, "syslog+tls://{}:{port}", Bracketed(host)),
        }
    }
}

/// An address of IPv6 is in brackets in a URL.
pub(super) struct Bracketed<'a>(pub(super) &'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}
