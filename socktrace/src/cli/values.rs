//! Values of flags, from text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::model::{Comm, Family, TcpState};
use crate::schema::Format;
pub(super) use crate::units::{bytes, duration};

/// Longest name the kernel keeps of a process: `TASK_COMM_LEN` less its NUL.
const COMM_MAX: usize = 15;

/// The name of a process, as `ps -o comm` and the events show it.
pub(super) fn comm(text: &OsStr) -> Result<Comm, String> {
    match text.len() {
        0 => Err("it is empty".to_owned()),
        1..=COMM_MAX => Ok(Comm::from_bytes(text.as_bytes())),
        len => Err(format!(
            "the kernel keeps at most {COMM_MAX} bytes of a process's name, and this has {len}; give \
             what `ps -o comm` shows"
        )),
    }
}

/// The path of a cgroup, from the root of the hierarchy, without a slash at its end.
///
/// A path under `/sys/fs/cgroup` is taken for what it stands for.
pub(super) fn cgroup(text: &OsStr) -> Result<Vec<u8>, String> {
    let mut path = text.as_bytes();
    for mount in [b"/sys/fs/cgroup/unified".as_slice(), b"/sys/fs/cgroup"] {
        match path.strip_prefix(mount) {
            Some(rest) if rest.is_empty() || rest.starts_with(b"/") => {
                path = if rest.is_empty() { b"/" } else { rest };
                break;
            }
            _ => {}
        }
    }
    if !path.starts_with(b"/") {
        return Err("a cgroup is a path from the root, /system.slice/nginx.service say".to_owned());
    }
    while let [rest @ .., b'/'] = path {
        path = rest;
    }
    Ok(path.to_vec())
}

/// `4`, `6`, `ipv4`, `ipv6`.
pub(super) fn family(text: &str) -> Result<Family, String> {
    match text.to_ascii_lowercase().as_str() {
        "4" | "ipv4" | "inet" => Ok(Family::V4),
        "6" | "ipv6" | "inet6" => Ok(Family::V6),
        _ => Err("the families are 4 and 6".to_owned()),
    }
}

/// The kernel's name of a TCP state, in any case.
pub(super) fn state(text: &str) -> Result<TcpState, String> {
    text.parse()
}

/// A time, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// On the wall clock.
    At(SystemTime),
    /// Before now.
    Ago(Duration),
}

/// `2026-11-22T15:04:05Z`, `2026-11-22 15:04:05Z`, `2026-11-22`, `24h`.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    let date = text.split(['T', 't', ' ']).next().unwrap_or(text);
    if date.len() == 10 && date.as_bytes().get(4) == Some(&b'-') {
        let whole = if text.len() == date.len() {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        return humantime::parse_rfc3339_weak(&whole)
            .map(Moment::At)
            .map_err(|error| format!("{error}; times are UTC, 2026-11-22T15:04:05Z"));
    }
    duration(text)
        .map(Moment::Ago)
        .map_err(|error| format!("{error}; times are written 2026-11-22T15:04:05Z"))
}

/// A format for machines.
pub(super) fn schema_format() -> impl TypedValueParser<Value = Format> {
    const FORMATS: [(&str, Format); 5] = [
        ("json", Format::Json),
        ("ecs", Format::Json),
        ("ocsf", Format::Ocsf),
        ("cef", Format::Cef),
        ("otlp", Format::Otlp),
    ];
    PossibleValuesParser::new(FORMATS.map(|(name, _)| name)).map(|name| {
        let known = FORMATS.iter().find(|(known, _)| *known == name);
        known.map_or(Format::Json, |(_, format)| *format)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes() {
        for name in [
            b"orders".as_slice(),
            b"exactly15bytes!",
            b"Web Content",
            b"a\nb\xff",
        ] {
            assert_eq!(comm(OsStr::from_bytes(name)), Ok(Comm::from_bytes(name)));
        }
        assert!(comm("".as_ref()).is_err());
        assert!(
            comm("sixteen-bytes-xx".as_ref())
                .unwrap_err()
                .contains("15 bytes")
        );
    }

    #[test]
    fn cgroups() {
        let check = |text: &str, path: &str| {
            assert_eq!(
                cgroup(text.as_ref()).as_deref(),
                Ok(path.as_bytes()),
                "{text}"
            );
        };
        check("/system.slice", "/system.slice");
        check("/system.slice/", "/system.slice");
        check("/", "");
        check(
            "/sys/fs/cgroup/system.slice/x.service",
            "/system.slice/x.service",
        );
        check("/sys/fs/cgroup/unified/a", "/a");
        check("/sys/fs/cgroup", "");
        check("/sys/fs/cgroups/a", "/sys/fs/cgroups/a");
        assert!(cgroup("system.slice".as_ref()).is_err());
        assert!(cgroup("".as_ref()).is_err());
    }

    #[test]
    fn moments() {
        let at = |seconds| Moment::At(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        for text in ["1970-01-02T00:00:05Z", "1970-01-02 00:00:05"] {
            assert_eq!(moment(text), Ok(at(86_405)), "{text}");
        }
        assert_eq!(moment("1970-01-02"), Ok(at(86_400)));
        assert_eq!(moment("24h"), Ok(Moment::Ago(Duration::from_hours(24))));
        for text in ["yesterday", "1970-13-02", "24", "", "ääää-ääää"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn families_and_states() {
        for text in ["4", "ipv4", "IPv4", "inet"] {
            assert_eq!(family(text), Ok(Family::V4));
        }
        for text in ["6", "ipv6", "inet6"] {
            assert_eq!(family(text), Ok(Family::V6));
        }
        assert!(family("5").is_err());
        assert_eq!(state("close-wait"), Ok(TcpState::CloseWait));
        assert_eq!(state("Closed"), Ok(TcpState::Close));
        assert!(state("CLOSEWAIT").unwrap_err().contains("CLOSE_WAIT"));
    }
}
