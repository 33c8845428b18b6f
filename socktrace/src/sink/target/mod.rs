//! Destinations as they are named on the command line.
//!
//! * [`Target`]: what there is.
//! * [`syslog`]: those that speak syslog.
//! * [`address`]: URLs, and the options in their queries.

mod address;
mod syslog;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::schema::{Envelope, escape};
use address::Address;
pub use syslog::{SyslogTarget, Wire};

/// A destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Standard output, named `-`.
    Stdout,
    /// A file, to which lines are appended.
    File(FileTarget),
    /// A syslog daemon or collector.
    Syslog(SyslogTarget),
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
        /// What was given, escaped.
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

impl Target {
    /// The destination that `spec` names: `-`, a path, or a URL.
    ///
    /// # Errors
    ///
    /// [`TargetError`] where it names none.
    pub fn parse(spec: &OsStr) -> Result<Self, TargetError> {
        match spec.as_bytes() {
            b"" => Err(TargetError::Empty),
            b"-" => Ok(Self::Stdout),
            bytes if has_scheme(bytes) => Self::of_url(bytes).map_err(|reason| TargetError::Url {
                spec: escape(bytes).into_owned(),
                reason,
            }),
            _ => Ok(Self::File(FileTarget {
                path: spec.into(),
                rotation: Rotation::default(),
            })),
        }
    }

    fn of_url(bytes: &[u8]) -> Result<Self, String> {
        let mut address = Address::parse(bytes)?;
        let target = match address.scheme() {
            "file" => Self::File(FileTarget::of(&mut address)?),
            "syslog" | "syslog+udp" | "syslog+tcp" => Self::Syslog(SyslogTarget::of(&mut address)?),
            other => {
                let known = "file, syslog, syslog+udp and syslog+tcp are";
                return Err(format!("{other} is not supported; {known}"));
            }
        };
        address.finish()?;
        Ok(target)
    }

    /// What it is called in messages, escaped.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdout => "standard output".to_owned(),
            Self::File(file) => escape(file.path.as_os_str().as_bytes()).into_owned(),
            Self::Syslog(syslog) => escape(syslog.wire.to_string().as_bytes()).into_owned(),
        }
    }

    /// What it is called in metrics, if it is the only one of its kind: no address and no secret is in it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File(_) => "file",
            Self::Syslog(_) => "syslog",
        }
    }

    /// What stands before each line, where that is needed.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        match self {
            Self::Syslog(syslog) => Some(&syslog.envelope),
            Self::Stdout | Self::File(_) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(path: &OsStr) -> Target {
        Target::File(FileTarget {
            path: path.into(),
            rotation: Rotation::default(),
        })
    }

    #[test]
    fn a_dash_is_standard_output_and_a_path_is_a_file() {
        assert_eq!(Target::parse("-".as_ref()), Ok(Target::Stdout));
        for path in [
            "out.json",
            "/var/log/socktrace.json",
            "./-",
            "./tcp://x",
            "a:b",
            "://x",
            "1x://y",
        ] {
            assert_eq!(Target::parse(path.as_ref()), Ok(plain(path.as_ref())));
        }
        let bytes = OsStr::from_bytes(b"/tmp/\xff");
        assert_eq!(Target::parse(bytes), Ok(plain(bytes)));
    }

    #[test]
    fn a_file_may_be_rotated() {
        let check = |spec: &str, path: &str, rotation| {
            let path = path.into();
            let file = FileTarget { path, rotation };
            assert_eq!(
                Target::parse(spec.as_ref()),
                Ok(Target::File(file)),
                "{spec}"
            );
        };
        let none = Rotation::default();
        check("file:///a/b.json", "/a/b.json", none);
        check("file:///a%20b", "/a b", none);
        check(
            "file:///a?rotate-size=10MiB&rotate-age=24h&keep=7&compress=gzip",
            "/a",
            Rotation {
                size: Some(10 << 20),
                age: Some(Duration::from_hours(24)),
                keep: Some(7),
                compress: true,
            },
        );
        check(
            "file:///a?rotate-size=4096",
            "/a",
            Rotation {
                size: Some(4096),
                ..none
            },
        );
    }

    #[test]
    fn syslog_is_reached_in_three_ways() {
        let check = |spec: &str, wire, name: &str| {
            let target = Target::parse(spec.as_ref()).unwrap();
            assert_eq!(target.name(), name);
            let Target::Syslog(syslog) = target else {
                panic!("{target:?}");
            };
            assert_eq!(syslog.wire, wire, "{spec}");
        };
        let local = || Wire::Unix("/dev/log".into());
        check("syslog://", local(), "syslog:///dev/log");
        check("syslog:///dev/log", local(), "syslog:///dev/log");
        let udp = Wire::Udp("10.0.0.1".to_owned(), 514);
        check("syslog+udp://10.0.0.1", udp, "syslog+udp://10.0.0.1:514");
        let tcp = Wire::Tcp("::1".to_owned(), 6000);
        check("syslog+tcp://[::1]:6000", tcp, "syslog+tcp://[::1]:6000");
        let target =
            Target::parse("syslog+tcp://h?facility=local3&app-name=leaks&enterprise=4711".as_ref());
        let target = target.unwrap();
        let envelope = target.envelope().unwrap();
        assert_eq!((&*envelope.app_name, envelope.enterprise), ("leaks", 4711));
    }

    #[test]
    fn a_url_that_cannot_be_meant_says_what_is_wrong() {
        for (spec, hint) in [
            ("gopher://host", "gopher is not supported"),
            ("syslog+tcp://", "no host"),
            ("syslog+udp://h/a", "a path"),
            ("syslog:///dev/log?facility=local9", "local0 to local7"),
            ("syslog:///dev/log?app-name=a%20b", "printable"),
            ("syslog+tcp://h?enterprise=x", "number"),
            ("syslog+tcp://h?spool=a", "absolute"),
            ("syslog+tcp://h?spool-size=9MiB", "needs spool"),
            ("syslog+tcp://h?spool=/a&spool-size=1MiB", "at least 8 MiB"),
            ("file://host/a", "a host"),
            ("file:///", "no path"),
            ("file:///a?size=1", "size is no option"),
            ("file:///a?rotate-size=x", "rotate-size"),
            ("file:///a?rotate-size=0", "at once"),
            ("file:///a?keep=3", "need rotate-size"),
            ("file:///a?rotate-size=1&rotate-size=2", "twice"),
            ("file:///a?compress=zip&rotate-size=1k", "gzip or none"),
            ("file:///a b", "is not a URL"),
        ] {
            let error = Target::parse(spec.as_ref()).unwrap_err().to_string();
            assert!(error.starts_with(spec) && error.contains(hint), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        assert_eq!(Target::parse("".as_ref()), Err(TargetError::Empty));
    }
}
