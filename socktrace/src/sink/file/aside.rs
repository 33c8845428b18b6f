//! What becomes of files that were put aside: `socktrace.json.20261122T150405Z`, compressed
//! `….gz`, and in the end deleted, the oldest first.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::target::Rotation;

/// Several files a second are numbered: `….20261122T150405Z-2`.
const MOST_A_SECOND: u32 = 1000;
/// Digits and letters of a time: `20261122T150405Z`.
const STAMP: usize = 16;
const GZ: &str = ".gz";
/// While it is being written.
const UNFINISHED: &str = ".gz.part";

/// A name for `path` put aside at `now` that no file has, compressed or not.
pub(super) fn free_name(path: &Path, now: SystemTime) -> io::Result<PathBuf> {
    let stamp: String = humantime::format_rfc3339_seconds(now)
        .to_string()
        .chars()
        .filter(|c| !matches!(c, '-' | ':'))
        .collect();
    for number in 1..MOST_A_SECOND {
        let name = match number {
            1 => extended(path, &format!(".{stamp}")),
            _ => extended(path, &format!(".{stamp}-{number}")),
        };
        if !name.try_exists()? && !extended(&name, GZ).try_exists()? {
            return Ok(name);
        }
    }
    Err(io::Error::new(
        ErrorKind::AlreadyExists,
        "too many files were put aside within this second",
    ))
}

/// Compresses what was put aside and deletes what is too old, on a thread of its own: neither may hold up
/// whoever writes lines. A failure leaves the file as it is; the next rotation tries again.
pub(super) fn tidy(path: &Path, rotation: Rotation) {
    let path = path.to_owned();
    let work = move || {
        if rotation.compress {
            for file in put_aside(&path).unwrap_or_default() {
                if !ends_with(&file, GZ) {
                    let _ = compress(&file);
                }
            }
        }
        if let Some(keep) = rotation.keep {
            let _ = delete_beyond(&path, usize::try_from(keep).unwrap_or(usize::MAX));
        }
    };
    let thread = thread::Builder::new().name("rotate".to_owned());
    // Without a thread the files wait for the next rotation.
    let _ = thread.spawn(work);
}

/// Deletes all but the `keep` newest files that were put aside.
pub(super) fn delete_beyond(path: &Path, keep: usize) -> io::Result<()> {
    let files = put_aside(path)?;
    let old = files.len().saturating_sub(keep);
    files.iter().take(old).try_for_each(fs::remove_file)
}

/// The files that were put aside for `path`, the oldest first.
pub(super) fn put_aside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut prefix = path.file_name().unwrap_or_default().as_bytes().to_vec();
    prefix.push(b'.');
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let rest = name.as_bytes().strip_prefix(prefix.as_slice());
        if let Some(age) = rest.and_then(age) {
            files.push((age, folder.join(name)));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// What a name behind `path.` says about its age: the time and the number within its second.
fn age(rest: &[u8]) -> Option<(Vec<u8>, u32)> {
    let rest = rest.strip_suffix(GZ.as_bytes()).unwrap_or(rest);
    let (stamp, number) = rest.split_at_checked(STAMP)?;
    let shape = stamp.iter().enumerate().all(|(at, byte)| match at {
        8 => *byte == b'T',
        15 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    let number = match number {
        b"" => 1,
        number => str::from_utf8(number.strip_prefix(b"-")?)
            .ok()?
            .parse()
            .ok()?,
    };
    shape.then(|| (stamp.to_vec(), number))
}

/// Replaces `file` by its compressed form. Only a complete one takes its name.
fn compress(file: &Path) -> io::Result<()> {
    let part = extended(file, UNFINISHED);
    let done = (|| {
        let mut from = File::open(file)?;
        let to = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(&part)?;
        let mut gz = GzEncoder::new(to, Compression::fast());
        io::copy(&mut from, &mut gz)?;
        gz.finish()?.sync_all()?;
        fs::rename(&part, extended(file, GZ))?;
        fs::remove_file(file)
    })();
    if done.is_err() {
        // It may never have been made.
        let _ = fs::remove_file(&part);
    }
    done
}

fn extended(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned().into_vec();
    name.extend_from_slice(suffix.as_bytes());
    std::ffi::OsString::from_vec(name).into()
}

fn ends_with(path: &Path, suffix: &str) -> bool {
    path.as_os_str().as_bytes().ends_with(suffix.as_bytes())
}
