//! The programs that run in the guest, linked statically: the guest holds next to nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::Message;

use crate::shell;

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// Of the workspace. An emulated processor is slow, so the tests are optimised as well as the agent.
const PROFILE: &str = "guest";

/// The programs.
#[derive(Debug)]
pub(super) struct Guest {
    /// The agent.
    pub(super) socktrace: PathBuf,
    /// The kernel tests.
    pub(super) tests: PathBuf,
    /// The workloads, as the tests' `WORKLOADS_DIR` has them.
    pub(super) workloads: PathBuf,
}

impl Guest {
    /// Builds them.
    pub(super) fn build() -> Result<Self> {
        // A triple and flags of their own keep this apart from the host's build in the same target folder.
        let programs = ["--package", "socktrace", "--package", "socktrace-tests"];
        shell::run(cargo("build").args(programs).arg("--bins"))?;
        let tests = kernel_tests()?;
        let socktrace = shell::target().join(TARGET).join(PROFILE).join("socktrace");
        let workloads = shell::target().join("vm/workloads");
        let _ = fs::remove_dir_all(&workloads);
        shell::run(
            shell::program(&tests)
                .arg("--install-workloads")
                .arg(&workloads),
        )?;
        Ok(Self {
            socktrace,
            tests,
            workloads,
        })
    }
}

fn cargo(subcommand: &str) -> std::process::Command {
    let mut cargo = shell::cargo();
    cargo
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args([
        subcommand,
        "--locked",
        "--profile",
        PROFILE,
        "--target",
        TARGET,
    ]);
    cargo
}

/// Builds the kernel tests and returns the path of their program.
fn kernel_tests() -> Result<PathBuf> {
    let mut cargo = cargo("test");
    cargo.args([
        "--package",
        "socktrace-tests",
        "--test",
        "kernel",
        "--no-run",
    ]);
    let messages = shell::read(cargo.arg("--message-format=json-render-diagnostics"))?;
    Message::parse_stream(messages.as_bytes())
        .filter_map(Result::ok)
        .find_map(|message| match message {
            Message::CompilerArtifact(artifact) if artifact.target.name == "kernel" => {
                artifact.executable
            }
            _ => None,
        })
        .map(|path| Path::new(path.as_str()).to_path_buf())
        .context("cargo told of no kernel tests")
}
