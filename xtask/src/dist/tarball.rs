//! The archive: what goes below a prefix, in a folder of its own.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

use super::files::{DOC, File, Files, gzip, read};
use crate::shell;

/// Writes `socktrace-VERSION-ARCHITECTURE-linux.tar.gz` and returns its path.
pub(super) fn write(folder: &Path, mut files: Files, version: &str, epoch: u64) -> Result<PathBuf> {
    for licence in ["LICENSE-MIT", "LICENSE-APACHE", "LICENSE-GPL2"] {
        files.text(
            &format!("{DOC}/{licence}"),
            read(&shell::root().join(licence))?,
        );
    }
    let name = format!("socktrace-{version}-{}-linux", env::consts::ARCH);
    let path = folder.join(format!("{name}.tar.gz"));
    let bytes = gzip(&archive(&format!("{name}/"), &files.sorted(), epoch)?)?;
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// An archive of files, and of the folders that they are in, below `prefix`. All of it belongs to root and
/// was changed at `epoch`.
pub(super) fn archive(prefix: &str, files: &[File], epoch: u64) -> Result<Vec<u8>> {
    let mut builder = Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for file in files {
        let path = format!("{prefix}{}", file.path);
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..=end).unwrap_or_default();
            if folders.insert(folder.to_owned()) {
                append(
                    &mut builder,
                    EntryType::Directory,
                    folder,
                    0o755,
                    &[],
                    epoch,
                )?;
            }
        }
        append(
            &mut builder,
            EntryType::Regular,
            &path,
            file.mode,
            &file.bytes,
            epoch,
        )?;
    }
    Ok(builder.into_inner()?)
}

fn append(
    builder: &mut Builder<Vec<u8>>,
    kind: EntryType,
    path: &str,
    mode: u32,
    bytes: &[u8],
    epoch: u64,
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(epoch);
    header.set_size(u64::try_from(bytes.len())?);
    header.set_uid(0);
    header.set_gid(0);
    header.set_username("root")?;
    header.set_groupname("root")?;
    if path.starts_with("./") {
        // As dpkg writes them: the library would leave the `./` out.
        let name = header.as_old_mut();
        let room = name
            .name
            .get_mut(..path.len())
            .with_context(|| format!("{path} is too long"))?;
        room.copy_from_slice(path.as_bytes());
        header.set_cksum();
        return Ok(builder.append(&header, bytes)?);
    }
    Ok(builder.append_data(&mut header, path, bytes)?)
}
