//! What the libraries' licences want to be kept with the program: their texts, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use crate::shell;

/// How the names of files with such texts begin.
const NAMES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];

/// The libraries that are linked into the program, each with its licence, and the texts.
pub(super) fn text() -> Result<String> {
    let mut text = String::from(
        "Libraries that are linked into socktrace or into the programs that it loads into the kernel, and \
         the texts of their licences.\n\n",
    );
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut listed = BTreeSet::new();
    for (manifest, root) in [
        ("Cargo.toml", "socktrace"),
        ("socktrace-ebpf/Cargo.toml", "socktrace-ebpf"),
    ] {
        for package in linked(manifest, root)? {
            let licence = package.license.as_deref().unwrap_or("see its text");
            let name = format!("{} {}", package.name, package.version);
            listed.insert(format!("{name}: {licence}"));
            for licence in licences(&package)? {
                texts.entry(licence).or_default().insert(name.clone());
            }
        }
    }
    for line in listed {
        let _ = writeln!(text, "{line}");
    }
    for (licence, packages) in texts {
        let packages: Vec<_> = packages.into_iter().collect();
        let line = "-".repeat(78);
        let _ = write!(
            text,
            "\n{line}\n{}\n{line}\n\n{licence}\n",
            packages.join(", ")
        );
    }
    Ok(text)
}

/// The packages of others that `root` is linked with on this architecture.
fn linked(manifest: &str, root: &str) -> Result<Vec<Package>> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = MetadataCommand::new();
    command.manifest_path(shell::root().join(manifest));
    let mut options = vec!["--locked".to_owned(), format!("--filter-platform={target}")];
    if root == "socktrace" {
        options.push("--features=socktrace/full".to_owned());
    }
    let metadata = command.other_options(options).exec()?;
    let start = metadata
        .packages
        .iter()
        .find(|package| *package.name == root)
        .with_context(|| format!("no package {root}"))?;
    let reached = reached(&metadata, &start.id)?;
    Ok(metadata
        .packages
        .iter()
        .filter(|package| package.source.is_some() && reached.contains(&package.id))
        .cloned()
        .collect())
}

/// What can be reached over dependencies that are linked.
fn reached(metadata: &Metadata, start: &PackageId) -> Result<BTreeSet<PackageId>> {
    let resolve = metadata.resolve.as_ref().context("no dependencies")?;
    let mut reached = BTreeSet::new();
    let mut waiting = vec![start.clone()];
    while let Some(id) = waiting.pop() {
        let node = resolve.nodes.iter().find(|node| node.id == id);
        let dependencies = node.map(|node| node.deps.as_slice()).unwrap_or_default();
        for dependency in dependencies {
            let is_linked =
                |kind: &cargo_metadata::DepKindInfo| kind.kind == DependencyKind::Normal;
            if dependency.dep_kinds.iter().any(is_linked) && reached.insert(dependency.pkg.clone())
            {
                waiting.push(dependency.pkg.clone());
            }
        }
    }
    Ok(reached)
}

fn licences(package: &Package) -> Result<Vec<String>> {
    let folder = package.manifest_path.parent().context("no folder")?;
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {folder}"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if NAMES.iter().any(|begin| name.starts_with(begin)) && entry.path().is_file() {
            let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
            texts.push(text.replace('\r', "").trim_matches('\n').to_owned());
        }
    }
    Ok(texts)
}
