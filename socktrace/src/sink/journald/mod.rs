//! Lines to the journal of this machine, in its own protocol (systemd's `JOURNAL_NATIVE_PROTOCOL`): a datagram an
//! entry, its fields one below the other. An entry that no datagram holds is handed over in a sealed memory file.

use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::{fs, mem, ptr};

use super::courier::{Refusal, Transport, lines};
use super::target::JournaldTarget;
use crate::schema::Glance;

/// Handed over before the next look at what happens.
const BATCH: usize = 256 * 1024;

/// The journal.
pub(super) struct Journald {
    name: String,
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// Entries of the batch that has to be sent again which have been sent.
    sent: usize,
    entry: Vec<u8>,
}

impl Journald {
    pub(super) fn new(name: String, target: &JournaldTarget) -> Self {
        Self {
            name,
            path: target.socket.clone(),
            socket: None,
            sent: 0,
            entry: Vec::new(),
        }
    }

    fn try_send(&mut self, batch: &[u8]) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(&self.path)?,
        };
        for line in lines(batch).skip(self.sent) {
            self.entry.clear();
            fields(line, &mut self.entry);
            match socket.send(&self.entry) {
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                    send_file(&socket, &self.entry)?;
                }
                sent => drop(sent?),
            }
            self.sent += 1;
        }
        self.sent = 0;
        self.socket = Some(socket);
        Ok(())
    }
}

impl Transport for Journald {
    fn name(&self) -> &str {
        &self.name
    }

    fn most_bytes(&self) -> usize {
        BATCH
    }

    fn send(&mut self, batch: &[u8]) -> Result<(), Refusal> {
        self.try_send(batch).map_err(|error| Refusal::away(&error))
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(super::PATIENCE))?;
    Ok(socket)
}

/// The fields of an entry, from a line with the header of [`crate::schema::Envelope`].
fn fields(line: &[u8], entry: &mut Vec<u8>) {
    let (header, body) = split_header(line);
    let glance = Glance::of(body);
    let message = glance.message.as_deref().map_or(body, str::as_bytes);
    add(entry, "MESSAGE", message);
    let mut words = header.split(' ');
    let priority = words.next().and_then(|word| {
        let number = word.strip_prefix('<')?.split_once('>')?.0;
        number.parse::<u16>().ok()
    });
    if let Some(priority) = priority {
        add(entry, "PRIORITY", (priority % 8).to_string().as_bytes());
        let facility = (priority / 8).to_string();
        add(entry, "SYSLOG_FACILITY", facility.as_bytes());
    }
    let named = [
        "SYSLOG_TIMESTAMP",
        "",
        "SYSLOG_IDENTIFIER",
        "",
        "SOCKTRACE_ACTION",
        "",
    ];
    for (name, word) in named.into_iter().zip(words.by_ref()) {
        if !name.is_empty() {
            add(entry, name, word.as_bytes());
        }
    }
    // What is left are parameters, whose values are names of ours: `sequence="5" kind="close_wait"`.
    for (key, value) in words.filter_map(|word| word.split_once('=')) {
        let name = format!("SOCKTRACE_{}", key.to_ascii_uppercase());
        add(entry, &name, value.trim_matches('"').as_bytes());
    }
    if let Some(id) = &glance.id {
        add(entry, "SOCKTRACE_EVENT_ID", id.as_bytes());
    }
    if let Some(subject) = &glance.subject {
        add(entry, "SOCKTRACE_LEAK_ID", subject.as_bytes());
    }
    add(entry, "SOCKTRACE_EVENT", body);
}

/// The header of RFC 5424 without the bracket that ends it, and what follows.
fn split_header(line: &[u8]) -> (&str, &[u8]) {
    let end = line.windows(2).position(|pair| pair == b"] ");
    let split = end.and_then(|end| line.split_at_checked(end));
    match split {
        Some((header, body)) => match str::from_utf8(header) {
            Ok(header) => (header, body.get(2..).unwrap_or_default()),
            Err(_) => ("", line),
        },
        None => ("", line),
    }
}

/// `NAME=value`, or with its length if it has a newline.
fn add(entry: &mut Vec<u8>, name: &str, value: &[u8]) {
    entry.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value);
    entry.push(b'\n');
}

/// Hands an entry over in a file in memory that nobody can change any more, as the journal demands.
fn send_file(socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    // SAFETY: the name is a C string, and the call makes a descriptor.
    let fd = unsafe {
        libc::memfd_create(
            c"journal-entry".as_ptr(),
            libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else has it.
    let mut file = fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.write_all(entry)?;
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
    // SAFETY: fcntl with integers touches no memory of ours.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
        return Err(io::Error::last_os_error());
    }
    send_descriptor(socket, &file)
}

/// An empty datagram with a descriptor (unix(7), `SCM_RIGHTS`).
fn send_descriptor(socket: &UnixDatagram, file: &fs::File) -> io::Result<()> {
    // Of a descriptor, a C int.
    const BYTES: u32 = 4;
    // Room for one descriptor, aligned as headers have to be.
    let mut control = [0_u64; 8];
    // SAFETY: all zeros is a message without anything.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    // C libraries disagree about the type of lengths: `as _` suits all of them.
    // SAFETY: CMSG_SPACE only computes.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(BYTES) } as _;
    // SAFETY: `message` has room for a header, so there is a first one, inside of `control`; what is written
    // to it is one descriptor, for which there is room.
    let sent = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(BYTES) as _;
        ptr::write_unaligned(libc::CMSG_DATA(header).cast(), file.as_raw_fd());
        libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL)
    };
    if sent < 0 {
        let error = io::Error::last_os_error();
        return Err(if error.kind() == ErrorKind::WouldBlock {
            ErrorKind::TimedOut.into()
        } else {
            error
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
