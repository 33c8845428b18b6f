//! What is known of one tracked socket.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Blame, BootTime, Cause, Diagnosis, Holder, Kind, Leak, Listed, Phase, Role, Seqs, Socket,
    StateChange, Suspect, TcpState,
};
use crate::verdict::{End, Evidence, Trail, blame, diagnose, made_progress};

/// One tracked socket: a suspect, or a finding. There may be a hundred thousand of them.
#[derive(Debug)]
pub(super) struct Entry {
    /// The socket when it was last seen.
    pub(super) socket: Socket,
    /// Its streams then.
    pub(super) seqs: Seqs,
    /// When that was.
    pub(super) seen: BootTime,
    /// Its streams at `since`: what progress is measured from.
    pub(super) base: Seqs,
    /// Since when it is a suspect without progress.
    pub(super) since: BootTime,
    /// False: it was there before anybody looked.
    pub(super) since_seen: bool,
    /// No program is known to have moved bytes since the network last did: its idleness is the
    /// socket's. See [`Self::learn_idle`].
    pub(super) idle_counts: bool,
    /// How often it was a finding and made progress.
    pub(super) episode: u32,
    /// What it is charged with, once it is a finding.
    pub(super) charge: Option<Charge>,
    /// Number of the reading during which it was told of. That reading proves nothing about it: some
    /// of its holders had been passed by then.
    pub(super) born: u16,
    /// Whether a record of the kernel's table about it has arrived, and what it was like then: this and
    /// `told_copied` tell whether somebody has used it since without moving a byte, to accept it or to read
    /// its end.
    told: Told,
    told_copied: u32,
    /// Whether the kernel's tables know more of it than is known here, and no walk will tell.
    pub(super) doubt: Doubt,
    /// How many readings with a hole have not shown it, the last ones in turn.
    pub(super) missed: u8,
    /// Number of the reading it was last asked for in.
    pub(super) asked: u16,
    /// What the reading in flight has shown of it.
    pub(super) sight: Sight,
    /// The holders that the reading in flight has shown.
    pub(super) fresh: Vec<Holder>,
    end: End,
    /// The thread that was blamed last, 0 if none was.
    blamed: u32,
    trail: Option<Box<Trail>>,
    /// Sorted by process and descriptor. Shared among the connections in one listener's queue.
    holders: Option<Arc<[Holder]>>,
}

/// What a finding is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) kind: Kind,
    pub(super) diagnosis: Option<Diagnosis>,
}

/// See [`Entry::doubt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// They do not.
    None,
    /// They do, and are to be asked.
    ToAsk,
    /// They were asked, in the reading in flight or before, and have not answered.
    Asked,
}

/// See [`Entry::told`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Never,
    Queued,
    Accepted,
}

impl Told {
    fn of(socket: &Socket) -> Self {
        if socket.no_socket {
            Self::Queued
        } else {
            Self::Accepted
        }
    }
}

/// What a reading of the truth has shown of a socket, the strongest last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// Nothing.
    #[default]
    Nothing,
    /// It is in the kernel's table of suspects, nobody was seen to hold it.
    Kept,
    /// No descriptor refers to it.
    Unheld,
    /// A descriptor refers to it.
    Held,
}

impl Entry {
    /// A suspect that the kernel's table tells of.
    pub(super) fn of_suspect(at: BootTime, suspect: &Suspect, born: u16) -> Self {
        let mut entry = Self::of_sight(at, suspect.socket, suspect.seqs, born);
        entry.since = suspect.since;
        entry.since_seen = suspect.since_seen;
        entry.idle_counts = !suspect.since_seen;
        entry.episode = suspect.episode;
        entry.absorb(suspect);
        entry
    }

    /// A suspect that a reading has come across.
    pub(super) fn of_sight(at: BootTime, socket: Socket, seqs: Seqs, born: u16) -> Self {
        Self {
            socket,
            seqs,
            seen: at,
            base: seqs,
            since: at,
            since_seen: false,
            idle_counts: false,
            episode: 0,
            charge: None,
            born,
            told: Told::Never,
            told_copied: 0,
            blamed: 0,
            doubt: Doubt::None,
            missed: 0,
            asked: born,
            sight: Sight::Nothing,
            fresh: Vec::new(),
            end: End::Unseen,
            trail: None,
            holders: None,
        }
    }

    /// Takes the socket as it was at `at`, unless it has been seen later than that.
    pub(super) fn refresh(&mut self, at: BootTime, socket: &Socket, seqs: Seqs) {
        if at < self.seen {
            return;
        }
        // Not every program reads the inode.
        let inode = socket.inode.or(self.socket.inode);
        self.socket = Socket { inode, ..*socket };
        self.seqs = seqs;
        self.seen = at;
    }

    /// Takes what a suspect's record says about its owner and its end.
    pub(super) fn absorb(&mut self, suspect: &Suspect) {
        self.told = Told::of(&suspect.socket);
        self.told_copied = suspect.seqs.copied_seq;
        self.doubt = Doubt::None;
        self.learn_end(End::of_suspect(suspect));
        let trail = Trail::from(&suspect.owner);
        // The kernel's table of owners may have lost what it knew.
        if !trail.is_empty() {
            self.trail = Some(Box::new(trail));
        }
    }

    /// Takes what a state change says about the end.
    pub(super) fn absorb_change(&mut self, change: &StateChange) {
        self.learn_end(End::of_change(change));
    }

    /// Takes what the kernel's table knew of it when a reading came by. It tells of a socket once: that may
    /// have been lost, or somebody has used the socket since.
    pub(super) fn learn_listed(&mut self, listed: Option<Listed>) {
        let now = (Told::of(&self.socket), self.seqs.copied_seq);
        let used = (self.told, self.told_copied) != now;
        if used && listed == Some(Listed::Told) && self.doubt == Doubt::None {
            self.doubt = Doubt::ToAsk;
        }
    }

    pub(super) fn learn_end(&mut self, end: End) {
        self.end = self.end.or(end);
    }

    pub(super) fn trail(&self) -> Trail {
        self.trail.as_deref().copied().unwrap_or_default()
    }

    pub(super) fn set_trail(&mut self, trail: Trail) {
        self.trail = Some(Box::new(trail));
    }

    pub(super) fn is_open(&self) -> bool {
        self.charge.is_some()
    }

    /// The charge for what is known now.
    pub(super) fn charge(&self, kind: Kind) -> Charge {
        let eof_read = self.trail.as_ref().and_then(|trail| trail.eof_read);
        let evidence = Evidence {
            seqs: self.seqs,
            eof_read,
            end: self.end,
        };
        Charge {
            kind,
            diagnosis: diagnose(kind, &evidence),
        }
    }

    /// Charges a finding anew under `kind`; whether that changed anything, the thread that is blamed included.
    pub(super) fn recharge(&mut self, kind: Kind) -> bool {
        let charge = Some(self.charge(kind));
        let tid = self.blame(kind).and_then(|blame| blame.tid);
        let blamed = tid.map_or(0, |tid| tid.0);
        let changed = (self.charge, self.blamed) != (charge, blamed);
        (self.charge, self.blamed) = (charge, blamed);
        changed
    }

    /// Charges a finding anew under `kind`; what is to be told of it, if that changed anything.
    pub(super) fn update(&mut self, kind: Kind, at: BootTime) -> Option<Leak> {
        self.recharge(kind)
            .then(|| self.leak(Phase::Update, at))
            .flatten()
    }

    /// Takes the holders; whether the set of them changed.
    pub(super) fn set_holders(&mut self, holders: Arc<[Holder]>) -> bool {
        let key = |holder: &Holder| (holder.tgid, holder.fd, holder.started);
        let same = self.holders().iter().map(key).eq(holders.iter().map(key));
        self.holders = Some(holders);
        !same
    }

    /// Takes the time since when the kernel knows a socket as a suspect, unless bytes have moved since then
    /// that it has not noticed.
    ///
    /// A time that was seen is better than one that was not; of two of the same sort the later one is
    /// after progress, unless neither was seen, when the earlier one says more.
    pub(super) fn learn_since(&mut self, suspect: &Suspect) {
        if made_progress(suspect.seqs_since, suspect.seqs, suspect.socket.state) {
            return;
        }
        let takes = match (self.since_seen, suspect.since_seen) {
            (false, true) => true,
            (true, false) => false,
            (true, true) => suspect.since > self.since,
            (false, false) => suspect.since < self.since,
        };
        if takes {
            self.since = suspect.since;
            self.since_seen = suspect.since_seen;
            self.base = suspect.seqs;
        }
    }

    /// Takes how long the network has left the socket alone at `at`, where that shows how long it has
    /// been a suspect at least.
    ///
    /// It does so in the states that a segment with an acknowledgement leads to: `CLOSE_WAIT` and
    /// `FIN_WAIT2`. A reset or a timer leads to `TCP_CLOSE` without one. And it does so only if nothing
    /// is left to read: a program that reads what came long ago moves bytes without a sound on the wire.
    pub(super) fn learn_idle(&mut self, at: BootTime, idle: Option<Duration>) {
        let by_segment = matches!(self.socket.state, TcpState::CloseWait | TcpState::FinWait2);
        if let Some(idle) = idle
            && self.idle_counts
            && self.charge.is_none()
            && by_segment
            && self.seqs.rx_queue() <= 1
            && !made_progress(self.base, self.seqs, self.socket.state)
        {
            self.since = self.since.min(at.before(idle));
        }
    }

    /// Bytes moved: it is a suspect from `since` on, with these streams. What it was a finding for is over.
    pub(super) fn restart(&mut self, since: BootTime, base: Seqs) {
        if self.charge.take().is_some() {
            self.episode = self.episode.saturating_add(1);
        }
        self.since = since;
        self.since_seen = true;
        self.idle_counts = false;
        self.base = base;
    }

    /// The finding as it is now; `None` while it is none.
    pub(super) fn leak(&self, phase: Phase, at: BootTime) -> Option<Leak> {
        let Charge { kind, diagnosis } = self.charge?;
        let trail = self.trail();
        Some(Leak {
            phase,
            at,
            kind,
            diagnosis,
            socket: self.socket,
            seqs: self.seqs,
            since: self.since,
            since_seen: self.since_seen,
            episode: self.episode,
            // A connection in an accept queue has been accepted by the kernel, if by nobody else.
            role: if kind == Kind::Unaccepted {
                Role::Accepted
            } else {
                trail.role
            },
            holders: self.holders().to_vec(),
            blame: self.blame(kind),
            uses: trail.uses(),
            // The tracker knows the queues.
            queue: None,
        })
    }

    fn blame(&self, kind: Kind) -> Option<Blame> {
        blame(kind, self.holders(), &self.trail())
    }

    /// The finding's end; `None` while it is none.
    pub(super) fn resolution(&self, cause: Cause, at: BootTime) -> Option<Leak> {
        self.leak(Phase::Resolved(cause), at)
    }

    fn holders(&self) -> &[Holder] {
        self.holders.as_deref().unwrap_or_default()
    }
}
