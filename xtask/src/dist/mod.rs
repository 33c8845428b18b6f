//! `cargo xtask dist`: a Debian package and an archive with a static program, each with everything that
//! belongs to an installation.
//!
//! * [`files`]: what that is.
//! * [`notices`]: the licences of what is linked into the program.
//! * [`tarball`], [`deb`]: into what it is packed.
//! * [`check`]: whether it is all there and works; [`mod@boot`]: whether it does as a service of a whole system.
//!
//! All times in them are `SOURCE_DATE_EPOCH`, or that of the last commit: the same programs make the same
//! packages, to the byte.

mod boot;
mod check;
mod deb;
mod files;
mod notices;
mod tarball;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::files::Files;
use crate::{build, setup, shell};

/// Everything that is made of one build.
#[derive(Debug)]
struct Dist {
    /// The folder that all of it is in.
    folder: PathBuf,
    deb: PathBuf,
    tarball: PathBuf,
}

/// Builds both packages from the release profile.
pub(crate) fn command() -> Result<()> {
    let dist = make("release")?;
    for file in [&dist.deb, &dist.tarball] {
        println!("{}", file.display());
    }
    Ok(())
}

/// Builds both packages and tries the Debian one in a Debian that is booted for it.
pub(crate) fn boot() -> Result<()> {
    boot::run(&make("guest")?)
}

/// Builds both packages and looks at what has become of them. The static program is built quickly.
pub(crate) fn test() -> Result<()> {
    setup::tests()?;
    check::all(&make("guest")?)
}

fn make(static_profile: &str) -> Result<Dist> {
    setup::dist()?;
    let dynamic = build::release()?;
    let linked_statically = build_static(static_profile)?;
    let epoch = epoch()?;
    let folder = shell::target().join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let pages = pages(&folder)?;
    let version = version()?;
    let files = Files::collect(&dynamic, &pages)?;
    let deb = deb::write(&folder, files, &version, epoch)?;
    let files = Files::collect(&linked_statically, &pages)?;
    let tarball = tarball::write(&folder, files, &version, epoch)?;
    Ok(Dist {
        folder,
        deb,
        tarball,
    })
}

/// The target whose C library is linked statically, resolver included.
pub(crate) fn static_target() -> String {
    format!("{}-unknown-linux-musl", env::consts::ARCH)
}

fn build_static(profile: &str) -> Result<PathBuf> {
    let target = static_target();
    let mut cargo = shell::cargo();
    let compiler = format!("CC_{}", target.replace('-', "_"));
    cargo.env(compiler, "musl-gcc").args(["build", "--locked"]);
    cargo.args(["--package", "socktrace", "--features", "full"]);
    cargo.args(["--profile", profile, "--target", &target]);
    shell::run(&mut cargo)?;
    Ok(shell::target().join(target).join(profile).join("socktrace"))
}

/// Man pages and completions, made from the flags themselves.
fn pages(folder: &Path) -> Result<PathBuf> {
    let pages = folder.join("pages");
    // What an older version has left behind is none of this one's.
    let _ = fs::remove_dir_all(&pages);
    let mut cargo = shell::cargo();
    cargo.args(["run", "--locked", "--quiet", "--package", "socktrace"]);
    cargo.args(["--features", "full", "--example", "pages", "--"]);
    shell::run(cargo.arg(&pages))?;
    Ok(pages)
}

/// Seconds since 1970 that everything in the packages is dated with.
fn epoch() -> Result<u64> {
    let text = match env::var("SOURCE_DATE_EPOCH") {
        Ok(given) => given,
        Err(_) => shell::read(shell::program("git").args(["log", "-1", "--format=%ct"]))
            .context("set SOURCE_DATE_EPOCH where there is no git history")?,
    };
    text.trim()
        .parse()
        .with_context(|| format!("SOURCE_DATE_EPOCH is no number of seconds: {text:?}"))
}

fn version() -> Result<String> {
    let manifest = fs::read_to_string(shell::root().join("Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse().context("in Cargo.toml")?;
    let version = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("version")?.as_str());
    version.map(str::to_owned).context("no version")
}
