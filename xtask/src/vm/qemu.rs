//! The emulator: the system's if there is one, else one unpacked into the user's cache.
//!
//! It is not installed into the system: where another release's QEMU tools are installed, apt would have to
//! remove them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::apt::{self, Apt};
use crate::{setup, shell, toolchain};

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// Where packages have libraries. The last is one's that finds its own only where it was built for.
const LIBRARIES: [&str; 3] = [
    "usr/lib/x86_64-linux-gnu",
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu/pulseaudio",
];
const MODULES: &str = "usr/lib/x86_64-linux-gnu/qemu";

/// A usable emulator.
#[derive(Debug)]
pub(super) enum Qemu {
    /// The one on `PATH`.
    System,
    /// The packages unpacked below a folder.
    Unpacked(PathBuf),
}

impl Qemu {
    /// The emulator that is there, if one is.
    pub(super) fn find() -> Option<Self> {
        if toolchain::on_path(PROGRAM).is_some() {
            return Some(Self::System);
        }
        let unpacked = Self::Unpacked(tree().ok()?);
        // Its libraries are partly the system's, and those may have changed since.
        unpacked.starts().then_some(unpacked)
    }

    /// Calls it.
    pub(super) fn command(&self) -> Command {
        match self {
            Self::System => shell::program(PROGRAM),
            Self::Unpacked(tree) => {
                let mut command = shell::program(tree.join("usr/bin").join(PROGRAM));
                command
                    .env("LD_LIBRARY_PATH", library_path(tree))
                    .env("QEMU_MODULE_DIR", tree.join(MODULES));
                for data in ["usr/share/qemu", "usr/share/seabios"] {
                    command.arg("-L").arg(tree.join(data));
                }
                command
            }
        }
    }

    fn starts(&self) -> bool {
        self.command()
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// Makes sure that there is one.
pub(super) fn setup() -> Result<()> {
    if Qemu::find().is_some() {
        return Ok(());
    }
    if !Path::new("/var/lib/dpkg/status").exists() || toolchain::on_path("apt-get").is_none() {
        bail!("the virtual machines need {PROGRAM}; install it");
    }
    let tree = tree()?;
    // Work is done beside its place, so that what was interrupted is not taken for complete.
    let unfinished = tree.with_file_name(format!("qemu.{}", std::process::id()));
    let fetched = fetch(&unfinished);
    if fetched.is_ok() {
        let _ = fs::remove_dir_all(&tree);
        fs::rename(&unfinished, &tree)
            .with_context(|| format!("cannot fill {}", tree.display()))?;
    } else {
        let _ = fs::remove_dir_all(&unfinished);
    }
    fetched?;
    ensure!(
        Qemu::find().is_some(),
        "{} does not start; install the package {PACKAGE}",
        tree.join("usr/bin").join(PROGRAM).display()
    );
    Ok(())
}

fn tree() -> Result<PathBuf> {
    Ok(shell::cache()?.join("qemu"))
}

/// Unpacks the package and what it needs, as far as that is not installed, into `tree`.
fn fetch(tree: &Path) -> Result<()> {
    eprintln!("vm: fetching {PACKAGE}");
    let work = tree.join("apt");
    let apt = Apt::of_system(&work, "qemu-")?;
    if download(&apt).is_err() {
        // The lists may be old, or none may be there at all, as in a fresh container.
        setup::update()?;
        download(&apt)?;
    }
    apt::extract(&work.join("cache/archives"), tree)?;
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

fn download(apt: &Apt) -> Result<()> {
    let mut install = apt.command("apt-get");
    install.args(["install", "--download-only", "--yes", "--quiet=2"]);
    shell::run(install.args(["--no-install-recommends", PACKAGE]))
}

/// The folders of the unpacked libraries before those that the user named.
fn library_path(tree: &Path) -> OsString {
    let mut path = LIBRARIES
        .map(|folder| tree.join(folder).into_os_string())
        .join(OsStr::new(":"));
    if let Some(others) = env::var_os("LD_LIBRARY_PATH").filter(|others| !others.is_empty()) {
        path.push(":");
        path.push(others);
    }
    path
}
