//! Sockets in CLOSE_WAIT in many processes: hard limits of descriptors cannot be raised everywhere.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Stdio};

use anyhow::{Context, Result, ensure};

use super::of_ours;

/// Descriptors that a process needs besides its leaks.
const SPARE: u64 = 64;

/// Processes that hold leaked sockets. They end when it is dropped.
pub(crate) struct Leak {
    holders: Vec<(Child, Option<ChildStdin>)>,
    /// How many sockets are held.
    pub(crate) sockets: u32,
}

impl Leak {
    /// Leaks `sockets` in `processes`, and waits until they are there.
    pub(crate) fn start(sockets: u32, processes: u16) -> Result<Self> {
        let processes = processes.max(1);
        let each = sockets.div_ceil(u32::from(processes));
        let mut leak = Self {
            holders: Vec::new(),
            sockets: 0,
        };
        let mut outs = Vec::new();
        for index in 0..processes {
            let share = each.min(sockets - leak.sockets);
            let mut child = of_ours()?
                .args(["hold", &share.to_string(), &index.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("cannot start a process that leaks")?;
            outs.extend(child.stdout.take());
            let stdin = child.stdin.take();
            leak.holders.push((child, stdin));
            leak.sockets += share;
        }
        for out in outs {
            let mut line = String::new();
            BufReader::new(out)
                .read_line(&mut line)
                .context("cannot read")?;
            ensure!(
                line == "ready\n",
                "a process could not leak as many sockets as it should"
            );
        }
        Ok(leak)
    }

    /// The processes.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.holders.iter().map(|(child, _)| child.id())
    }
}

impl Drop for Leak {
    fn drop(&mut self) {
        for (_, stdin) in &mut self.holders {
            *stdin = None;
        }
        for (child, _) in &mut self.holders {
            let _ = child.wait();
        }
    }
}

/// `cargo xtask load hold`.
pub(super) fn hold(connections: u32, index: u16) -> Result<()> {
    raise_limit(u64::from(connections) + SPARE)?;
    let [high, low] = index.to_be_bytes();
    let listener =
        TcpListener::bind((Ipv4Addr::new(127, 200 + high, low, 1), 0)).context("cannot listen")?;
    let address = listener
        .local_addr()
        .context("a listener without an address")?;
    let mut held = Vec::new();
    for _ in 0..connections {
        let client = TcpStream::connect(address).context("cannot connect")?;
        held.push(listener.accept().context("cannot accept")?);
        drop(client);
    }
    let mut out = std::io::stdout();
    out.write_all(b"ready\n")
        .and_then(|()| out.flush())
        .context("cannot tell")?;
    // Until whoever started us is gone, or wants us to.
    let mut rest = Vec::new();
    std::io::stdin()
        .read_to_end(&mut rest)
        .context("cannot wait")?;
    drop(held);
    Ok(())
}

fn raise_limit(need: u64) -> Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid structure for the kernel to write to.
    let read = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    ensure!(read == 0, "cannot read the limit of descriptors");
    ensure!(
        need <= limit.rlim_max,
        "the hard limit of descriptors is {}",
        limit.rlim_max
    );
    limit.rlim_cur = limit.rlim_cur.max(need);
    // SAFETY: `limit` is a valid structure for the kernel to read from.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    ensure!(set == 0, "cannot raise the limit of descriptors");
    Ok(())
}
