//! One record of each kind, from its wire structure to the model.

use std::time::Duration;

use socktrace_common::wire::{
    self, Header, gap_place, header_flag, kind, mark, release_flag, suspect_flag,
};
use zerocopy::FromBytes;

use super::DecodeError;
use super::error::BadField;
use super::frame::{MAX_CPUS, header};
use super::socket::{
    any_task, errno, known_bits, moment, owner, reserved, seqs, sighted, socket, some_task, task,
    tcp_state,
};
use crate::model::{
    Accept, BootTime, Connect, Event, Gap, GapPlace, Held, Mark, Record, Release, Socket,
    StateChange, Suspect, Unheld,
};

/// What a record's meaning depends on besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeContext {
    /// `CONFIG_HZ` of the kernel that made the records: jiffies a second. 0: not known, and then no
    /// [`Held::idle`] is either.
    pub hz: u32,
}

/// The record that `bytes` are: all of them, at any alignment, in this machine's byte order.
pub fn decode(bytes: &[u8], context: DecodeContext) -> Result<Record, DecodeError> {
    let (header, name, len) = header(bytes)?;
    let have = bytes.len();
    if have < len {
        return Err(DecodeError::Truncated { have, need: len });
    }
    if have > len {
        return Err(DecodeError::Surplus {
            surplus: have - len,
        });
    }
    check_header(&header).map_err(|bad| bad.of(name))?;
    let event = match header.kind {
        kind::STATE_CHANGE => convert(bytes, name, state_change)?,
        kind::CONNECT => convert(bytes, name, connect)?,
        kind::ACCEPT => convert(bytes, name, accept)?,
        kind::RELEASE => convert(bytes, name, release)?,
        kind::SUSPECT => convert(bytes, name, suspect)?,
        kind::HELD => convert(bytes, name, |wire| held(wire, context))?,
        kind::UNHELD => convert(bytes, name, |wire| unheld(wire, context))?,
        kind::GAP => convert(bytes, name, gap)?,
        kind::MARK => convert(bytes, name, mark_event)?,
        found => return Err(DecodeError::Kind { found }),
    };
    Ok(Record {
        at: BootTime(header.boot_ns),
        event,
    })
}

/// Reads the wire structure `W` and turns it into an event. The lengths have been compared by then.
fn convert<W: FromBytes>(
    bytes: &[u8],
    name: &'static str,
    event: impl FnOnce(&W) -> Result<Event, BadField>,
) -> Result<Event, DecodeError> {
    let wire = W::read_from_bytes(bytes).map_err(|_| DecodeError::Truncated {
        have: bytes.len(),
        need: size_of::<W>(),
    })?;
    event(&wire).map_err(|bad| bad.of(name))
}

fn check_header(header: &Header) -> Result<(), BadField> {
    known_bits("header.flags", header.flags, header_flag::SEQUENCED)?;
    if header.cpu >= MAX_CPUS {
        return Err(BadField::new(
            "header.cpu",
            header.cpu,
            "the number of a CPU",
        ));
    }
    Ok(())
}

fn state_change(wire: &wire::StateChange) -> Result<Event, BadField> {
    Ok(Event::StateChange(StateChange {
        socket: socket(&wire.sock)?,
        seqs: seqs(wire.seqs),
        bytes_received: wire.bytes_received,
        bytes_acked: wire.bytes_acked,
        old: tcp_state("old_state", wire.old_state)?,
        error: errno(wire.sk_err),
    }))
}

fn connect(wire: &wire::Connect) -> Result<Event, BadField> {
    Ok(Event::Connect(Connect {
        socket: socket(&wire.sock)?,
        task: any_task(wire.task),
        started: BootTime(wire.started_ns),
    }))
}

fn accept(wire: &wire::Accept) -> Result<Event, BadField> {
    Ok(Event::Accept(Accept {
        socket: socket(&wire.sock)?,
        task: any_task(wire.task),
    }))
}

fn release(wire: &wire::Release) -> Result<Event, BadField> {
    known_bits(
        "flags",
        wire.flags,
        release_flag::EXITING | release_flag::KTHREAD,
    )?;
    reserved("reserved", wire.reserved)?;
    let bystander = wire.flags & release_flag::KTHREAD != 0;
    Ok(Event::Release(Release {
        socket: socket(&wire.sock)?,
        seqs: seqs(wire.seqs),
        bytes_received: wire.bytes_received,
        bytes_acked: wire.bytes_acked,
        task: if bystander {
            None
        } else {
            some_task(wire.task)
        },
        exiting: wire.flags & release_flag::EXITING != 0,
        opened: moment(wire.opened_ns),
    }))
}

fn suspect(wire: &wire::Suspect) -> Result<Event, BadField> {
    const KNOWN: u32 = suspect_flag::FOUND | suspect_flag::PROGRESS | suspect_flag::ASKED;
    known_bits("flags", wire.flags, KNOWN)?;
    reserved("reserved", wire.reserved)?;
    Ok(Event::Suspect(Suspect {
        socket: socket(&wire.sock)?,
        seqs: seqs(wire.seqs),
        seqs_since: seqs(wire.seqs_since),
        since: BootTime(wire.since_ns),
        since_seen: wire.flags & suspect_flag::FOUND == 0,
        progress: wire.flags & suspect_flag::PROGRESS != 0,
        asked: wire.flags & suspect_flag::ASKED != 0,
        episode: wire.episode,
        error: errno(wire.sk_err),
        owner: owner(&wire.owner)?,
    }))
}

fn held(wire: &wire::Held, context: DecodeContext) -> Result<Event, BadField> {
    let (socket, listed) = sighted(&wire.sock)?;
    Ok(Event::Held(Held {
        socket,
        seqs: seqs(wire.seqs),
        task: task(wire.task)?,
        task_started: BootTime(wire.task_start_ns),
        fd: wire.fd,
        error: errno(wire.sk_err),
        ack_backlog: wire.ack_backlog,
        max_ack_backlog: wire.max_ack_backlog,
        idle: idle(&socket, wire.idle_jiffies, context),
        listed,
    }))
}

fn unheld(wire: &wire::Unheld, context: DecodeContext) -> Result<Event, BadField> {
    reserved("reserved", wire.reserved)?;
    let (socket, listed) = sighted(&wire.sock)?;
    let idle = idle(&socket, wire.idle_jiffies, context);
    Ok(Event::Unheld(Unheld {
        socket,
        seqs: seqs(wire.seqs),
        idle,
        listed,
    }))
}

/// Jiffies as a duration. A socket that never was a connection has no last segment to count from: the
/// kernel's timestamps in it are 0, and the difference means nothing.
fn idle(socket: &Socket, jiffies: u32, context: DecodeContext) -> Option<Duration> {
    // At most 2^32 times 10^9, which is below 2^62.
    let nanos = (u64::from(jiffies) * 1_000_000_000).checked_div(u64::from(context.hz))?;
    socket.established_once.then(|| Duration::from_nanos(nanos))
}

fn gap(wire: &wire::Gap) -> Result<Event, BadField> {
    reserved("reserved", wire.reserved)?;
    let place = match wire.place {
        gap_place::RING => GapPlace::Ring,
        gap_place::SUSPECTS => GapPlace::Suspects,
        gap_place::OWNERS => GapPlace::Owners,
        gap_place::DECODE => GapPlace::Decode,
        gap_place::TRACKER => GapPlace::Tracker,
        gap_place::MISSED => GapPlace::Missed,
        gap_place::QUEUES => GapPlace::Queues,
        other => {
            return Err(BadField::new(
                "place",
                other,
                "a place where records get lost",
            ));
        }
    };
    Ok(Event::Gap(Gap {
        place,
        lost: wire.lost,
    }))
}

fn mark_event(wire: &wire::Mark) -> Result<Event, BadField> {
    reserved("reserved", wire.reserved)?;
    let bare = |mark| match wire.value {
        0 => Ok(mark),
        value => Err(BadField::new(
            "value",
            value,
            "0 as for every mark that carries nothing",
        )),
    };
    let event = match wire.what {
        mark::WALK_BEGIN => bare(Mark::WalkBegin)?,
        mark::WALK_END => Mark::WalkEnd {
            oldest_young: moment(wire.value),
        },
        mark::TRUTH_BEGIN => bare(Mark::TruthBegin)?,
        mark::TRUTH_END => match wire.value {
            0 => Mark::TruthEnd { complete: false },
            1 => Mark::TruthEnd { complete: true },
            value => return Err(BadField::new("value", value, "0 or 1")),
        },
        mark::TICK => bare(Mark::Tick)?,
        other => return Err(BadField::new("what", other, "a mark")),
    };
    Ok(Event::Mark(event))
}
