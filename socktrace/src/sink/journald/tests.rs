use std::io::Read as _;

use super::super::courier::Courier;
use super::super::{Sink, Target};
use super::*;

const HEADER: &str = "<28>1 2026-11-25T10:00:00.000000Z db-7 leaks 81 socket.leak [socktrace@32473 sequence=\"5\" kind=\"close_wait\" phase=\"open\"] ";

fn sink(path: &Path) -> Courier<Journald> {
    let spec = format!("journald://{}", path.display());
    let Ok(Target::Journald(target)) = Target::parse(spec.as_ref()) else {
        panic!("{spec}");
    };
    Courier::new(Journald::new(spec, &target))
}

#[test]
fn an_entry_has_the_header_and_the_event_as_fields() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let journal = UnixDatagram::bind(&path).unwrap();
    let event = r#"{"event":{"id":"e1"},"message":"a leak","socktrace":{"leak":{"id":"l1"}}}"#;
    sink(&path)
        .write(format!("{HEADER}{event}\nno header\n").as_bytes())
        .unwrap();
    let mut buffer = [0; 4096];
    let n = journal.recv(&mut buffer).unwrap();
    let expected = format!(
        "MESSAGE=a leak\nPRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_TIMESTAMP=2026-11-25T10:00:00.000000Z\n\
         SYSLOG_IDENTIFIER=leaks\nSOCKTRACE_ACTION=socket.leak\nSOCKTRACE_SEQUENCE=5\n\
         SOCKTRACE_KIND=close_wait\nSOCKTRACE_PHASE=open\nSOCKTRACE_EVENT_ID=e1\nSOCKTRACE_LEAK_ID=l1\n\
         SOCKTRACE_EVENT={event}\n"
    );
    assert_eq!(str::from_utf8(&buffer[..n]).unwrap(), expected);
    let n = journal.recv(&mut buffer).unwrap();
    assert_eq!(
        &buffer[..n],
        b"MESSAGE=no header\nSOCKTRACE_EVENT=no header\n"
    );
}

#[test]
fn values_with_newlines_tell_their_length() {
    let mut entry = Vec::new();
    add(&mut entry, "MESSAGE", b"a\nb");
    assert_eq!(entry, b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n");
}

/// A file in memory, sealed, instead of a datagram.
#[test]
fn a_large_entry_arrives_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let journal = UnixDatagram::bind(&path).unwrap();
    let long = "x".repeat(4 << 20);
    sink(&path).write(format!("{long}\n").as_bytes()).unwrap();
    let mut file = receive_file(&journal);
    let mut text = String::new();
    let seals = {
        // SAFETY: fcntl with integers touches no memory of ours.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) }
    };
    assert!(seals & libc::F_SEAL_WRITE != 0);
    io::Seek::rewind(&mut file).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert!(text == format!("MESSAGE={long}\nSOCKTRACE_EVENT={long}\n"));
}

/// The descriptor in the next datagram.
fn receive_file(journal: &UnixDatagram) -> fs::File {
    let mut control = [0_u64; 8];
    // SAFETY: all zeros is a message without anything.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: `message` points to `control`, which outlives the call, and says how large it is.
    let received = unsafe { libc::recvmsg(journal.as_raw_fd(), &raw mut message, 0) };
    assert_eq!(received, 0);
    // SAFETY: the kernel has filled in the first header, and what follows it is a descriptor that is ours now.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        assert!(!header.is_null());
        assert_eq!((*header).cmsg_type, libc::SCM_RIGHTS);
        let fd: libc::c_int = ptr::read_unaligned(libc::CMSG_DATA(header).cast());
        fs::File::from(OwnedFd::from_raw_fd(fd))
    }
}
