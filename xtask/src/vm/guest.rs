//! The programs that run in the guest, linked statically: the guest holds next to nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::Message;

use crate::{build, shell};

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
        let socktrace = build::tested()?;
        let tests = kernel_tests()?;
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

/// Builds the kernel tests, and with them the workloads beside them, and returns the path of their program.
fn kernel_tests() -> Result<PathBuf> {
    let mut cargo = build::tested_cargo("test");
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
