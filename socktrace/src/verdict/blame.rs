//! Which process and which thread are blamed.

use std::num::NonZeroU32;

use crate::model::{
    Blame, BootTime, DATED_EARLY, Holder, Kind, Owner, OwnerVia, Role, SocketUse, Task, Tgid, Tid,
    Touch, TouchOp, UseOp,
};

/// How many threads are remembered.
const TOUCHES: usize = socktrace_common::wire::TOUCHES;

/// Who made and used a socket: an [`Owner`] without what no verdict needs, because there is one for
/// every leaked socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// How the connection came to be.
    pub role: Role,
    /// Whether a read returned 0; `None` where such reads cannot be seen.
    pub eof_read: Option<bool>,
    opener: Option<Use>,
    /// Newest first.
    touches: [Option<Use>; TOUCHES],
    /// What each of them was: apart, because there it would take eight times the room.
    ops: [Option<TouchOp>; TOUCHES],
}

/// A thread that used the socket. A process id is never 0 here, which makes the absence free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Use {
    /// 0 where the time was not seen.
    at: BootTime,
    tgid: NonZeroU32,
    tid: Tid,
}

impl Trail {
    /// The trail with the one that accepted the socket.
    #[must_use]
    pub fn accepted(self, task: Task, at: BootTime) -> Self {
        Self {
            role: Role::Accepted,
            opener: Use::new(at, task.tgid, task.tid),
            ..self
        }
    }

    /// Everything it knows of threads, newest first.
    #[must_use]
    pub fn uses(&self) -> Vec<SocketUse> {
        let touches = self.touches.iter().zip(self.ops).filter_map(|(touch, op)| {
            let op = match op? {
                TouchOp::Recv => UseOp::Recv,
                TouchOp::Send => UseOp::Send,
                TouchOp::Eof => UseOp::Eof,
            };
            touch.map(|touch| touch.told(op))
        });
        let op = match self.role {
            Role::Connected => Some(UseOp::Connect),
            Role::Accepted => Some(UseOp::Accept),
            Role::Unknown => None,
        };
        let opener = self.opener.zip(op).map(|(opener, op)| opener.told(op));
        touches.chain(opener).collect()
    }

    /// Whether it says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Owner> for Trail {
    fn from(owner: &Owner) -> Self {
        let saw_eof = owner
            .touches
            .iter()
            .flatten()
            .any(|touch| touch.op == TouchOp::Eof);
        let opened = owner.opened.unwrap_or_default();
        let used = |touch: &Touch| Use::new(touch.at, touch.tgid, touch.tid);
        let mut touches = owner.touches;
        touches.sort_by_key(|touch| {
            std::cmp::Reverse(touch.as_ref().and_then(used).map(|used| used.at))
        });
        Self {
            role: owner.role,
            eof_read: if saw_eof { Some(true) } else { owner.eof_read },
            opener: owner
                .opener
                .and_then(|task| Use::new(opened, task.tgid, task.tid)),
            touches: touches.map(|touch| touch.as_ref().and_then(used)),
            ops: touches.map(|touch| touch.map(|touch| touch.op)),
        }
    }
}

impl Use {
    fn new(at: BootTime, tgid: Tgid, tid: Tid) -> Option<Self> {
        Some(Self {
            at,
            tgid: NonZeroU32::new(tgid.0)?,
            tid,
        })
    }

    fn told(self, op: UseOp) -> SocketUse {
        SocketUse {
            at: (self.at != BootTime::default()).then_some(self.at),
            tgid: Tgid(self.tgid.get()),
            tid: self.tid,
            op,
        }
    }

    /// The first descriptor of the process that used the socket, if it still holds it. A process that
    /// started after the use has inherited nothing but the number.
    fn holder<'a>(&self, holders: &'a [Holder]) -> Option<&'a Holder> {
        let same = |holder: &&Holder| {
            holder.tgid.0 == self.tgid.get()
                && (self.at == BootTime::default() || holder.started <= self.at.after(DATED_EARLY))
        };
        holders.iter().filter(same).min_by_key(|holder| holder.fd)
    }
}

/// The process and thread to blame for a leaked socket, among those that hold it.
///
/// That is the process that last used the socket, else the one that accepted or connected it, in each
/// case only if it still holds the socket; else the oldest holder, and then no thread is named. For
/// `unaccepted` the holders are those of the listener, and the oldest of them is named. `None` without
/// holders.
#[must_use]
pub fn blame(kind: Kind, holders: &[Holder], trail: &Trail) -> Option<Blame> {
    if kind == Kind::Unaccepted {
        return oldest(holders).map(|holder| by(holder, None, OwnerVia::Listener));
    }
    users(trail)
        .find_map(|(user, via)| {
            user.holder(holders)
                .map(|holder| by(holder, Some(user.tid), via))
        })
        .or_else(|| oldest(holders).map(|holder| by(holder, None, OwnerVia::Holder)))
}

/// Those who used the socket, the best to blame first.
fn users(trail: &Trail) -> impl Iterator<Item = (Use, OwnerVia)> {
    let via = match trail.role {
        Role::Accepted => Some(OwnerVia::Accept),
        Role::Connected => Some(OwnerVia::Connect),
        Role::Unknown => None,
    };
    let touches = trail
        .touches
        .into_iter()
        .flatten()
        .map(|touch| (touch, OwnerVia::LastIo));
    touches.chain(trail.opener.zip(via))
}

fn oldest(holders: &[Holder]) -> Option<&Holder> {
    holders
        .iter()
        .min_by_key(|holder| (holder.started, holder.tgid, holder.fd))
}

fn by(holder: &Holder, tid: Option<Tid>, via: OwnerVia) -> Blame {
    let Holder {
        tgid,
        fd,
        comm,
        started,
    } = *holder;
    Blame {
        tgid,
        started,
        comm,
        tid,
        via,
        fd,
    }
}

#[cfg(test)]
#[path = "tests/blame.rs"]
mod tests;
