//! What single records mean, outside the readings of the truth.

use crate::model::{
    Accept, BootTime, Cause, Gap, GapPlace, Kind, Leak, Phase, Release, StateChange, Suspect,
    TcpState,
};
use crate::verdict::{can_leak, kind_of, made_progress};

use super::Tracker;
use super::entry::{Entry, Sight};
use super::judge::lives_again;

impl Tracker {
    /// A walk tells of a suspect.
    pub(super) fn on_suspect(&mut self, at: BootTime, suspect: &Suspect) {
        if suspect.socket.dead || !can_leak(suspect.socket.state) {
            return;
        }
        let cookie = suspect.socket.cookie;
        let Some(entry) = self.entries.get_mut(&cookie) else {
            self.track(Entry::of_suspect(at, suspect, self.reading.number()), true);
            self.prove_told(at, suspect.since);
            return;
        };
        entry.refresh(at, &suspect.socket, suspect.seqs);
        entry.absorb(suspect);
        let moved = made_progress(entry.base, suspect.seqs, suspect.socket.state);
        if moved {
            let base = if suspect.progress {
                suspect.seqs
            } else {
                suspect.seqs_since
            };
            let leak = entry.resolution(Cause::Progress, at);
            entry.restart(suspect.since.max(entry.since), base);
            self.finish(leak);
        } else if !entry.is_open() {
            entry.learn_since(suspect);
        }
        let Some(entry) = self.entries.get_mut(&cookie) else {
            return;
        };
        if let Some(kind) = entry.charge.map(|charge| charge.kind) {
            let leak = entry
                .recharge(kind)
                .then(|| entry.leak(Phase::Update, at))
                .flatten();
            self.ready.extend(leak);
        } else {
            entry.episode = entry.episode.max(suspect.episode);
            let since = entry.since;
            self.prove_told(at, since);
        }
    }

    /// The kernel answers for a socket that was asked for and that nobody was seen to hold.
    pub(super) fn on_answer(&mut self, at: BootTime, suspect: &Suspect) {
        if !self.schedule.reading() {
            return;
        }
        let Some(entry) = self.entries.get_mut(&suspect.socket.cookie) else {
            return;
        };
        entry.refresh(at, &suspect.socket, suspect.seqs);
        entry.absorb(suspect);
        entry.sight = entry.sight.max(Sight::Kept);
    }

    pub(super) fn on_change(&mut self, at: BootTime, change: &StateChange) {
        let Some(entry) = self.entries.get_mut(&change.socket.cookie) else {
            return;
        };
        if at < entry.seen {
            entry.absorb_change(change);
            return;
        }
        entry.refresh(at, &change.socket, change.seqs);
        entry.absorb_change(change);
        let Some(was) = entry.charge.map(|charge| charge.kind) else {
            return;
        };
        let held = was != Kind::Unaccepted;
        let cause = if made_progress(entry.base, change.seqs, change.socket.state)
            || lives_again(change.socket.state)
        {
            Cause::Progress
        } else if !held && change.socket.state == TcpState::Close {
            Cause::Reset
        } else {
            self.follow(at, change, held);
            return;
        };
        let leak = entry.resolution(cause, at);
        entry.restart(at, change.seqs);
        self.finish(leak);
    }

    pub(super) fn on_release(&mut self, at: BootTime, release: &Release) {
        let cookie = release.socket.cookie;
        if self.schedule.reading() {
            self.reading.note_release(cookie);
        }
        let Some(mut entry) = self.entries.remove(&cookie) else {
            return;
        };
        entry.refresh(at, &release.socket, release.seqs);
        let cause = match release.task {
            task if release.exiting => Cause::Exited(task),
            task => Cause::Closed(task),
        };
        self.finish(entry.resolution(cause, at));
    }

    /// A queued connection has been accepted: its new holder is to be found.
    pub(super) fn on_accept(&mut self, at: BootTime, accept: &Accept) {
        let Some(entry) = self.entries.get_mut(&accept.socket.cookie) else {
            return;
        };
        entry.set_trail(entry.trail().accepted(accept.task, at));
        self.schedule.want_proof();
    }

    pub(super) fn on_gap(&mut self, gap: Gap) {
        match gap.place {
            // Nothing that a reading could bring back.
            GapPlace::Owners | GapPlace::Tracker => {}
            GapPlace::Ring | GapPlace::Suspects => self.schedule.want_proof_after_loss(),
            // A suspect that was told of may have been among them, and it is told of once only.
            GapPlace::Decode => {
                self.reading.heal();
                self.schedule.want_proof_after_loss();
            }
        }
    }

    /// A finding's socket is in another state, and has moved no byte.
    fn follow(&mut self, at: BootTime, change: &StateChange, held: bool) {
        let Some(entry) = self.entries.get_mut(&change.socket.cookie) else {
            return;
        };
        if let Some(kind) = kind_of(&entry.socket, held) {
            let leak = entry
                .recharge(kind)
                .then(|| entry.leak(Phase::Update, at))
                .flatten();
            self.ready.extend(leak);
        } else {
            // LAST_ACK, after a shutdown: in a moment TCP is over, and then it is a leak again.
            self.schedule.want_proof_soon();
        }
    }

    /// A walk has told of a suspect: its proof is wanted, once the walk is over. One that has just made
    /// progress is told of again when it is ripe.
    fn prove_told(&mut self, at: BootTime, since: BootTime) {
        if at.since(since) >= self.config.leak_after {
            self.schedule.want_proof();
        }
    }

    fn finish(&mut self, leak: Option<Leak>) {
        if let Some(leak) = leak {
            self.open -= 1;
            self.ready.push_back(leak);
        }
    }
}

impl Entry {
    /// Takes the time since when the kernel knows a socket as a suspect.
    ///
    /// A time that was seen is better than one that was not; of two of the same sort the later one is
    /// after progress, unless neither was seen, when the earlier one says more.
    fn learn_since(&mut self, suspect: &Suspect) {
        let takes = match (self.since_seen, suspect.since_seen) {
            (false, true) => true,
            (true, false) => false,
            (true, true) => suspect.since > self.since,
            (false, false) => suspect.since < self.since,
        };
        if takes {
            self.since = suspect.since;
            self.since_seen = suspect.since_seen;
            self.base = suspect.seqs_since;
        }
    }
}
