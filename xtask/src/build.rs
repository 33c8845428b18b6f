//! `cargo xtask build`: the agent, its eBPF programs embedded.

use std::path::PathBuf;

use anyhow::Result;

use crate::{setup, shell};

/// Builds for release, or for debugging.
pub(crate) fn command(debug: bool) -> Result<()> {
    setup::build()?;
    let mut cargo = shell::cargo();
    cargo.args(["build", "--locked", "--package", "socktrace"]);
    cargo.args(["--features", "full"]);
    if !debug {
        cargo.arg("--release");
    }
    shell::run(&mut cargo)
}

/// Builds for release and returns where the program is.
pub(crate) fn release() -> Result<PathBuf> {
    command(false)?;
    Ok(shell::target().join("release/socktrace"))
}
