//! `cargo xtask licences`: licence and source of every dependency, for every lock file of the tree.
//!
//! The rules are those of `deny.toml`, read from there, so that this check and cargo-deny cannot disagree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{Metadata, Package};
use spdx::{Expression, Licensee};

use crate::{setup, shell};

/// What `deny.toml` allows.
struct Rules {
    licences: Vec<Licensee>,
    targets: Vec<String>,
}

/// Checks all workspaces of the tree.
pub(crate) fn command() -> Result<()> {
    setup::build()?;
    let deny = shell::root().join("deny.toml");
    let text =
        fs::read_to_string(&deny).with_context(|| format!("cannot read {}", deny.display()))?;
    let rules = Rules::parse(&text).with_context(|| format!("in {}", deny.display()))?;
    let mut complaints = Vec::new();
    let mut count = 0;
    for manifest in workspaces() {
        let metadata = metadata(&manifest, &rules.targets)?;
        count += metadata.packages.len();
        complaints.extend(
            metadata
                .packages
                .iter()
                .filter_map(|package| rules.complaint(package)),
        );
        complaints.extend(lock_complaints(&manifest.with_file_name("Cargo.lock"))?);
    }
    let complaints: BTreeSet<String> = complaints.into_iter().collect();
    for complaint in &complaints {
        eprintln!("licences: {complaint}");
    }
    ensure!(
        complaints.is_empty(),
        "{} dependencies break the rules of deny.toml",
        complaints.len()
    );
    eprintln!("licences: {count} packages are in order");
    Ok(())
}

impl Rules {
    fn parse(deny: &str) -> Result<Self> {
        let deny: toml::Table = deny.parse()?;
        let strings = |section: &str, key: &str| -> Result<Vec<String>> {
            let list = deny
                .get(section)
                .and_then(|section| section.get(key)?.as_array());
            let list = list.with_context(|| format!("no list {section}.{key}"))?;
            Ok(list
                .iter()
                .filter_map(|item| Some(item.as_str()?.to_owned()))
                .collect())
        };
        for key in ["unknown-registry", "unknown-git"] {
            let value = deny
                .get("sources")
                .and_then(|sources| sources.get(key)?.as_str());
            ensure!(value == Some("deny"), "sources.{key} must be \"deny\"");
        }
        // Others would have to be known to this check too.
        ensure!(
            strings("sources", "allow-git")?.is_empty(),
            "sources.allow-git must be empty"
        );
        let licences = strings("licenses", "allow")?
            .iter()
            .map(|name| Licensee::parse(name).with_context(|| format!("{name} is no SPDX licence")))
            .collect::<Result<_>>()?;
        Ok(Self {
            licences,
            targets: strings("graph", "targets")?,
        })
    }

    /// What is wrong with `package`, if anything.
    fn complaint(&self, package: &Package) -> Option<String> {
        let name = format!("{} {}", package.name, package.version);
        if let Some(source) = package
            .source
            .as_ref()
            .filter(|source| !source.is_crates_io())
        {
            return Some(format!("{name} comes from {source}, not from crates.io"));
        }
        let Some(licence) = &package.license else {
            return Some(format!("{name} states no licence"));
        };
        if !self.allows(licence) {
            return Some(format!(
                "{name} is under {licence}, which deny.toml does not allow"
            ));
        }
        None
    }

    fn allows(&self, licence: &str) -> bool {
        // Older crates write `MIT/Apache-2.0`; that mode reads it as OR.
        Expression::parse_mode(licence, spdx::ParseMode::LAX).is_ok_and(|expression| {
            expression.evaluate(|wanted| {
                self.licences
                    .iter()
                    .any(|allowed| allowed.satisfies(wanted))
            })
        })
    }
}

/// The manifests of all workspaces of the tree.
fn workspaces() -> Vec<PathBuf> {
    ["", "socktrace-ebpf", "tests/fuzz"]
        .iter()
        .map(|folder| shell::root().join(folder).join("Cargo.toml"))
        .filter(|manifest| manifest.exists())
        .collect()
}

fn metadata(manifest: &Path, targets: &[String]) -> Result<Metadata> {
    let mut cargo = shell::cargo();
    cargo.args([
        "metadata",
        "--format-version=1",
        "--locked",
        "--all-features",
        "--manifest-path",
    ]);
    cargo.arg(manifest);
    for target in targets {
        cargo.args(["--filter-platform", target]);
    }
    let json = shell::read(&mut cargo)?;
    serde_json::from_str(&json)
        .with_context(|| format!("cannot read the metadata of {}", manifest.display()))
}

/// Packages of a lock file that are neither of this tree nor pinned by a checksum.
fn lock_complaints(lock: &Path) -> Result<Vec<String>> {
    let text =
        fs::read_to_string(lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let lock: toml::Table = text
        .parse()
        .with_context(|| format!("in {}", lock.display()))?;
    let Some(packages) = lock.get("package").and_then(toml::Value::as_array) else {
        bail!("the lock file lists no packages");
    };
    Ok(packages
        .iter()
        .filter(|package| package.get("source").is_some() && package.get("checksum").is_none())
        .filter_map(|package| package.get("name")?.as_str())
        .map(|name| format!("{name} is not pinned by a checksum"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = r#"
        graph.targets = ["x86_64-unknown-linux-gnu"]
        licenses.allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
        [sources]
        unknown-registry = "deny"
        unknown-git = "deny"
        allow-git = []
    "#;

    #[track_caller]
    fn check(licence: &str, allowed: bool) {
        let rules = Rules::parse(DENY).expect("valid rules");
        assert_eq!(rules.allows(licence), allowed, "{licence}");
    }

    #[test]
    fn a_choice_needs_one_allowed_licence_and_a_sum_all_of_them() {
        check("MIT", true);
        check("GPL-3.0-only", false);
        check("MIT OR GPL-3.0-only", true);
        check("MIT AND GPL-3.0-only", false);
        check("MIT/Apache-2.0", true);
        check("Apache-2.0", false);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("(MIT OR Apache-2.0) AND Zlib", false);
        check("anything goes", false);
        check("", false);
    }

    #[test]
    fn weaker_rules_are_refused() {
        for (strict, weak) in [
            (r#"unknown-git = "deny""#, r#"unknown-git = "allow""#),
            (
                r#"unknown-registry = "deny""#,
                r#"unknown-registry = "warn""#,
            ),
            ("allow-git = []", r#"allow-git = ["https://example.org/x"]"#),
            (r#""MIT","#, r#""No such licence","#),
        ] {
            let deny = DENY.replace(strict, weak);
            assert_ne!(deny, DENY, "{strict} is in the sample");
            assert!(Rules::parse(&deny).is_err(), "{weak}");
        }
    }

    #[test]
    fn this_trees_rules_can_be_read() {
        let deny = fs::read_to_string(shell::root().join("deny.toml")).expect("deny.toml");
        let rules = Rules::parse(&deny).expect("valid rules");
        assert!(rules.allows("MIT OR Apache-2.0"));
        assert!(!rules.allows("GPL-3.0-or-later"));
    }
}
