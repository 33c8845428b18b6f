//! Passwords, tokens and keys: where they come from, and that nobody sees them.
//!
//! A secret is named, not given: by the path of a file, or by the name of a systemd credential. It is read
//! when it is needed first, and again after [`Secret::forget`]: on reload, and when a counterpart says that
//! it is wrong, because somebody may have changed it meanwhile.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::schema::escape;

/// Where the service manager puts credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A file that is larger holds no secret but something else.
const MOST: u64 = 64 * 1024;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// In a file.
    File(PathBuf),
    /// In a credential of this name, handed over by the service manager.
    Credential(String),
}

/// A password, token or key. Neither `Debug` nor `Display` show it, nor do two of them differ by it.
///
/// Clones share what was read.
#[derive(Clone)]
pub struct Secret {
    source: SecretSource,
    read: Arc<Mutex<Option<Arc<[u8]>>>>,
}

/// Why a secret is not there. The message names the place and never the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("cannot read {place}: {reason}")]
    Read {
        /// Which secret.
        place: String,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// There is nothing in the file.
    #[error("{place} is empty")]
    Empty {
        /// Which secret.
        place: String,
    },
    /// The file is too large to be a secret.
    #[error("{place} has more than 64 KiB: that is no secret")]
    TooLarge {
        /// Which secret.
        place: String,
    },
    /// It is to be used where only text can be.
    #[error("{place} has bytes that cannot stand in a header: only printable ASCII can")]
    NotText {
        /// Which secret.
        place: String,
    },
    /// The service manager has handed over no credentials at all.
    #[error(
        "{place}: $CREDENTIALS_DIRECTORY is not set; run socktrace as a service with LoadCredential=, or name a file"
    )]
    NoCredentials {
        /// Which secret.
        place: String,
    },
}

impl SecretSource {
    /// The file at `text`.
    ///
    /// # Errors
    ///
    /// If it is not an absolute path, as a phrase for a message.
    pub fn file(text: &str) -> Result<Self, String> {
        if text.starts_with('/') && !text.ends_with('/') && !text.contains('\0') {
            Ok(Self::File(PathBuf::from(text)))
        } else {
            Err("it is the absolute path of a file".to_owned())
        }
    }

    /// The credential called `text`.
    ///
    /// # Errors
    ///
    /// If it cannot be the name of one, as a phrase for a message.
    pub fn credential(text: &str) -> Result<Self, String> {
        let fits = !text.is_empty()
            && text.len() <= 255
            && !text.starts_with('.')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if fits {
            Ok(Self::Credential(text.to_owned()))
        } else {
            Err("it is the name of a credential: no slashes, no dot at its beginning".to_owned())
        }
    }

    fn path(&self, folder: Option<&OsStr>) -> Result<PathBuf, SecretError> {
        match (self, folder) {
            (Self::File(path), _) => Ok(path.clone()),
            (Self::Credential(name), Some(folder)) => Ok(Path::new(folder).join(name)),
            (Self::Credential(_), None) => Err(SecretError::NoCredentials {
                place: self.to_string(),
            }),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(&escape(path.as_os_str().as_encoded_bytes())),
            Self::Credential(name) => write!(f, "the credential {}", escape(name.as_bytes())),
        }
    }
}

impl Secret {
    /// The secret that is there. Nothing is read yet.
    #[must_use]
    pub fn new(source: SecretSource) -> Self {
        Self {
            source,
            read: Arc::default(),
        }
    }

    /// The secret in the file at `path`.
    #[must_use]
    pub fn in_file(path: PathBuf) -> Self {
        Self::new(SecretSource::File(path))
    }

    /// Where it is.
    #[must_use]
    pub fn source(&self) -> &SecretSource {
        &self.source
    }

    /// Its bytes, without the newline that editors put at the end.
    ///
    /// # Errors
    ///
    /// [`SecretError`] where it is not to be had; the next call tries again.
    pub fn bytes(&self) -> Result<Arc<[u8]>, SecretError> {
        self.bytes_with(std::env::var_os(CREDENTIALS).as_deref())
    }

    /// As [`Self::bytes`], as text that can stand in a header of HTTP: printable ASCII and spaces.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`], and [`SecretError::NotText`].
    pub fn text(&self) -> Result<String, SecretError> {
        let bytes = self.bytes()?;
        match str::from_utf8(&bytes) {
            Ok(text)
                if text
                    .bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic()) =>
            {
                Ok(text.to_owned())
            }
            _ => Err(SecretError::NotText {
                place: self.source.to_string(),
            }),
        }
    }

    /// As [`Self::text`], read anew.
    ///
    /// # Errors
    ///
    /// As [`Self::text`], as a phrase for a message.
    pub fn read(&self) -> Result<String, String> {
        self.forget();
        self.text().map_err(|error| error.to_string())
    }

    /// Has it read anew when it is needed next.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    fn bytes_with(&self, folder: Option<&OsStr>) -> Result<Arc<[u8]>, SecretError> {
        let mut read = self.lock();
        if let Some(known) = &*read {
            return Ok(Arc::clone(known));
        }
        let secret: Arc<[u8]> = load(&self.source, folder)?.into();
        *read = Some(Arc::clone(&secret));
        Ok(secret)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<[u8]>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(source: &SecretSource, folder: Option<&OsStr>) -> Result<Vec<u8>, SecretError> {
    let place = || source.to_string();
    let failed = |reason| SecretError::Read {
        place: place(),
        reason,
    };
    let file = File::open(source.path(folder)?).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MOST {
        return Err(SecretError::TooLarge { place: place() });
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err(SecretError::Empty { place: place() });
    }
    Ok(bytes)
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Secret {}

impl std::hash::Hash for Secret {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.source).finish()
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret in {}", self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_file(bytes: &[u8]) -> (tempfile::TempDir, Secret) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, bytes).unwrap();
        (folder, Secret::new(SecretSource::File(path)))
    }

    #[test]
    fn a_newline_at_the_end_is_none_of_the_secret() {
        for (bytes, secret) in [
            ("hunter2", "hunter2"),
            ("hunter2\n", "hunter2"),
            ("hunter2\r\n", "hunter2"),
            ("two words \n", "two words "),
        ] {
            let (_folder, read) = in_file(bytes.as_bytes());
            assert_eq!(read.text().unwrap(), secret, "{bytes:?}");
        }
    }

    #[test]
    fn nobody_sees_it() {
        let (_folder, secret) = in_file(b"hunter2\n");
        secret.bytes().unwrap();
        for shown in [
            format!("{secret:?}"),
            format!("{secret:#?}"),
            secret.to_string(),
        ] {
            assert!(
                !shown.contains("hunter2") && shown.contains("token"),
                "{shown}"
            );
        }
        let (_folder, bad) = in_file(b"hunter2\nhunter3");
        let error = bad.text().unwrap_err();
        assert!(matches!(error, SecretError::NotText { .. }), "{error:?}");
        for shown in [format!("{error:?}"), error.to_string()] {
            assert!(!shown.contains("hunter"), "{shown}");
        }
        assert_eq!(&*bad.bytes().unwrap(), b"hunter2\nhunter3");
    }

    #[test]
    fn it_is_read_again_when_it_was_forgotten_and_all_clones_see_that() {
        let (folder, secret) = in_file(b"old");
        let clone = secret.clone();
        assert_eq!(clone.text().unwrap(), "old");
        std::fs::write(folder.path().join("token"), "new").unwrap();
        assert_eq!(secret.text().unwrap(), "old");
        clone.forget();
        assert_eq!(secret.text().unwrap(), "new");
    }

    #[test]
    fn what_is_not_to_be_had_is_said_and_tried_again() {
        let (folder, secret) = in_file(b"");
        assert!(matches!(secret.bytes(), Err(SecretError::Empty { .. })));
        std::fs::write(folder.path().join("token"), vec![b'x'; 70_000]).unwrap();
        assert!(matches!(secret.bytes(), Err(SecretError::TooLarge { .. })));
        std::fs::remove_file(folder.path().join("token")).unwrap();
        let error = secret.bytes().unwrap_err().to_string();
        assert!(error.contains("token: No such file"), "{error}");
        std::fs::write(folder.path().join("token"), "x").unwrap();
        assert_eq!(secret.text().unwrap(), "x");
    }

    #[test]
    fn credentials_are_in_the_service_managers_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hec"), "hunter2\n").unwrap();
        let secret = Secret::new(SecretSource::credential("hec").unwrap());
        let error = secret.bytes_with(None).unwrap_err().to_string();
        assert!(error.contains("LoadCredential"), "{error}");
        let read = secret.bytes_with(Some(folder.path().as_os_str())).unwrap();
        assert_eq!(&*read, b"hunter2");
        for name in ["", "../hec", "a/b", ".hec", "a b", "a\n"] {
            assert!(SecretSource::credential(name).is_err(), "{name:?}");
        }
        for path in ["token", "", "/", "a/b"] {
            assert!(SecretSource::file(path).is_err(), "{path:?}");
        }
    }
}
