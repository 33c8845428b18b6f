//! Values of flags, from text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::model::{Comm, Family, TcpState};

/// Longest name the kernel keeps of a process: `TASK_COMM_LEN` less its NUL.
const COMM_MAX: usize = 15;

/// `500ms`, `10s`, `5m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "a duration needs a unit: {text}s for seconds, {text}ms, {text}m …"
        ));
    }
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; durations are written 500ms, 10s, 5m or 1h30m"))
}

/// `8MiB`, `512KiB`, `8388608`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err("sizes are written 8MiB, 512KiB or in bytes".to_owned()),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "sizes are written 8MiB, 512KiB or in bytes")?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "it is too big".to_owned())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check =
            |text, millis| assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        check("500ms", 500);
        check("10s", 10_000);
        check("5m", 300_000);
        check("1h30m", 5_400_000);
        check("1m 30s", 90_000);
        for (text, hint) in [
            ("10", "10s for seconds"),
            ("", "500ms"),
            ("abc", "500ms"),
            ("-5s", "500ms"),
            ("5 parsecs", "500ms"),
        ] {
            let error = duration(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn sizes() {
        let check = |text, expected| assert_eq!(bytes(text), Ok(expected), "{text}");
        check("8MiB", 8 << 20);
        check("8m", 8 << 20);
        check("512KiB", 512 << 10);
        check("1 GiB", 1 << 30);
        check("4096", 4096);
        check("4096B", 4096);
        check("0", 0);
        for text in [
            "",
            "MiB",
            "8MB",
            "8 TiB",
            "1.5MiB",
            "-1",
            "99999999999999999999",
            "18014398509481984k",
        ] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

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
