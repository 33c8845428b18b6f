//! What single records mean, outside the readings of the truth.

use crate::model::{
    Accept, BootTime, Cause, Gap, GapPlace, Kind, Leak, Release, StateChange, Suspect,
};
use crate::verdict::{kind_of, made_progress};

use super::Tracker;
use super::entry::{Entry, Sight};
use super::judge::lives_again;

impl Tracker {
    /// A walk tells of a suspect.
    pub(super) fn on_suspect(&mut self, at: BootTime, suspect: &Suspect) {
        if suspect.socket.dead || lives_again(suspect.socket.state) {
            return;
        }
        let cookie = suspect.socket.cookie;
        let Some(entry) = self.entries.get_mut(&cookie) else {
            let entry = Entry::of_suspect(at, suspect, self.reading.number());
            self.prove_told(at, entry.since, entry.since_seen);
            self.track(entry, false);
            return;
        };
        entry.refresh(at, &suspect.socket, suspect.seqs);
        entry.absorb(suspect);
        let moved = made_progress(entry.base, suspect.seqs, suspect.socket.state);
        if moved {
            let leak = entry.resolution(Cause::Progress, at);
            entry.restart(suspect.since.max(entry.since), suspect.seqs);
            self.finish(leak);
        } else if !entry.is_open() {
            entry.learn_since(suspect);
        }
        let Some(entry) = self.entries.get_mut(&cookie) else {
            return;
        };
        if let Some(was) = entry.charge.map(|charge| charge.kind) {
            // The record of a change may have been lost.
            let kind = kind_of(&entry.socket, was != Kind::Unaccepted).unwrap_or(was);
            self.ready.extend(entry.update(kind, at));
        } else {
            let (since, seen) = (entry.since, entry.since_seen);
            self.prove_told(at, since, seen);
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
        if !entry.is_open() {
            entry.learn_since(suspect);
        }
        entry.sight = entry.sight.max(Sight::Kept);
    }

    pub(super) fn on_change(&mut self, at: BootTime, change: &StateChange) {
        let Some(entry) = self.entries.get_mut(&change.socket.cookie) else {
            return;
        };
        if at < entry.seen {
            entry.absorb_change(change);
            if entry.socket.state != change.socket.state {
                // The kernel tells of a change before it makes it: what was seen since then may be either
                // side of it. Nothing else will tell.
                self.schedule.want_proof();
            }
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
        } else if entry.reset_in_queue() {
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
        if self.schedule.proving() {
            self.reading.note_release(cookie);
        }
        self.reading.refused.remove(cookie);
        let Some(mut entry) = self.entries.remove(&cookie) else {
            return;
        };
        if self.reading.refused.len() > 0 {
            // There is room for one that did not fit.
            self.schedule.want_proof_after_loss();
        }
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
            // Nothing that a reading could bring back. One of the tracker is the tracker's own, read back
            // from a recording.
            GapPlace::Owners | GapPlace::Tracker | GapPlace::Queues => {}
            GapPlace::Ring | GapPlace::Suspects | GapPlace::Missed => {
                self.schedule.want_proof_after_loss();
            }
            GapPlace::Decode => {
                self.reading.has_hole();
                self.schedule.want_proof_after_hole();
            }
        }
    }

    /// A finding's socket is in another state, and has moved no byte.
    fn follow(&mut self, at: BootTime, change: &StateChange, held: bool) {
        let Some(entry) = self.entries.get_mut(&change.socket.cookie) else {
            return;
        };
        let Some(kind) = kind_of(&entry.socket, held) else {
            return;
        };
        self.ready.extend(entry.update(kind, at));
    }

    /// A walk has told of a suspect: its proof is wanted, once the walk is over. One that was found is
    /// told of at once and once only, and is to be proven when it is ripe; one that has made progress is
    /// told of again by then.
    fn prove_told(&mut self, at: BootTime, since: BootTime, since_seen: bool) {
        if at.since(since) >= self.config.leak_after {
            self.schedule.want_proof();
        } else if !since_seen {
            self.schedule
                .want_proof_at(since.after(self.config.leak_after));
        }
    }

    fn finish(&mut self, leak: Option<Leak>) {
        if let Some(leak) = leak {
            self.open -= 1;
            self.ready.push_back(leak);
        }
    }
}
