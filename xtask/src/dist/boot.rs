//! `cargo xtask dist --boot`: the packages in a Debian that is booted with its own service manager, in a container
//! (systemd-nspawn). Installing, reloading, killing, hanging, upgrading, purging: see `boot.sh`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Dist;
use crate::{setup, shell};

/// What is done there.
const SCRIPT: &str = include_str!("boot.sh");

/// Starts the script and ends the container, with this status if all went well.
const UNIT: &str = "[Unit]
Wants=multi-user.target
After=multi-user.target dbus.socket
SuccessAction=exit
SuccessActionExitStatus=42
FailureAction=exit
FailureActionExitStatus=1

[Service]
Type=oneshot
ExecStart=/bin/bash /root/boot.sh
StandardOutput=truncate:/root/boot.log
StandardError=inherit
TimeoutStartSec=10min
";

/// What [`UNIT`] ends the container with.
const PASSED: i32 = 42;

const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";
const PACKAGES: &str = "systemd-sysv,dbus,python3,procps,adduser,init-system-helpers,man-db";

/// Boots a Debian with the package and tries it there.
pub(super) fn run(dist: &Dist) -> Result<()> {
    ensure!(shell::is_root(), "only root can boot a container");
    setup::container()?;
    let root = root(&dist.folder)?;
    let copy = |from: &Path, to: &str| {
        let to = root.join(to);
        fs::copy(from, &to).with_context(|| format!("cannot write {}", to.display()))
    };
    copy(&dist.deb, "root/socktrace.deb")?;
    copy(&dist.tarball, "root/socktrace.tar.gz")?;
    fs::write(root.join("root/boot.sh"), SCRIPT)?;
    fs::write(root.join("etc/systemd/system/boot.service"), UNIT)?;
    let wanted = root.join("etc/systemd/system/default.target.wants");
    fs::create_dir_all(&wanted)?;
    let link = wanted.join("boot.service");
    for old in [&link, &root.join("root/boot.log")] {
        let _ = fs::remove_file(old);
    }
    symlink("/etc/systemd/system/boot.service", &link)?;
    let mut timeout = shell::program("timeout");
    timeout
        .args([
            "--kill-after=1m",
            "12m",
            "systemd-nspawn",
            "--quiet",
            "--boot",
        ])
        .args(["--register=no", "--keep-unit", "--console=read-only"])
        // As on a machine of its own; what the unit takes away is taken away there.
        .args([
            "--capability=all",
            "--system-call-filter=bpf perf_event_open",
        ])
        .arg("--directory")
        .arg(&root)
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "1");
    eprintln!("dist: booting {}", root.display());
    let console = timeout.output().context("cannot start systemd-nspawn")?;
    let log = fs::read_to_string(root.join("root/boot.log"));
    // Without a log it did not come so far, and the console says why.
    let log = log.unwrap_or_else(|_| String::from_utf8_lossy(&console.stdout).into_owned());
    eprintln!("{log}");
    let status = console.status;
    match status.code() {
        Some(PASSED) => Ok(()),
        _ => bail!("the package does not work as a service: {status}"),
    }
}

/// A Debian with little more than a service manager. It is made anew if the last run did not leave it as it was.
fn root(folder: &Path) -> Result<PathBuf> {
    let root = folder.join("boot");
    let is_clean = root.join("etc/debian_version").is_file()
        && !root.join("usr/bin/socktrace").exists()
        && !root.join("etc/socktrace").exists();
    if is_clean {
        return Ok(root);
    }
    let _ = fs::remove_dir_all(&root);
    shell::run(
        shell::program("debootstrap")
            .args(["--variant=minbase", &format!("--include={PACKAGES}"), SUITE])
            .arg(&root)
            .arg(MIRROR),
    )?;
    // The devices are the machine's own.
    symlink(
        "/dev/null",
        root.join("etc/systemd/system/systemd-udevd.service"),
    )?;
    Ok(root)
}
