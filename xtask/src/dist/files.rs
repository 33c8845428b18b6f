//! The files of an installation, below its prefix (`/usr`, say).

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

use super::notices;
use crate::shell;

/// Where documentation goes.
pub(super) const DOC: &str = "share/doc/socktrace";

/// A file and where it goes.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Relative to the prefix.
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) bytes: Vec<u8>,
}

/// Files, sorted by path once they are packed.
#[derive(Debug, Default)]
pub(super) struct Files(pub(super) Vec<File>);

impl Files {
    /// What every package has.
    pub(super) fn collect(program: &Path, pages: &Path) -> Result<Self> {
        let mut files = Self::default();
        files.add("bin/socktrace", 0o755, read(program)?);
        let packaging = shell::root().join("socktrace/packaging");
        let unit = read(&packaging.join("systemd/socktrace.service"))?;
        files.text("lib/systemd/system/socktrace.service", unit);
        let users = read(&packaging.join("sysusers.d/socktrace.conf"))?;
        files.text("lib/sysusers.d/socktrace.conf", users);
        for page in names(&pages.join("man"))? {
            let text = read(&pages.join("man").join(&page))?;
            files.text(&format!("share/man/man1/{page}.gz"), gzip(&text)?);
        }
        for (completion, path) in [
            (
                "socktrace.bash",
                "share/bash-completion/completions/socktrace",
            ),
            ("_socktrace", "share/zsh/vendor-completions/_socktrace"),
            (
                "socktrace.fish",
                "share/fish/vendor_completions.d/socktrace.fish",
            ),
        ] {
            files.text(path, read(&pages.join("completions").join(completion))?);
        }
        let readme = shell::root().join("README.md");
        files.text(&format!("{DOC}/README.md"), document(&readme)?);
        let docs = shell::root().join("socktrace/docs");
        for name in names(&docs)? {
            files.text(&format!("{DOC}/docs/{name}"), document(&docs.join(&name))?);
        }
        // Whatever is not for packages themselves is for users to copy from.
        for folder in names(&packaging)? {
            if !["debian", "systemd", "sysusers.d"].contains(&folder.as_str()) {
                files.tree(
                    &packaging.join(&folder),
                    &format!("{DOC}/examples/{folder}"),
                )?;
            }
        }
        let notices = notices::text().context("cannot collect the licences of libraries")?;
        files.text(&format!("{DOC}/THIRD-PARTY.gz"), gzip(notices.as_bytes())?);
        Ok(files)
    }

    /// Adds a file that is read.
    pub(super) fn text(&mut self, path: &str, bytes: Vec<u8>) {
        self.add(path, 0o644, bytes);
    }

    /// The files in the order of their paths.
    pub(super) fn sorted(mut self) -> Vec<File> {
        self.0.sort_by(|a, b| a.path.cmp(&b.path));
        self.0
    }

    fn add(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.0.push(File {
            path: path.to_owned(),
            mode,
            bytes,
        });
    }

    fn tree(&mut self, from: &Path, to: &str) -> Result<()> {
        if from.is_file() {
            self.text(to, read(from)?);
            return Ok(());
        }
        for name in names(from)? {
            self.tree(&from.join(&name), &format!("{to}/{name}"))?;
        }
        Ok(())
    }
}

/// A document that names files by where an installation has them.
fn document(path: &Path) -> Result<Vec<u8>> {
    let text = String::from_utf8(read(path)?)
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    let text = text
        .replace("](socktrace/docs/", "](docs/")
        .replace("](../packaging/", "](../examples/")
        .replace("`socktrace/packaging", "`examples");
    Ok(text.into_bytes())
}

/// As gzip does it, without a name or a time.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut into = GzBuilder::new().write(Vec::new(), Compression::best());
    into.write_all(bytes)?;
    Ok(into.finish()?)
}

/// A file's contents.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// What is in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
