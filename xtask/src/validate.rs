//! `cargo xtask validate`: what socktrace writes, checked by implementations that are not socktrace's.
//!
//! The checks are in `xtask/validate`, in Python, since that is what most of these implementations are for.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{build, python, setup, shell};

/// The Elastic Common Schema's list of fields; what is in it is pinned in `xtask/validate/ecs.py`.
const ECS: &str = "@elastic/ecs@9.4.0";
const ECS_FILE: &str = "elastic-ecs-9.4.0.tgz";

/// Builds socktrace and checks its lines: examples, recordings and, as root, what it says of this machine.
pub(crate) fn command() -> Result<()> {
    setup::tests()?;
    let socktrace = build::tested()?;
    let root = shell::root();
    let mut checks = shell::program(python::program("python3")?);
    checks
        .arg("-B")
        .arg(root.join("xtask/validate"))
        .arg(socktrace)
        .arg("--ecs")
        .arg(ecs()?)
        .arg("--recordings")
        .arg(root.join("tests/recordings"))
        .arg("--rules")
        .arg(root.join("socktrace/packaging/sigma"));
    if shell::is_root() {
        checks.arg("--live");
    } else {
        eprintln!("validate: `run` and `trace` need root and are left out");
    }
    shell::run(&mut checks)
}

/// Whether npm is needed to fetch what is not there yet.
pub(crate) fn is_fetched() -> bool {
    ecs().is_ok_and(|file| file.is_file())
}

/// Fetches what the checks need besides Python.
pub(crate) fn setup() -> Result<()> {
    if is_fetched() {
        return Ok(());
    }
    let cache = shell::cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // Into a folder of its own: what is interrupted leaves no half of a file under the name.
    let folder = tempfile::tempdir_in(&cache).context("cannot make a folder")?;
    let mut npm = shell::program("npm");
    npm.args(["pack", ECS, "--silent", "--ignore-scripts"])
        .current_dir(folder.path());
    shell::run(&mut npm)?;
    let to = ecs()?;
    fs::rename(folder.path().join(ECS_FILE), &to)
        .with_context(|| format!("cannot move {ECS_FILE} to {}", to.display()))
}

fn ecs() -> Result<PathBuf> {
    Ok(shell::cache()?.join(ECS_FILE))
}
