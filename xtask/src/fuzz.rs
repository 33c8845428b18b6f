//! `cargo xtask fuzz`: the fuzz targets of `tests/fuzz`, for a bounded time.
//!
//! Built with the stable compiler: libFuzzer needs the sanitizer's coverage pass, not the sanitizer.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::{setup, shell};

/// What cargo-fuzz would pass, without a sanitizer.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Clink-dead-code";

/// Runs each target for so many seconds.
pub(crate) fn command(seconds: u32) -> Result<()> {
    setup::tests()?;
    let crate_dir = shell::root().join("tests/fuzz");
    let triple = host()?;
    let target = shell::target().join("fuzz");
    let mut cargo = shell::cargo();
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--bins",
            "--target",
            &triple,
        ])
        .current_dir(&crate_dir)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", RUSTFLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    shell::run(&mut cargo)?;
    let names = targets()?;
    ensure!(!names.is_empty(), "{} has no targets", crate_dir.display());
    for name in names {
        let corpus = target.join("corpus").join(&name);
        fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        let mut fuzz = shell::program(target.join(&triple).join("release").join(&name));
        fuzz.arg(format!("-max_total_time={seconds}"))
            .args([
                "-timeout=10",
                "-rss_limit_mb=1024",
                "-print_final_stats=1",
                "-verbosity=0",
                "-print_funcs=0",
            ])
            .arg(format!("-artifact_prefix={}/{name}-", target.display()))
            .arg(&corpus);
        // The first folder is written to, the others are only read.
        fuzz.args(seeds(&name));
        shell::run(&mut fuzz)?;
    }
    Ok(())
}

/// The names of the fuzz crate's programs.
fn targets() -> Result<Vec<String>> {
    let manifest = shell::root().join("tests/fuzz/Cargo.toml");
    let mut cargo = shell::cargo();
    cargo.args([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--locked",
        "--manifest-path",
    ]);
    let metadata: cargo_metadata::Metadata =
        serde_json::from_str(&shell::read(cargo.arg(manifest))?)?;
    let targets = metadata
        .packages
        .iter()
        .flat_map(|package| &package.targets);
    Ok(targets
        .filter(|target| target.is_bin())
        .map(|target| target.name.clone())
        .collect())
}

/// Folders with inputs to begin with: those kept for the target, and every recording for what reads them.
fn seeds(name: &str) -> impl Iterator<Item = PathBuf> {
    let recordings = (name == "recording").then(|| "tests/recordings".to_owned());
    let folders = std::iter::once(format!("tests/fuzz/seeds/{name}")).chain(recordings);
    folders
        .map(|folder| shell::root().join(folder))
        .filter(|folder| folder.is_dir())
}

/// The triple of this machine. Named in the build so that build scripts are not instrumented.
fn host() -> Result<String> {
    let version = shell::read(shell::program("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not tell its host")?.to_owned())
}
