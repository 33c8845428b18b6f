//! `cargo xtask build`: the agent, its eBPF programs embedded.

use std::path::PathBuf;
use std::process::Command;

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

/// The profile of what is tested: fast, quickly built.
const TESTED: &str = "guest";

/// A cargo that builds what is tested: linked statically, since virtual machines hold next to nothing else, so that
/// the same program is tested there and here. A triple and flags of their own keep it apart from other builds.
pub(crate) fn tested_cargo(subcommand: &str) -> Command {
    let mut cargo = shell::cargo();
    cargo
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args([subcommand, "--locked", "--profile", TESTED]);
    cargo.args(["--target", &tested_target()]);
    cargo
}

/// Builds the agent that is tested, with all its features, and returns where the program is.
pub(crate) fn tested() -> Result<PathBuf> {
    setup::build()?;
    let agent = ["--package", "socktrace", "--features", "full"];
    shell::run(tested_cargo("build").args(agent))?;
    let folder = shell::target().join(tested_target()).join(TESTED);
    Ok(folder.join("socktrace"))
}

fn tested_target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}
