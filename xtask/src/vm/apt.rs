//! apt, apart from the system's: its configuration and cache are our own, so that the system stays as it is.
//!
//! The mirror is the one that this machine's apt uses, or `SOCKTRACE_DEBIAN_MIRROR`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Names the mirror where apt's sources do not, as on Ubuntu.
const MIRROR: &str = "SOCKTRACE_DEBIAN_MIRROR";

/// apt with a configuration and a cache of its own.
pub(super) struct Apt {
    config: PathBuf,
}

impl Apt {
    /// Keeps everything in `folder`; knows the packages of `suites` only.
    pub(super) fn new(folder: &Path, suites: &[&str]) -> Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial", "etc"] {
            fs::create_dir_all(folder.join(part))
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mirrors = Mirrors::find()?;
        let sources: String = suites.iter().map(|suite| mirrors.source(suite)).collect();
        fs::write(folder.join("etc/sources.list"), sources)?;
        fs::write(folder.join("state/status"), "")?;
        let config = folder.join("etc/apt.conf");
        // Suites that are no longer renewed have an expired Release file; signatures are checked all the
        // same. Without a sandbox user apt needs no permission on the folders above this one.
        let text = format!(
            "Dir::Etc::sourcelist \"{0}/etc/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
             Dir::State \"{0}/state\";\nDir::State::status \"{0}/state/status\";\nDir::Cache \"{0}/cache\";\n\
             APT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; }};\nAPT::Sandbox::User \"\";\n\
             Acquire::Languages \"none\";\nAcquire::Check-Valid-Until \"false\";\n",
            folder.display()
        );
        fs::write(&config, text)?;
        Ok(Self { config })
    }

    /// Knows what the system's apt knows, but takes the packages whose names begin with `without` for not
    /// installed. What it downloads comes to lie in `folder/cache/archives`.
    pub(super) fn of_system(folder: &Path, without: &str) -> Result<Self> {
        for part in ["state", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let installed = fs::read_to_string("/var/lib/dpkg/status")
            .context("cannot read which packages are installed")?;
        fs::write(
            folder.join("state/status"),
            without_packages(&installed, without),
        )?;
        let config = folder.join("apt.conf");
        let text = format!(
            "Dir::State::status \"{0}/state/status\";\nDir::Cache \"{0}/cache\";\n\
             APT::Sandbox::User \"\";\n",
            folder.display()
        );
        fs::write(&config, text)?;
        Ok(Self { config })
    }

    /// `apt-get`, `apt-cache`, …
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = shell::program(program);
        command.arg("--config-file").arg(&self.config);
        command
    }
}

/// Unpacks the packages of `folder` into `tree`, without installing them, and removes them.
pub(super) fn extract(folder: &Path, tree: &Path) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let package = entry?.path();
        if package
            .extension()
            .is_none_or(|extension| extension != "deb")
        {
            continue;
        }
        let mut extract = shell::program("dpkg-deb");
        shell::read(extract.arg("--extract").arg(&package).arg(tree))?;
        fs::remove_file(&package)?;
    }
    Ok(())
}

/// The stanzas of dpkg's `status` file but those of packages whose names begin with `prefix`.
fn without_packages(status: &str, prefix: &str) -> String {
    let is_kept = |stanza: &&str| {
        let name = stanza
            .lines()
            .find_map(|line| line.strip_prefix("Package: "));
        !name.is_some_and(|name| name.starts_with(prefix))
    };
    let mut kept = String::with_capacity(status.len());
    for stanza in status.split("\n\n").filter(is_kept) {
        kept.push_str(stanza.trim_end_matches('\n'));
        kept.push_str("\n\n");
    }
    kept
}

/// Where Debian's archives are.
struct Mirrors {
    main: String,
    security: String,
}

impl Mirrors {
    fn find() -> Result<Self> {
        if let Ok(main) = env::var(MIRROR) {
            let main = main.trim_end_matches('/').to_owned();
            return Ok(Self {
                security: format!("{main}-security"),
                main,
            });
        }
        let targets = shell::read(shell::program("apt-get").args([
            "indextargets",
            "--format",
            "$(ORIGIN) $(RELEASE) $(REPO_URI)",
            "Created-By: Packages",
        ]))?;
        Self::parse(&targets)
    }

    /// Reads lines of `ORIGIN RELEASE URI`.
    fn parse(targets: &str) -> Result<Self> {
        let (mut main, mut security) = (None, None);
        for line in targets.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ["Debian", suite, uri] = words.as_slice() else {
                continue;
            };
            let place = if suite.contains("-security") {
                &mut security
            } else {
                &mut main
            };
            place.get_or_insert_with(|| uri.trim_end_matches('/').to_owned());
        }
        let Some(main) = main else {
            bail!(
                "apt's sources name no Debian mirror (is `apt-get update` due?); set {MIRROR} to its address"
            );
        };
        Ok(Self {
            security: security.unwrap_or_else(|| format!("{main}-security")),
            main,
        })
    }

    fn source(&self, suite: &str) -> String {
        const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
        let mirror = if suite.ends_with("-security") {
            &self.security
        } else {
            &self.main
        };
        format!("deb [signed-by={KEYS}] {mirror} {suite} main\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_taken_from_apt() {
        let targets = "Other bookworm http://other/debian/\nDebian bookworm http://m/debian/\n\
                       Debian bookworm-updates http://m2/debian/\nDebian bookworm-security http://m/sec/\n";
        let mirrors = Mirrors::parse(targets).expect("mirrors");
        assert!(
            mirrors
                .source("bullseye")
                .contains(" http://m/debian bullseye main")
        );
        assert!(
            mirrors
                .source("bullseye-security")
                .contains(" http://m/sec bullseye-security main")
        );
        assert!(Mirrors::parse("Ubuntu noble http://u/ubuntu/\n").is_err());
        let mirrors = Mirrors::parse("Debian trixie http://m/debian\n").expect("mirrors");
        assert!(
            mirrors
                .source("trixie-security")
                .contains(" http://m/debian-security trixie-security main")
        );
    }

    #[test]
    fn packages_are_left_out_by_their_name() {
        let status = "Package: qemu-utils\nDepends: a\n\nPackage: libc6\nBreaks: qemu-user\n\n\
                      Package: qemu-user\nStatus: x\n\nPackage: zlib1g\n";
        let kept = "Package: libc6\nBreaks: qemu-user\n\nPackage: zlib1g\n\n";
        assert_eq!(without_packages(status, "qemu-"), kept);
    }
}
