//! Destinations as they are named on the command line.
//!
//! * [`Target`]: what there is.
//! * [`syslog`]: those that speak syslog.
//! * [`StreamOptions`]: what every URL may say of the lines that go there.
//! * [`TlsTarget`]: what they may say of whom to trust, if they are reached with TLS.
//! * `http`: those that speak HTTP; `otlp`: what the environment says of a collector.
//! * [`address`]: URLs, and the options in their queries.

mod address;
#[cfg(feature = "http")]
mod http;
mod journald;
mod kafka;
mod nats;
mod options;
#[cfg(feature = "http")]
mod otlp;
mod syslog;
mod tls;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::schema::{Envelope, Format, escape};
use address::Address;
pub(crate) use address::redacted;
#[cfg(feature = "http")]
pub use http::{BodyShape, HttpDialect, HttpTarget, Login, SplunkTarget};
pub use journald::JournaldTarget;
pub use kafka::{KafkaLogin, KafkaTarget, SaslMechanism};
pub use nats::{NatsLogin, NatsTarget};
pub use options::StreamOptions;
pub use syslog::{SyslogTarget, Wire};
pub use tls::{Identity, TlsTarget};

/// A destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Standard output, named `-`.
    Stdout,
    /// A file, to which lines are appended.
    File(FileTarget),
    /// A syslog daemon or collector.
    Syslog(SyslogTarget),
    /// The journal of this machine.
    Journald(JournaldTarget),
    /// A cluster of Kafka's.
    Kafka(Box<KafkaTarget>),
    /// Servers of NATS.
    Nats(Box<NatsTarget>),
    /// A counterpart that speaks HTTP.
    #[cfg(feature = "http")]
    Http(Box<HttpTarget>),
}

/// See [`Target::File`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileTarget {
    /// Where it is.
    pub path: PathBuf,
    /// When a new one is begun.
    pub rotation: Rotation,
}

/// When a file is put aside and a new one begun, and what becomes of those put aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rotation {
    /// Bytes it may have, unless one batch of lines alone is larger; `None`: any number.
    pub size: Option<u64>,
    /// How long it is written to; `None`: for ever.
    pub age: Option<Duration>,
    /// How many of those put aside are kept; `None`: all.
    pub keep: Option<u32>,
    /// Whether those put aside are compressed (gzip, RFC 1952).
    pub compress: bool,
}

impl Rotation {
    /// Whether files are put aside at all.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.size.is_some() || self.age.is_some()
    }
}

/// Where lines wait on disk for a counterpart that is away.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpoolTarget {
    /// A folder of its own.
    pub folder: PathBuf,
    /// Most bytes.
    pub size: u64,
}

impl SpoolTarget {
    /// Room if none is given: some 60,000 findings.
    const SIZE: u64 = 64 << 20;
    /// Less has no room for a batch and the next.
    const LEAST: u64 = 8 << 20;

    /// The options `spool=/var/lib/socktrace/siem&spool-size=64MiB`.
    fn of(address: &mut Address) -> Result<Option<Self>, String> {
        let folder = address.option("spool", |text| {
            if text.starts_with('/') {
                Ok(PathBuf::from(text))
            } else {
                Err("it is the absolute path of a folder".to_owned())
            }
        })?;
        let size = address.option("spool-size", crate::units::bytes)?;
        match (folder, size) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err("spool-size needs spool".to_owned()),
            (Some(_), Some(size)) if size < Self::LEAST => {
                Err(format!("spool-size is at least {} MiB", Self::LEAST >> 20))
            }
            (Some(folder), size) => Ok(Some(Self {
                folder,
                size: size.unwrap_or(Self::SIZE),
            })),
        }
    }
}

/// See [`Target::parse`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It has the form of a URL that names no output.
    #[error("{spec} is no output: {reason} (./{spec} if that is really the name of a file)")]
    Url {
        /// What was given, escaped, without secrets.
        spec: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is empty.
    #[error(
        "the name of an output is empty; give - (standard output), the path of a file or a URL"
    )]
    Empty,
}

/// A destination and what is said of the lines that go there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Where they go.
    pub target: Target,
    /// What they look like and which they are.
    pub options: StreamOptions,
}

impl Destination {
    /// What `spec` names: `-`, a path, or a URL.
    ///
    /// # Errors
    ///
    /// [`TargetError`] where it names nothing.
    pub fn parse(spec: &OsStr) -> Result<Self, TargetError> {
        match spec.as_bytes() {
            b"" => Err(TargetError::Empty),
            b"-" => Ok(Self::plain(Target::Stdout)),
            bytes if has_scheme(bytes) => Self::of_url(bytes).map_err(|reason| TargetError::Url {
                spec: redacted(bytes),
                reason,
            }),
            _ => Ok(Self::plain(Target::File(FileTarget {
                path: spec.into(),
                rotation: Rotation::default(),
            }))),
        }
    }

    fn plain(target: Target) -> Self {
        Self {
            target,
            options: StreamOptions::default(),
        }
    }

    fn of_url(bytes: &[u8]) -> Result<Self, String> {
        let mut address = Address::parse(bytes)?;
        let options = StreamOptions::of(&mut address)?;
        let target = Target::of(&mut address)?;
        address.finish()?;
        if let Some(format) = options.format {
            target.takes(format)?;
        }
        Ok(Self { target, options })
    }
}

impl Target {
    /// As [`Destination::parse`], without the options of its stream.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn parse(spec: &OsStr) -> Result<Self, TargetError> {
        Destination::parse(spec).map(|destination| destination.target)
    }

    fn of(address: &mut Address) -> Result<Self, String> {
        Ok(match address.scheme() {
            "stdout" => {
                address.no_host()?;
                Self::Stdout
            }
            "file" => Self::File(FileTarget::of(address)?),
            "syslog" | "syslog+udp" | "syslog+tcp" => Self::Syslog(SyslogTarget::of(address)?),
            "syslog+tls" => {
                built_with(cfg!(feature = "tls"), "tls")?;
                Self::Syslog(SyslogTarget::of(address)?)
            }
            "journald" => Self::Journald(JournaldTarget::of(address)?),
            "kafka" => {
                built_with(cfg!(feature = "kafka"), "kafka")?;
                Self::Kafka(Box::new(KafkaTarget::of(address)?))
            }
            "nats" => {
                built_with(cfg!(feature = "nats"), "nats")?;
                Self::Nats(Box::new(NatsTarget::of(address)?))
            }
            #[cfg(feature = "http")]
            scheme if speaks_http(scheme) => {
                let variable = |name: &str| std::env::var(name).ok();
                Self::Http(Box::new(HttpTarget::of(address, &variable)?))
            }
            #[cfg(not(feature = "http"))]
            scheme if speaks_http(scheme) => {
                return built_with(false, "http").map(|()| Self::Stdout);
            }
            other => {
                let known = "stdout, file, syslog, syslog+udp, syslog+tcp, syslog+tls, journald, kafka and nats, and otlp, webhook, \
                             elasticsearch, opensearch, splunk and loki with +http or +https are";
                return Err(format!("{other} is not supported; {known}"));
            }
        })
    }

    /// The format of lines that go there if nobody says otherwise; `None`: that of everything else.
    #[must_use]
    pub fn default_format(&self) -> Option<Format> {
        match self {
            Self::Stdout | Self::File(_) | Self::Syslog(_) => None,
            Self::Journald(_) | Self::Kafka(_) | Self::Nats(_) => Some(Format::Json),
            #[cfg(feature = "http")]
            Self::Http(http) => Some(http.default_format()),
        }
    }

    /// Whether lines of this format can go there.
    ///
    /// # Errors
    ///
    /// The formats that can, as a phrase for a message.
    pub fn takes(&self, format: Format) -> Result<(), String> {
        match self {
            Self::Stdout | Self::File(_) => Ok(()),
            _ if format == Format::Text => {
                Err("text is for people; it takes json, ocsf, cef or otlp".to_owned())
            }
            #[cfg(feature = "http")]
            Self::Http(http) => http.takes(format),
            _ => Ok(()),
        }
    }

    /// What it is called in messages, escaped.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdout => "standard output".to_owned(),
            Self::File(file) => escape(file.path.as_os_str().as_bytes()).into_owned(),
            Self::Syslog(syslog) => escape(syslog.wire.to_string().as_bytes()).into_owned(),
            Self::Journald(journald) => escape(journald.name().as_bytes()).into_owned(),
            Self::Kafka(kafka) => escape(kafka.name().as_bytes()).into_owned(),
            Self::Nats(nats) => escape(nats.name().as_bytes()).into_owned(),
            #[cfg(feature = "http")]
            Self::Http(http) => escape(http.name().as_bytes()).into_owned(),
        }
    }

    /// What it is called in metrics, if it is the only one of its kind: no address and no secret is in it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File(_) => "file",
            Self::Syslog(_) => "syslog",
            Self::Journald(_) => "journald",
            Self::Kafka(_) => "kafka",
            Self::Nats(_) => "nats",
            #[cfg(feature = "http")]
            Self::Http(http) => http.kind(),
        }
    }

    /// What stands before each line, where that is needed.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        match self {
            Self::Syslog(syslog) => Some(&syslog.envelope),
            Self::Journald(journald) => Some(&journald.envelope),
            Self::Stdout | Self::File(_) | Self::Kafka(_) | Self::Nats(_) => None,
            #[cfg(feature = "http")]
            Self::Http(_) => None,
        }
    }

    /// Whether it is written to the file at `path`.
    #[must_use]
    pub fn is_file(&self, path: &std::path::Path) -> bool {
        matches!(self, Self::File(file) if file.path == path)
    }
}

impl FileTarget {
    /// `file:///var/log/socktrace.json?rotate-size=100MiB&rotate-age=24h&keep=7&compress=gzip`.
    fn of(address: &mut Address) -> Result<Self, String> {
        address.no_host()?;
        let path = address.path()?;
        let rotation = Rotation {
            size: address.option("rotate-size", crate::units::bytes)?,
            age: address.option("rotate-age", crate::units::duration)?,
            keep: address.option("keep", |text| {
                text.parse()
                    .map_err(|_| "it is a number of files".to_owned())
            })?,
            compress: address
                .option("compress", |text| match text {
                    "gzip" => Ok(true),
                    "none" => Ok(false),
                    _ => Err("it is gzip or none".to_owned()),
                })?
                .unwrap_or(false),
        };
        if rotation.size == Some(0) || rotation.age == Some(Duration::ZERO) {
            return Err("a file that is put aside at once holds nothing".to_owned());
        }
        if !rotation.is_wanted() && (rotation.keep.is_some() || rotation.compress) {
            return Err("keep and compress need rotate-size or rotate-age".to_owned());
        }
        Ok(Self { path, rotation })
    }
}

/// The value of an option that is a yes or no.
fn yes(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("it is true or false".to_owned()),
    }
}

/// An error if this program was built without what a destination needs.
fn built_with(is_there: bool, feature: &str) -> Result<(), String> {
    if is_there {
        Ok(())
    } else {
        Err(format!(
            "this socktrace was built without it (the feature {feature})"
        ))
    }
}

/// Whether the scheme of a URL is that of a counterpart that speaks HTTP.
fn speaks_http(scheme: &str) -> bool {
    let known = [
        "otlp",
        "webhook",
        "elasticsearch",
        "opensearch",
        "splunk",
        "loki",
    ];
    let (dialect, carrier) = scheme.split_once('+').unwrap_or((scheme, ""));
    scheme == "otlp" || (known.contains(&dialect) && matches!(carrier, "http" | "https"))
}

/// Whether `spec` begins as RFC 3986 §3.1 says a URL with an authority does.
fn has_scheme(spec: &[u8]) -> bool {
    let Some(at) = spec.windows(3).position(|window| window == b"://") else {
        return false;
    };
    let scheme = spec.get(..at).unwrap_or_default();
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}
