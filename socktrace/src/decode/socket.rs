//! The parts that records share: sockets, streams, tasks, owners.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use socktrace_common::wire::{self, owner_flag, role, sock_flag, touch_op};

use super::error::BadField;
use crate::model::{
    BootTime, Comm, Cookie, Family, KernelAddr, Listed, Owner, Role, Seqs, Socket, Task, TcpState,
    Tgid, Tid, Touch, TouchOp,
};

/// `AF_INET` and `AF_INET6` (include/linux/socket.h); Linux never changes them.
pub(super) const AF_INET: u16 = 2;
pub(super) const AF_INET6: u16 = 10;

pub(super) fn socket(wire: &wire::Sock) -> Result<Socket, BadField> {
    const KNOWN: u8 = sock_flag::COOKIE_SYNTHETIC
        | sock_flag::NO_SOCKET
        | sock_flag::DEAD
        | sock_flag::ESTABLISHED_ONCE;
    known_bits("sock.flags", wire.flags.into(), KNOWN.into())?;
    let family = match wire.family {
        AF_INET => Family::V4,
        AF_INET6 => Family::V6,
        other => return Err(BadField::new("sock.family", other, "AF_INET or AF_INET6")),
    };
    let has = |flag| wire.flags & flag != 0;
    Ok(Socket {
        cookie: Cookie(wire.cookie),
        cookie_synthetic: has(sock_flag::COOKIE_SYNTHETIC),
        kaddr: KernelAddr(wire.kaddr),
        netns: wire.netns,
        inode: (wire.inode != 0).then_some(wire.inode),
        family,
        state: tcp_state("sock.state", wire.state.into())?,
        no_socket: has(sock_flag::NO_SOCKET),
        dead: has(sock_flag::DEAD),
        established_once: has(sock_flag::ESTABLISHED_ONCE),
        local: address("sock.laddr", wire.laddr, wire.lport, family)?,
        peer: address("sock.raddr", wire.raddr, wire.rport, family)?,
    })
}

/// A socket that a reading shows, with what the table of suspects knows of it.
pub(super) fn sighted(wire: &wire::Sock) -> Result<(Socket, Option<Listed>), BadField> {
    const LISTED: u8 = sock_flag::WAITING | sock_flag::TOLD | sock_flag::UNLISTED;
    let listed = match wire.flags & LISTED {
        0 => None,
        sock_flag::WAITING => Some(Listed::Waiting),
        sock_flag::TOLD => Some(Listed::Told),
        sock_flag::UNLISTED => Some(Listed::Not),
        several => {
            return Err(BadField::new(
                "sock.flags",
                several,
                "one of waiting, told and unlisted",
            ));
        }
    };
    let flags = wire.flags & !LISTED;
    Ok((socket(&wire::Sock { flags, ..*wire })?, listed))
}

/// One end. An IPv4 socket must have IPv4 addresses; an IPv6 socket may have either. The error shows an
/// address's first eight bytes.
fn address(
    field: &'static str,
    octets: [u8; 16],
    port: u16,
    family: Family,
) -> Result<SocketAddr, BadField> {
    let ip = Ipv6Addr::from(octets).to_canonical();
    match (family, ip) {
        (Family::V4, IpAddr::V6(foreign)) => {
            let head = u64::try_from(foreign.to_bits() >> 64).unwrap_or(u64::MAX);
            Err(BadField::new(
                field,
                head,
                "in the v4-mapped form, as of an AF_INET socket",
            ))
        }
        _ => Ok(SocketAddr::new(ip, port)),
    }
}

pub(super) fn tcp_state(field: &'static str, number: u32) -> Result<TcpState, BadField> {
    TcpState::from_kernel(number).ok_or(BadField::new(field, number, "a TCP state"))
}

pub(super) fn seqs(wire: wire::Seqs) -> Seqs {
    let wire::Seqs {
        rcv_nxt,
        copied_seq,
        write_seq,
        snd_una,
    } = wire;
    Seqs {
        rcv_nxt,
        copied_seq,
        write_seq,
        snd_una,
    }
}

/// A task that must be known.
pub(super) fn task(wire: wire::Task) -> Result<Task, BadField> {
    some_task(wire).ok_or(BadField::new("task.tgid", wire.tgid, "a process"))
}

/// A task, if it is known.
pub(super) fn some_task(wire: wire::Task) -> Option<Task> {
    (wire.tgid != 0).then(|| any_task(wire))
}

/// A task that may be out of sight: its numbers are 0 then, its name is known. Bytes behind the name's
/// end are the kernel's leftovers and are dropped, so that equal names are equal.
pub(super) fn any_task(wire: wire::Task) -> Task {
    Task {
        tgid: Tgid(wire.tgid),
        tid: Tid(wire.tid),
        comm: Comm::from_bytes(Comm(wire.comm).as_bytes()),
    }
}

pub(super) fn owner(wire: &wire::Owner) -> Result<Owner, BadField> {
    known_bits(
        "owner.flags",
        wire.flags,
        owner_flag::EOF_READ | owner_flag::EOF_VISIBLE,
    )?;
    let role = match wire.role {
        role::UNKNOWN => Role::Unknown,
        role::CONNECTED => Role::Connected,
        role::ACCEPTED => Role::Accepted,
        other => return Err(BadField::new("owner.role", other, "a role")),
    };
    let eof_read = if wire.flags & owner_flag::EOF_READ != 0 {
        Some(true)
    } else {
        (wire.flags & owner_flag::EOF_VISIBLE != 0).then_some(false)
    };
    let [newest, middle, oldest] = wire.touches;
    Ok(Owner {
        role,
        opener: some_task(wire.task),
        opened: moment(wire.opened_ns),
        touches: [touch(newest)?, touch(middle)?, touch(oldest)?],
        eof_read,
    })
}

/// A slot of the last users; `None` if it is empty. A program may be writing to it while another copies
/// it, so a slot that has a time but no use or no user yet is empty too; the record around it is sound.
fn touch(wire: wire::Touch) -> Result<Option<Touch>, BadField> {
    let Some(at) = moment(wire.boot_ns) else {
        return Ok(None);
    };
    reserved("owner.touches.reserved", wire.reserved)?;
    let op = match wire.op {
        0 => return Ok(None),
        touch_op::RECV => TouchOp::Recv,
        touch_op::SEND => TouchOp::Send,
        touch_op::EOF => TouchOp::Eof,
        other => {
            return Err(BadField::new(
                "owner.touches.op",
                other,
                "a use of a socket",
            ));
        }
    };
    let touch = Touch {
        at,
        tgid: Tgid(wire.tgid),
        tid: Tid(wire.tid),
        op,
    };
    Ok((wire.tgid != 0).then_some(touch))
}

/// A time of which 0 says that there was none.
pub(super) fn moment(boot_ns: u64) -> Option<BootTime> {
    (boot_ns != 0).then_some(BootTime(boot_ns))
}

/// An errno of which 0 says that there was no error.
pub(super) fn errno(sk_err: u32) -> Option<u32> {
    (sk_err != 0).then_some(sk_err)
}

pub(super) fn reserved(field: &'static str, value: u32) -> Result<(), BadField> {
    if value == 0 {
        Ok(())
    } else {
        Err(BadField::new(field, value, "0 as reserved"))
    }
}

pub(super) fn known_bits(field: &'static str, bits: u32, known: u32) -> Result<(), BadField> {
    if bits & !known == 0 {
        Ok(())
    } else {
        Err(BadField::new(field, bits, "a set of known flags"))
    }
}
