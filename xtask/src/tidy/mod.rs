//! `cargo xtask tidy`: what compilers and clippy do not check.
//!
//! * [`source`]: a Rust file as tokens and paths, test code told apart.
//! * [`rules`]: the rules.
//! * [`links`]: where documents lead.

pub(crate) mod links;
mod rules;
mod source;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::shell;

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 3] = ["target", ".git", "corpus"];

/// Checks every file of the tree.
pub(crate) fn command() -> Result<()> {
    let mut files = Vec::new();
    collect(shell::root(), &mut files)?;
    files.sort();
    let mut complaints = Vec::new();
    for file in &files {
        let name = file.strip_prefix(shell::root()).unwrap_or(file);
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        // What is no text is a recording or a picture, and nobody's style.
        if let Ok(text) = str::from_utf8(&bytes) {
            complaints.extend(rules::check(name, text));
            if name.extension().is_some_and(|extension| extension == "md") {
                complaints.extend(links::check(shell::root(), name, text));
            }
        }
    }
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    ensure!(
        complaints.is_empty(),
        "{} places are untidy",
        complaints.len()
    );
    eprintln!("tidy: {} files are tidy", files.len());
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let skipped = SKIPPED.iter().any(|skipped| entry.file_name() == *skipped);
        if kind.is_dir() && !skipped {
            collect(&entry.path(), files)?;
        } else if kind.is_file() && !skipped {
            files.push(entry.path());
        }
    }
    Ok(())
}
