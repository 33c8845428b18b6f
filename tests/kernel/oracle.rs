//! Another way to the truth: which sockets of some processes are leaked now, and who holds them, from
//! /proc and sock_diag alone.

use std::collections::{BTreeMap, BTreeSet};
use std::{fs, io};

use socktrace_tests::json::{field, number, text};

use crate::lines::holders_in;

/// What a leak is called here: one that is held by the inode, one that waits in a queue by its ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// The inode.
    Held(u64),
    /// Local and remote port.
    Queued(u16, u16),
}

/// Its kind, and its holders as pairs of pid and fd.
pub(crate) type Leak = (String, BTreeSet<(u64, u64)>);

/// One TCP socket, as sock_diag tells.
#[derive(Clone, Copy, Debug)]
struct Diag {
    state: u8,
    inode: u64,
    local: u16,
    remote: u16,
}

const FIN_WAIT2: u8 = 5;
const CLOSE_WAIT: u8 = 8;

/// The leaks among the connections of `pids`, all of which are made through the listener on `port`.
///
/// `None` if the processes changed while they were looked at.
pub(crate) fn leaks(pids: &[u64], port: u16) -> Option<BTreeMap<Name, Leak>> {
    let before = holders(pids);
    let table = sockets().expect("sock_diag");
    let unix = unix_inodes();
    if holders(pids) != before {
        return None;
    }
    let by_inode: BTreeMap<u64, Diag> = table.iter().map(|diag| (diag.inode, *diag)).collect();
    let mut leaks = BTreeMap::new();
    let mut acceptors = BTreeSet::new();
    for (inode, holders) in before {
        let kind = match by_inode.get(&inode) {
            Some(diag) if diag.state == CLOSE_WAIT => "close_wait",
            Some(diag) if diag.state == FIN_WAIT2 => "half_closed",
            Some(diag) if diag.remote == 0 && diag.local == port => {
                acceptors = holders;
                continue;
            }
            // The programs make unix sockets and TCP sockets that were connected, and no others: one that
            // is in neither table is one whose TCP is over.
            None if !unix.contains(&inode) => "closed_held",
            _ => continue,
        };
        leaks.insert(Name::Held(inode), (kind.to_owned(), holders));
    }
    for diag in table {
        if diag.inode == 0 && diag.state == CLOSE_WAIT && diag.local == port {
            let name = Name::Queued(diag.local, diag.remote);
            leaks.insert(name, ("unaccepted".to_owned(), acceptors.clone()));
        }
    }
    Some(leaks)
}

/// What a line calls its socket.
pub(crate) fn name_in(line: &serde_json::Value) -> Name {
    if text(line, "socktrace.leak.kind") == "unaccepted" {
        let [local, remote] = ends_in(line);
        Name::Queued(local, remote)
    } else {
        Name::Held(number(line, "socktrace.socket.inode"))
    }
}

/// The ports in a line.
pub(crate) fn ends_in(line: &serde_json::Value) -> [u16; 2] {
    ["socktrace.local.port", "socktrace.peer.port"]
        .map(|path| u16::try_from(number(line, path)).expect("a port"))
}

/// What a line says of its leak.
pub(crate) fn leak_in(line: &serde_json::Value) -> Leak {
    let kind = field(line, "socktrace.leak.kind").as_str();
    (kind.unwrap_or_default().to_owned(), holders_in(line))
}

/// Who holds which socket, by inode.
fn holders(pids: &[u64]) -> BTreeMap<u64, BTreeSet<(u64, u64)>> {
    let mut holders: BTreeMap<u64, BTreeSet<(u64, u64)>> = BTreeMap::new();
    for pid in pids {
        let entries = fs::read_dir(format!("/proc/{pid}/fd"));
        for entry in entries.into_iter().flatten().flatten() {
            let fd = entry.file_name().to_string_lossy().parse().ok();
            let link = fs::read_link(entry.path()).unwrap_or_default();
            let link = link.to_string_lossy();
            let inode = link
                .strip_prefix("socket:[")
                .and_then(|link| link.strip_suffix(']')?.parse().ok());
            if let (Some(fd), Some(inode)) = (fd, inode) {
                holders.entry(inode).or_default().insert((*pid, fd));
            }
        }
    }
    holders
}

/// The inodes of unix sockets: the seventh column of /proc/net/unix.
fn unix_inodes() -> BTreeSet<u64> {
    let table = fs::read_to_string("/proc/net/unix").expect("/proc/net/unix");
    let inode = |line: &str| line.split_whitespace().nth(6)?.parse().ok();
    table.lines().skip(1).filter_map(inode).collect()
}

/// All IPv4 TCP sockets: from sock_diag, or from /proc/net/tcp where the kernel has no module for it.
fn sockets() -> io::Result<Vec<Diag>> {
    match dump() {
        Ok(sockets) if !sockets.is_empty() => Ok(sockets),
        _ => table(),
    }
}

/// `struct inet_diag_req_v2` behind a netlink header (include/uapi/linux/inet_diag.h): IPv4, TCP, every
/// state, no extensions, no socket in particular.
fn request() -> [u8; 72] {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST_DUMP: u16 = 0x301;
    let mut request = [0; 72];
    request[0..4].copy_from_slice(&72_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    request[16] = 2; // AF_INET
    request[17] = 6; // IPPROTO_TCP
    request[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    request
}

fn dump() -> io::Result<Vec<Diag>> {
    use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

    const NETLINK_SOCK_DIAG: libc::c_int = 4;
    const DONE: u16 = 3;
    const ERROR: u16 = 2;
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: socket() has no preconditions; a descriptor it returns belongs to nobody else.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_NETLINK, kind, NETLINK_SOCK_DIAG);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    let request = request();
    // SAFETY: the buffer is as long as is said.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut sockets = Vec::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        // SAFETY: as above.
        let got = unsafe {
            libc::recv(
                socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
            )
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        let mut messages = buffer.get(..got).unwrap_or_default();
        while let Some(length) = u32_at(messages, 0) {
            let length = usize::try_from(length).unwrap_or(0).max(16);
            match u16::from_ne_bytes([messages[4], messages[5]]) {
                DONE => return Ok(sockets),
                ERROR => return Err(io::Error::other("sock_diag refuses")),
                _ => sockets.extend(diag(messages.get(16..).unwrap_or_default())),
            }
            messages = messages
                .get(length.next_multiple_of(4)..)
                .unwrap_or_default();
        }
    }
}

/// `struct inet_diag_msg`: family, state, timer, retrans; then the ports in network order; the inode is
/// its last member.
fn diag(message: &[u8]) -> Option<Diag> {
    let port = |at: usize| {
        Some(u16::from_be_bytes([
            *message.get(at)?,
            *message.get(at + 1)?,
        ]))
    };
    Some(Diag {
        state: *message.get(1)?,
        inode: u32_at(message, 68)?.into(),
        local: port(4)?,
        remote: port(6)?,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

/// /proc/net/tcp: `sl local remote st … inode` with hexadecimal ports and states.
fn table() -> io::Result<Vec<Diag>> {
    let table = fs::read_to_string("/proc/net/tcp")?;
    let socket = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let port = |at: usize| u16::from_str_radix(columns.get(at)?.split_once(':')?.1, 16).ok();
        Some(Diag {
            state: u8::from_str_radix(columns.get(3)?, 16).ok()?,
            inode: columns.get(9)?.parse().ok()?,
            local: port(1)?,
            remote: port(2)?,
        })
    };
    Ok(table.lines().skip(1).filter_map(socket).collect())
}
