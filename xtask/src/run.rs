//! `cargo xtask run`: build and start the agent.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result, bail};

use crate::{build, shell};

/// Builds the agent and becomes `socktrace run ARGUMENTS`.
pub(crate) fn command(arguments: &[OsString]) -> Result<()> {
    let socktrace = build::release()?;
    if !shell::is_root() {
        let arguments = arguments.join(std::ffi::OsStr::new(" "));
        bail!(
            "the agent needs root; it is built, now start it: sudo -E {} run {}",
            socktrace.display(),
            arguments.display()
        );
    }
    let error = std::process::Command::new(&socktrace)
        .arg("run")
        .args(arguments)
        .exec();
    Err(error).with_context(|| format!("cannot start {}", socktrace.display()))
}
