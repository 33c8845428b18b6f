//! Running other programs, and where the source is.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the source tree.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The root workspace's target folder.
pub(crate) fn target() -> PathBuf {
    // A relative folder is relative to where cargo was called, which is where this process runs.
    match env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| folder.into()),
        None => root().join("target"),
    }
}

/// Where what was fetched for the tests stays, whatever becomes of the source tree.
pub(crate) fn cache() -> Result<PathBuf> {
    let xdg = env::var_os("XDG_CACHE_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    let cache = xdg
        .or_else(|| Some(env::home_dir()?.join(".cache")))
        .context("HOME is not set")?;
    Ok(cache.join("socktrace"))
}

/// The cargo that runs this program, in the root of the source tree.
pub(crate) fn cargo() -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What `cargo run` says about xtask would make build scripts think that something changed.
    for (name, _) in env::vars_os().filter(|(name, _)| is_about_xtask(name)) {
        command.env_remove(name);
    }
    command
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target());
    command
}

/// A program found on `PATH`, in the root of the source tree.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// Runs `command` to its end and shows what it prints; fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("$ {shown}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

/// Runs `command` to its end and returns what it prints on standard output; fails if it does.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))
}

/// True if this process may do everything.
pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn show(command: &Command) -> String {
    let name = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words: Vec<OsString> = std::iter::once(name)
        .chain(command.get_args())
        .map(OsStr::to_os_string)
        .collect();
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}

fn is_about_xtask(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}
