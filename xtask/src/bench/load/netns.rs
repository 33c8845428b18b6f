//! Two network namespaces joined by a pair of devices.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Lane;
use crate::shell;

/// How many addresses a server has: each gives the client another set of ports.
pub(super) const ADDRESSES: u8 = 16;

/// Namespaces of ours; they go when dropped.
pub(crate) struct Veth {
    tag: u32,
}

impl Veth {
    /// Makes them. Their names carry this process's pid.
    pub(crate) fn make() -> Result<Self> {
        let made = Self {
            tag: std::process::id(),
        };
        let (server, client) = (made.name("server"), made.name("client"));
        for name in [&server, &client] {
            ip(&["netns", "add", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        ip(&[
            "link", "add", "veth0", "netns", &server, "type", "veth", "peer", "name", "veth0",
            "netns", &client,
        ])?;
        for index in 1..=ADDRESSES {
            let address = format!("{}/24", Ipv4Addr::new(10, 213, 57, index));
            ip(&["-n", &server, "addr", "add", &address, "dev", "veth0"])?;
        }
        ip(&[
            "-n",
            &client,
            "addr",
            "add",
            "10.213.57.200/24",
            "dev",
            "veth0",
        ])?;
        for name in [&server, &client] {
            ip(&["-n", name, "link", "set", "veth0", "up"])?;
        }
        Ok(made)
    }

    /// Where the accepting side is.
    pub(super) fn server(&self) -> PathBuf {
        Path::new("/run/netns").join(self.name("server"))
    }

    /// Where the connecting side is.
    pub(super) fn client(&self) -> PathBuf {
        Path::new("/run/netns").join(self.name("client"))
    }

    fn name(&self, side: &str) -> String {
        format!("socktrace-bench-{side}-{}", self.tag)
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        for side in ["server", "client"] {
            let _ = ip(&["netns", "del", &self.name(side)]);
        }
    }
}

/// The server's address with this number, for one thread's listeners.
pub(super) fn address(lane: &Lane, thread: u16, index: u8) -> IpAddr {
    if lane.server.is_some() {
        return Ipv4Addr::new(10, 213, 57, index + 1).into();
    }
    let [high, low] = thread.to_be_bytes();
    Ipv4Addr::new(127, 100 + high, low, index + 1).into()
}

/// Moves this thread to a namespace; sockets that it makes from now on belong there.
pub(super) fn enter(path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    // SAFETY: setns takes two integers and touches no memory of ours.
    let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
    ensure!(
        result == 0,
        "cannot enter {}: {}",
        path.display(),
        io::Error::last_os_error()
    );
    Ok(())
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = shell::program("ip")
        .args(arguments)
        .output()
        .context("cannot start ip")?;
    ensure!(
        output.status.success(),
        "`ip {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
