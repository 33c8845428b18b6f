//! Python packages that the tests need, in an environment of their own below the cache folder.
//!
//! `requirements.txt` pins all of them. A stamp in the environment says what it was made from: where that is
//! what is asked for, a look at one file is all that is done.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell;

/// Every package with its version.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// What the environment is made with: the system's, whatever else is on `PATH`.
const PYTHON: &str = "/usr/bin/python3";

/// The environment.
pub(crate) fn folder() -> Result<PathBuf> {
    Ok(shell::cache()?.join("python"))
}

/// A program of the environment: `python3`, or what a package brings.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    Ok(folder()?.join("bin").join(name))
}

/// Whether environments can be made: Debian's Python alone cannot.
pub(crate) fn has_venv() -> bool {
    let probe = "import ensurepip, venv";
    let mut python = shell::program(PYTHON);
    python
        .args(["-c", probe])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Makes the environment, or brings it to what `requirements.txt` says.
pub(crate) fn setup() -> Result<()> {
    let folder = folder()?;
    let stamp = folder.join("socktrace.stamp");
    let wanted = wanted()?;
    if is(&stamp, &wanted) {
        return Ok(());
    }
    let cache = shell::cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // Other source trees of this user share the environment.
    let lock = cache.join("python.lock");
    let lock = File::create(&lock).with_context(|| format!("cannot make {}", lock.display()))?;
    lock.lock().context("cannot lock the Python environment")?;
    if is(&stamp, &wanted) {
        return Ok(());
    }
    // Whatever is interrupted from here on is done again.
    let _ = fs::remove_file(&stamp);
    if !works(&folder) {
        let mut python = shell::program(PYTHON);
        shell::run(python.args(["-m", "venv", "--clear"]).arg(&folder))?;
    }
    let list = cache.join("python.txt");
    fs::write(&list, REQUIREMENTS).with_context(|| format!("cannot write {}", list.display()))?;
    let pip = ["-m", "pip", "--disable-pip-version-check"];
    shell::run(
        shell::program(program("python3")?)
            .args(pip)
            .args(["install", "--quiet", "--no-deps", "--requirement"])
            .arg(&list),
    )?;
    shell::run(
        shell::program(program("python3")?)
            .args(pip)
            .args(["check"]),
    )
    .context("xtask/requirements.txt is not complete")?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// What the stamp has to say: the interpreter and the list.
fn wanted() -> Result<String> {
    let real = fs::canonicalize(PYTHON)
        .with_context(|| format!("no {PYTHON}; `cargo xtask setup --tests` installs it"))?;
    Ok(format!("{}\n{REQUIREMENTS}", real.display()))
}

fn is(stamp: &Path, wanted: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|text| text == wanted)
}

/// Whether there is an environment whose interpreter still starts, and is the system's of today.
fn works(folder: &Path) -> bool {
    let python = folder.join("bin/python3");
    let same = fs::canonicalize(&python).ok() == fs::canonicalize(PYTHON).ok();
    let starts = shell::program(&python)
        .args(["-m", "pip", "--version"])
        .output();
    same && starts.is_ok_and(|output| output.status.success())
}
