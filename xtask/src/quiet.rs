//! Packages whose services are not started: rsyslog, nginx and Prometheus are wanted as programs only, and a
//! test starts what it needs itself.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// What Debian's packages ask before they start a service (invoke-rc.d(8)); 101 says no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const SCRIPT: &[u8] =
    b"#!/bin/sh\n# Made by cargo xtask setup while it installs packages.\nexit 101\n";

/// As long as this lives, installing a package starts no service. Where somebody has a policy already, as
/// containers do, that one counts.
pub(crate) struct NoServices {
    /// What has to be removed.
    made: Option<PathBuf>,
}

impl NoServices {
    pub(crate) fn begin() -> Result<Self> {
        Self::begin_at(Path::new(POLICY))
    }

    fn begin_at(policy: &Path) -> Result<Self> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(policy);
        let ours = || Self {
            made: Some(policy.to_owned()),
        };
        match made {
            Ok(mut file) => {
                let ours = ours();
                file.write_all(SCRIPT)
                    .with_context(|| format!("cannot write {}", policy.display()))?;
                Ok(ours)
            }
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).context(format!("cannot make {}", policy.display()))
            }
            // An earlier run may have been interrupted.
            Err(_) if fs::read(policy).is_ok_and(|script| script == SCRIPT) => Ok(ours()),
            Err(_) => Ok(Self { made: None }),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(made) = &self.made {
            // If it cannot be removed there is no more that could be done; it says who made it.
            let _ = fs::remove_file(made);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_held_back_for_as_long_as_it_takes_and_no_longer() {
        let policy = std::env::temp_dir().join(format!("policy-rc.d.{}", std::process::id()));
        let held = NoServices::begin_at(&policy).unwrap();
        let answer = std::process::Command::new("sh").arg(&policy).status();
        assert_eq!(answer.unwrap().code(), Some(101));
        std::mem::forget(held);
        // The run that made it was interrupted; the next one removes it.
        drop(NoServices::begin_at(&policy).unwrap());
        assert!(!policy.exists());
        // Somebody else's stays.
        fs::write(&policy, "exit 0\n").unwrap();
        drop(NoServices::begin_at(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "exit 0\n");
        fs::remove_file(&policy).unwrap();
    }
}
