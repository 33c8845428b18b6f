//! Kernels from Debian's archive, unpacked into the user's cache.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::apt::{self, Apt};
use crate::shell;

/// Modules that the agent may use and that are not built in, each after those it needs.
const MODULES: [&str; 3] = ["inet_diag", "tcp_diag", "veth"];

/// A kernel in the cache.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// Its release, as `uname -r` tells it.
    pub(super) release: String,
    /// Its image.
    pub(super) image: PathBuf,
    /// Its modules, uncompressed, in the order in which they can be loaded.
    pub(super) modules: Vec<PathBuf>,
}

/// Finds the kernel of `version` (`6.1`) in the cache, or fetches it.
pub(super) fn find(version: &str) -> Result<Kernel> {
    let cache = shell::cache()?.join("kernels").join(version);
    if let Some(kernel) = cached(&cache) {
        return Ok(kernel);
    }
    // Work is done beside its place, so that what was interrupted is not taken for complete.
    let unfinished = cache.with_file_name(format!("{version}.{}", std::process::id()));
    let fetched = fetch(version, &unfinished);
    if fetched.is_ok() {
        let _ = fs::remove_dir_all(&cache);
        fs::rename(&unfinished, &cache)
            .with_context(|| format!("cannot fill {}", cache.display()))?;
    } else {
        let _ = fs::remove_dir_all(&unfinished);
    }
    fetched?;
    cached(&cache).with_context(|| format!("{} has no kernel image", cache.display()))
}

fn cached(cache: &Path) -> Option<Kernel> {
    let release = fs::read_to_string(cache.join("release"))
        .ok()?
        .trim()
        .to_owned();
    let modules = MODULES
        .iter()
        .map(|name| cache.join(format!("{name}.ko")))
        .filter(|file| file.is_file());
    Some(Kernel {
        release,
        image: cache.join("vmlinuz"),
        modules: modules.collect(),
    })
}

fn fetch(version: &str, into: &Path) -> Result<()> {
    let apt = Apt::new(&into.join("apt"), suites(version))?;
    eprintln!("vm: {version}: looking for the kernel");
    shell::run(apt.command("apt-get").args(["update", "--quiet=2"]))?;
    let names = shell::read(apt.command("apt-cache").args(["pkgnames", "linux-"]))?;
    let release = newest(version, names.lines()).with_context(|| {
        format!(
            "none of {} has a cloud kernel {version}",
            suites(version).join(", ")
        )
    })?;
    // Since 7.x the image is in linux-binary-* and linux-image-* only depends on it and on the modules.
    let wanted =
        ["linux-binary", "linux-modules", "linux-image"].map(|kind| format!("{kind}-{release}"));
    let has = |name: &&String| names.lines().any(|known| known == name.as_str());
    let is_split = wanted.first().is_some_and(|binary| has(&binary));
    let packages: Vec<&String> = wanted
        .iter()
        .filter(has)
        .filter(|name| !(is_split && name.starts_with("linux-image")))
        .collect();
    let mut download = apt.command("apt-get");
    shell::run(
        download
            .args(["download", "--quiet"])
            .args(packages)
            .current_dir(into),
    )?;
    let tree = into.join("tree");
    apt::extract(into, &tree)?;
    keep(&tree, &release, into)?;
    fs::remove_dir_all(&tree)?;
    fs::remove_dir_all(into.join("apt"))?;
    Ok(())
}

/// Where Debian has a kernel.
fn suites(version: &str) -> &'static [&'static str] {
    match version {
        "5.10" => &["bullseye", "bullseye-security"],
        "6.1" => &["bookworm", "bookworm-security"],
        "6.12" => &["bookworm-backports", "bookworm-security"],
        _ => &["trixie", "trixie-security", "trixie-backports"],
    }
}

/// The newest release of `version` among package names: `6.1.0-50-cloud-amd64`.
fn newest<'a>(version: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names
        .filter_map(|name| {
            name.strip_prefix("linux-image-")
                .or_else(|| name.strip_prefix("linux-binary-"))
        })
        .filter(|release| release.ends_with("-cloud-amd64"))
        .filter(|release| {
            release
                .strip_prefix(version)
                .is_some_and(|rest| rest.starts_with('.'))
        })
        .max_by_key(|release| numbers(release))
        .map(str::to_owned)
}

fn numbers(release: &str) -> Vec<u32> {
    release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// Moves what is needed from the unpacked packages to its place.
fn keep(tree: &Path, release: &str, into: &Path) -> Result<()> {
    let images = [
        tree.join("boot").join(format!("vmlinuz-{release}")),
        tree.join("usr/lib/modules").join(release).join("vmlinuz"),
    ];
    let image = images.iter().find(|image| image.is_file());
    let image = image.with_context(|| format!("the packages of {release} hold no kernel image"))?;
    fs::rename(image, into.join("vmlinuz"))?;
    let mut modules = Vec::new();
    for folder in ["lib/modules", "usr/lib/modules"] {
        find_modules(&tree.join(folder), &mut modules)?;
    }
    for name in MODULES {
        let of_name = |file: &&PathBuf| file.file_name().is_some_and(|file| is_module(file, name));
        if let Some(module) = modules.iter().find(of_name) {
            unpack(module, &into.join(format!("{name}.ko")))?;
        }
    }
    fs::write(into.join("release"), release)?;
    Ok(())
}

fn is_module(file: &OsStr, name: &str) -> bool {
    let file = file.to_string_lossy();
    file.strip_prefix(name)
        .is_some_and(|rest| matches!(rest, ".ko" | ".ko.xz" | ".ko.zst"))
}

fn find_modules(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find_modules(&entry.path(), found)?;
        } else {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Writes `module` to `to`, uncompressed: the guest has no kmod.
fn unpack(module: &Path, to: &Path) -> Result<()> {
    let program = match module.extension().and_then(OsStr::to_str) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => {
            return fs::copy(module, to)
                .map(drop)
                .with_context(|| format!("cannot copy {}", module.display()));
        }
    };
    let file = fs::File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    shell::run(
        shell::program(program)
            .args(["-d", "-c"])
            .arg(module)
            .stdout(file),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: &str, names: &[&str], expect: Option<&str>) {
        assert_eq!(newest(version, names.iter().copied()).as_deref(), expect);
    }

    #[test]
    fn the_newest_release_of_a_version_is_taken() {
        let of_6_1 = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-50-cloud-amd64",
        ];
        check("6.1", &of_6_1, Some("6.1.0-50-cloud-amd64"));
        check(
            "6.1",
            &[
                "linux-image-6.12.9+deb12-cloud-amd64",
                "linux-image-6.1-cloud-amd64",
            ],
            None,
        );
        check(
            "6.1",
            &[
                "linux-image-6.1.0-50-cloud-amd64-unsigned",
                "linux-image-6.1.0-50-amd64",
            ],
            None,
        );
        check(
            "6.12",
            &[
                "linux-image-6.12.9+deb12-cloud-amd64",
                "linux-image-6.12.43+deb12-cloud-amd64",
            ],
            Some("6.12.43+deb12-cloud-amd64"),
        );
        check(
            "7.3",
            &[
                "linux-binary-7.3.4+deb13-cloud-amd64",
                "linux-binary-unsigned-7.3.5+deb13-cloud-amd64",
            ],
            Some("7.3.4+deb13-cloud-amd64"),
        );
        check("7.3", &[], None);
    }

    #[test]
    fn modules_are_known_by_their_whole_name() {
        assert!(is_module(OsStr::new("tcp_diag.ko"), "tcp_diag"));
        assert!(is_module(OsStr::new("tcp_diag.ko.xz"), "tcp_diag"));
        assert!(!is_module(OsStr::new("mptcp_diag.ko"), "tcp_diag"));
        assert!(!is_module(OsStr::new("tcp_diag.kob"), "tcp_diag"));
    }
}
