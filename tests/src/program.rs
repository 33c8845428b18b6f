//! The program under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A command that runs socktrace with some arguments.
#[must_use]
pub fn socktrace(args: &[&str]) -> Command {
    let mut command = Command::new(path());
    command
        .args(args)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE");
    command
}

/// Where it is: `SOCKTRACE_BIN`, or what cargo builds now, so that an old one is never tested.
///
/// # Panics
///
/// If it is not there and cannot be built.
#[must_use]
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match env::var_os("SOCKTRACE_BIN").map(PathBuf::from) {
        Some(given) if given.is_file() => given,
        Some(given) => panic!("SOCKTRACE_BIN is {}, which is no file", given.display()),
        None => built_by_cargo(),
    })
}

/// A program of the Python environment that `cargo xtask setup --tests` makes: `python3`, or what one of the
/// packages in xtask/requirements.txt brings.
///
/// # Panics
///
/// If it is not there.
#[must_use]
pub fn in_python(name: &str) -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cache")))
        .expect("HOME");
    let program = cache.join("socktrace/python/bin").join(name);
    assert!(
        program.is_file(),
        "no {}: `cargo xtask setup --tests` makes it",
        program.display()
    );
    program
}

/// Whether a program is in one of the folders of `PATH`.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Builds it into the folder that this test was built into.
fn built_by_cargo() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| {
        panic!("set SOCKTRACE_BIN to the socktrace to test; without cargo it cannot be built here")
    });
    let this = env::current_exe().expect("the path of this test");
    // target/<profile>/deps/<test>
    let profile = this
        .ancestors()
        .nth(2)
        .expect("the folder of this test's profile");
    let target = profile.parent().expect("cargo's target folder");
    let mut build = Command::new(cargo);
    build.args([
        "build",
        "--quiet",
        "--package",
        "socktrace",
        "--bin",
        "socktrace",
        "--features",
        "full",
    ]);
    build
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    build.arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let status = build.status().expect("cargo");
    assert!(
        status.success(),
        "cannot build socktrace: {build:?} failed; set SOCKTRACE_BIN"
    );
    profile.join("socktrace")
}
