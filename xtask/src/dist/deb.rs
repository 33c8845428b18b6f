//! The Debian package (deb(5)): an `ar` archive of two compressed archives.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::files::{DOC, File, Files, gzip, read};
use super::tarball::archive;
use crate::shell;

/// The configuration, as it is by default: below `/etc/socktrace` as below `socktrace/packaging`.
pub(super) const CONFIG: [&str; 2] = ["conf.d/metrics.toml", "socktrace.toml"];

/// The scripts, which are run by root.
const SCRIPTS: [&str; 3] = ["postinst", "postrm", "prerm"];

/// Writes `socktrace_VERSION_ARCHITECTURE.deb` and returns its path.
pub(super) fn write(folder: &Path, mut files: Files, version: &str, epoch: u64) -> Result<PathBuf> {
    let architecture = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let debian = shell::root().join("socktrace/packaging/debian");
    let text = |name: &str| -> Result<String> { Ok(String::from_utf8(read(&debian.join(name))?)?) };
    let copyright = text("copyright")?.replace("@MIT@", mit()?.trim_end());
    files.text(&format!("{DOC}/copyright"), copyright.into_bytes());
    let changelog = changelog(version, epoch)?;
    files.text(&format!("{DOC}/changelog.gz"), gzip(changelog.as_bytes())?);
    let mut files = files.sorted();
    for file in &mut files {
        file.path = format!("usr/{}", file.path);
    }
    // Its owner's once it is installed: dpkg asks before it overwrites what was changed.
    let mut conffiles = String::new();
    for name in CONFIG {
        let config = read(&shell::root().join("socktrace/packaging").join(name))?;
        files.push(file(&format!("etc/socktrace/{name}"), 0o644, config));
        conffiles.extend(["/etc/socktrace/", name, "\n"]);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let program = files.iter().find(|file| file.path == "usr/bin/socktrace");
    let depends = depends(&program.context("no program")?.bytes);
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    let control = text("control")?
        .replace("@VERSION@", version)
        .replace("@ARCHITECTURE@", architecture)
        .replace("@SIZE@", &bytes.div_ceil(1024).to_string())
        .replace("@DEPENDS@", &depends);
    let mut controls = vec![
        file("control", 0o644, control.into_bytes()),
        file("conffiles", 0o644, conffiles.into_bytes()),
        file("md5sums", 0o644, md5sums(folder, &files)?.into_bytes()),
    ];
    for script in SCRIPTS {
        controls.push(file(script, 0o755, read(&debian.join(script))?));
    }
    let path = folder.join(format!("socktrace_{version}_{architecture}.deb"));
    let mut deb = b"!<arch>\n".to_vec();
    for (name, bytes) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", gzip(&archive("./", &controls, epoch)?)?),
        ("data.tar.gz", gzip(&archive("./", &files, epoch)?)?),
    ] {
        member(&mut deb, name, &bytes, epoch);
    }
    fs::write(&path, deb).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn file(path: &str, mode: u32, bytes: Vec<u8>) -> File {
    File {
        path: path.to_owned(),
        mode,
        bytes,
    }
}

/// A member of an `ar` archive: a header of 60 characters, the bytes, and one more if they are odd.
fn member(into: &mut Vec<u8>, name: &str, bytes: &[u8], epoch: u64) {
    let len = bytes.len();
    into.extend(
        format!(
            "{name:<16}{epoch:<12}{0:<6}{0:<6}{1:<8}{len:<10}`\n",
            0, 100_644
        )
        .bytes(),
    );
    into.extend(bytes);
    if len % 2 == 1 {
        into.push(b'\n');
    }
}

/// The libraries that the program is linked with. The C library's version is the newest that one of the
/// program's symbols asks for, which stands in its table of names.
fn depends(program: &[u8]) -> String {
    const PREFIX: &[u8] = b"GLIBC_2.";
    let newest = program
        .windows(PREFIX.len() + 3)
        .filter_map(|window| window.strip_prefix(PREFIX))
        .filter_map(|rest| {
            let digits: String = rest
                .iter()
                .map(|byte| char::from(*byte))
                .take_while(char::is_ascii_digit)
                .collect();
            digits.parse::<u32>().ok()
        })
        .max()
        .unwrap_or(0);
    format!("libc6 (>= 2.{newest}), libgcc-s1 (>= 4.2)")
}

/// `md5sum` of every file, as dpkg wants it.
fn md5sums(folder: &Path, files: &[File]) -> Result<String> {
    let root = folder.join("root");
    let _ = fs::remove_dir_all(&root);
    let mut md5sum = shell::program("md5sum");
    md5sum.current_dir(&root);
    for file in files {
        let path = root.join(&file.path);
        fs::create_dir_all(path.parent().unwrap_or(&root))?;
        fs::write(&path, &file.bytes)?;
        md5sum.arg(&file.path);
    }
    shell::read(&mut md5sum)
}

/// The licence as the file of copyrights wants it: indented, empty lines with a dot.
fn mit() -> Result<String> {
    let text = String::from_utf8(read(&shell::root().join("LICENSE-MIT"))?)?;
    // The title and the copyright stand elsewhere.
    let body = text.split_once("Permission").context("LICENSE-MIT")?.1;
    let lines = format!("Permission{body}");
    let indented = lines.lines().map(|line| match line {
        "" => " .\n".to_owned(),
        line => format!(" {line}\n"),
    });
    Ok(indented.collect())
}

/// Debian's own kind of changelog; what has changed stands in the project's.
fn changelog(version: &str, epoch: u64) -> Result<String> {
    let mut date = shell::program("date");
    date.env("LC_ALL", "C");
    let date = shell::read(date.args(["--utc", "--rfc-email", "--date", &format!("@{epoch}")]))?;
    Ok(format!(
        "socktrace ({version}) unstable; urgency=medium\n\n  * Version {version}.\n\n -- The socktrace \
         developers <socktrace@packages.invalid>  {}\n",
        date.trim()
    ))
}
