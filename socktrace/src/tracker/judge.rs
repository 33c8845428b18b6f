//! What a reading of the truth means for one socket.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{BootTime, Cause, Holder, Kind, TcpState};
use crate::verdict::{can_leak, kind_of, made_progress};

use super::entry::{Doubt, Entry, Sight};
use super::listeners::Acceptors;

/// How many readings with a hole may in turn not show a socket that is there still.
const MOST_MISSED: u8 = 4;

/// A complete reading.
pub(super) struct Truth {
    /// Its number.
    pub(super) number: u16,
    /// When it ended.
    pub(super) at: BootTime,
    /// Age at which a suspect is a finding.
    pub(super) leak_after: Duration,
    /// Some of it could not be decoded.
    pub(super) holed: bool,
    /// Who accepts.
    pub(super) acceptors: Acceptors,
}

/// What becomes of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It stays what it is.
    Keep,
    /// It is ripe and held, but in a state that may pass: look again.
    Defer,
    /// It is ripe, but nobody is seen to hold it: look again.
    Unproven,
    /// It is no suspect any more.
    Drop,
    /// It has become a finding.
    Open,
    /// The finding has changed.
    Update,
    /// The finding is over, and so is the socket.
    Resolve(Cause),
    /// The finding is over; the socket may leak again.
    Restart(Cause),
}

impl Entry {
    /// Compares what a complete reading has shown with what was known.
    pub(super) fn judge(&mut self, truth: &Truth) -> Outcome {
        let sight = mem::take(&mut self.sight);
        let fresh = mem::take(&mut self.fresh);
        if self.born == truth.number {
            return Outcome::Keep;
        }
        if sight == Sight::Nothing || self.socket.dead {
            return self.unseen(truth);
        }
        self.missed = 0;
        let kind = match sight {
            Sight::Held => kind_of(&self.socket, true),
            Sight::Unheld => kind_of(&self.socket, false),
            Sight::Nothing | Sight::Kept => None,
        };
        if kind.is_none() && sight == Sight::Held && can_leak(self.socket.state) {
            // It was disconnected: the descriptor stays, the connection is gone.
            return if self.is_open() {
                Outcome::Restart(Cause::Reset)
            } else {
                Outcome::Drop
            };
        }
        if sight != Sight::Held && self.reset_in_queue() {
            return Outcome::Restart(Cause::Reset);
        }
        if made_progress(self.base, self.seqs, self.socket.state) {
            return self.progressed();
        }
        match kind {
            Some(kind) => {
                let holders = if kind == Kind::Unaccepted {
                    truth.acceptors.of(&self.socket)
                } else {
                    sorted(fresh)
                };
                self.prove(truth, kind, holders)
            }
            // In flight to another process, on its way out of the accept queue, held by something that
            // readings do not show, or in LAST_ACK after a shutdown: soon TCP is over, and if the
            // descriptor is still there then, it is the same leak.
            None if self.is_open() || !self.is_ripe(truth) => Outcome::Keep,
            None if sight == Sight::Held => Outcome::Defer,
            None => Outcome::Unproven,
        }
    }

    /// It is in a leak's state, and held.
    fn prove(&mut self, truth: &Truth, kind: Kind, holders: Arc<[Holder]>) -> Outcome {
        if self.is_open() {
            let moved = self.set_holders(holders);
            let recharged = self.recharge(kind);
            return if moved || recharged {
                Outcome::Update
            } else {
                Outcome::Keep
            };
        }
        if !self.is_ripe(truth) {
            return Outcome::Keep;
        }
        if self.doubt == Doubt::ToAsk {
            // Who used it is known, but not here.
            return Outcome::Defer;
        }
        self.set_holders(holders);
        self.recharge(kind);
        Outcome::Open
    }

    /// The reading has shown nothing of it. If it was asked for, it is not in the kernel's table either.
    ///
    /// Unless that was in a hole: one in the same place each time must not keep what is gone for ever.
    fn unseen(&mut self, truth: &Truth) -> Outcome {
        if self.asked != truth.number {
            return Outcome::Keep;
        }
        if truth.holed && self.missed < MOST_MISSED {
            self.missed += 1;
            return Outcome::Keep;
        }
        match self.charge.map(|charge| charge.kind) {
            None => Outcome::Drop,
            Some(Kind::Unaccepted) => Outcome::Resolve(Cause::Reset),
            // The record of its release was lost.
            Some(_) => Outcome::Resolve(Cause::Closed(None)),
        }
    }

    fn progressed(&mut self) -> Outcome {
        if self.is_open() {
            return Outcome::Restart(Cause::Progress);
        }
        self.restart(self.seen, self.seqs);
        Outcome::Keep
    }

    /// The kernel has given up a connection in an accept queue. It may still be accepted.
    pub(super) fn reset_in_queue(&self) -> bool {
        self.charge
            .is_some_and(|charge| charge.kind == Kind::Unaccepted)
            && self.socket.state == TcpState::Close
    }

    fn is_ripe(&self, truth: &Truth) -> bool {
        truth.at.since(self.since) >= truth.leak_after
    }
}

/// Whether a state means that the socket has begun a new life (`connect()` or `listen()` after
/// `connect(AF_UNSPEC)`).
pub(super) fn lives_again(state: TcpState) -> bool {
    matches!(
        state,
        TcpState::SynSent
            | TcpState::SynRecv
            | TcpState::NewSynRecv
            | TcpState::Established
            | TcpState::Listen
    )
}

/// Holders in the order of reports, each once.
pub(super) fn sorted(mut holders: Vec<Holder>) -> Arc<[Holder]> {
    holders.sort_unstable_by_key(|holder| (holder.tgid, holder.fd));
    holders.dedup_by_key(|holder| (holder.tgid, holder.fd));
    holders.into()
}
