//! Packages whose services are not started: rsyslog, nginx and Prometheus are wanted as programs only, and a
//! test starts what it needs itself.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::{Context as _, Result};

/// What Debian's packages ask before they start a service (invoke-rc.d(8)); 101 says no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const SCRIPT: &[u8] =
    b"#!/bin/sh\n# Made by cargo xtask setup while it installs packages.\nexit 101\n";

/// As long as this lives, installing a package starts no service. Where somebody has a policy already, as
/// containers do, that one counts.
pub(crate) struct NoServices {
    is_ours: bool,
}

impl NoServices {
    pub(crate) fn begin() -> Result<Self> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(POLICY);
        let mut file = match made {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // An earlier run may have been interrupted.
                let is_ours = fs::read(POLICY).is_ok_and(|script| script == SCRIPT);
                return Ok(Self { is_ours });
            }
            Err(error) => return Err(error).context(format!("cannot make {POLICY}")),
        };
        let policy = Self { is_ours: true };
        file.write_all(SCRIPT)
            .with_context(|| format!("cannot write {POLICY}"))?;
        Ok(policy)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours {
            // If it cannot be removed there is no more that could be done; it says who made it.
            let _ = fs::remove_file(POLICY);
        }
    }
}
