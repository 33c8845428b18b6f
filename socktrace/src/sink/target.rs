//! Destinations as they are named on the command line.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::schema::escape;

/// A destination.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Standard output, named `-`.
    Stdout,
    /// A file, to which lines are appended.
    File(PathBuf),
}

/// See [`Target::parse`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It has the form of a URL.
    #[error(
        "{spec} looks like a URL, and there is no such output; supported are - (standard output) and \
         the path of a file (./{spec} if that is really its name)"
    )]
    Url {
        /// What was given, escaped.
        spec: String,
    },
    /// It is empty.
    #[error(
        "the name of an output is empty; supported are - (standard output) and the path of a file"
    )]
    Empty,
}

impl Target {
    /// The destination that `spec` names.
    ///
    /// # Errors
    ///
    /// [`TargetError`] where it names none.
    pub fn parse(spec: &OsStr) -> Result<Self, TargetError> {
        match spec.as_bytes() {
            b"" => Err(TargetError::Empty),
            b"-" => Ok(Self::Stdout),
            bytes if has_scheme(bytes) => Err(TargetError::Url {
                spec: escape(bytes).into_owned(),
            }),
            _ => Ok(Self::File(spec.into())),
        }
    }

    /// What it is called in messages, escaped.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdout => "standard output".to_owned(),
            Self::File(path) => escape(path.as_os_str().as_bytes()).into_owned(),
        }
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

    #[test]
    fn a_dash_is_standard_output_and_a_path_is_a_file() {
        let check = |spec: &str, target| assert_eq!(Target::parse(spec.as_ref()), Ok(target));
        check("-", Target::Stdout);
        for path in [
            "out.json",
            "/var/log/socktrace.json",
            "./-",
            "./tcp://x",
            "a:b",
            "://x",
            "1x://y",
        ] {
            check(path, Target::File(path.into()));
        }
        let bytes = OsStr::from_bytes(b"/tmp/\xff");
        assert_eq!(Target::parse(bytes), Ok(Target::File(bytes.into())));
    }

    #[test]
    fn a_url_is_refused_with_what_is_supported() {
        for spec in [
            "http://localhost:9200",
            "syslog+tls://host",
            "kafka://a,b/topic",
        ] {
            let error = Target::parse(spec.as_ref()).unwrap_err().to_string();
            assert!(
                error.starts_with(spec) && error.contains("standard output"),
                "{error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
        assert_eq!(Target::parse("".as_ref()), Err(TargetError::Empty));
    }
}
