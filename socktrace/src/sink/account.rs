//! What becomes of a sink's lines, counted for whoever asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::batch::{Class, Tally};
use crate::clock::{self, Clock as _};
use crate::model::BootTime;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has it.
    Delivered,
    /// There was no room in the memory queue.
    QueueFull,
    /// It made room for newer lines in the spool.
    SpoolFull,
    /// The counterpart will never take it.
    Rejected,
    /// It could not be written, to the destination or to the spool.
    Failed,
    /// Nobody reads any more.
    Closed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Delivered,
        Self::QueueFull,
        Self::SpoolFull,
        Self::Rejected,
        Self::Failed,
        Self::Closed,
    ];

    /// Name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::QueueFull => "queue_full",
            Self::SpoolFull => "spool_full",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Since when, or when.
    pub since: BootTime,
    /// What it is.
    pub reason: String,
}

impl Trouble {
    fn now(reason: &str) -> Self {
        Self {
            since: clock::System.boot(),
            reason: reason.to_owned(),
        }
    }
}

/// The account of one sink: its threads write to it, metrics and `/readyz` read it.
#[derive(Debug, Default)]
pub struct Account {
    lines: [AtomicU64; Outcome::ALL.len()],
    /// Lines of each class that there was no room for.
    dropped: [AtomicU64; Class::ALL.len()],
    /// Bytes in the memory queue.
    queued: AtomicU64,
    /// Bytes in the spool that were not taken yet, and how many may be in it; 0 without a spool.
    spooled: AtomicU64,
    spool_size: AtomicU64,
    /// On the boot clock; 0: never.
    last_success: AtomicU64,
    troubles: Mutex<Troubles>,
}

/// What is wrong with a sink now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// The counterpart does not take lines; they wait.
    pub away: Option<Trouble>,
    /// Lines are being lost, and to what.
    pub losing: Vec<(Outcome, Trouble)>,
    /// The last time that the counterpart refused lines for good.
    pub rejected: Option<Trouble>,
}

impl Account {
    /// The destination has taken `lines`.
    pub fn delivered(&self, lines: u64) {
        self.count(Outcome::Delivered, lines);
        self.last_success
            .store(clock::System.boot().0, Ordering::Relaxed);
        let mut troubles = self.lock();
        troubles.away = None;
        troubles.keeps(Outcome::Failed);
    }

    /// The counterpart is away; lines wait.
    pub fn away(&self, reason: &str) {
        match &mut self.lock().away {
            Some(away) => reason.clone_into(&mut away.reason),
            none => *none = Some(Trouble::now(reason)),
        }
    }

    /// The counterpart will never take `lines`. It is there, though.
    pub fn rejected(&self, lines: u64, reason: &str) {
        self.count(Outcome::Rejected, lines);
        let mut troubles = self.lock();
        troubles.away = None;
        troubles.rejected = Some(Trouble::now(reason));
    }

    /// `lines` are lost to `outcome`, and more may be until [`Self::keeps`].
    pub fn loses(&self, outcome: Outcome, lines: u64, reason: &str) {
        self.count(outcome, lines);
        let mut troubles = self.lock();
        match troubles.losing.iter_mut().find(|(to, _)| *to == outcome) {
            Some((_, trouble)) => reason.clone_into(&mut trouble.reason),
            None => troubles.losing.push((outcome, Trouble::now(reason))),
        }
    }

    /// There is no room for `dropped`, and may be none for more until [`Self::keeps`].
    pub fn drops(&self, outcome: Outcome, dropped: Tally, reason: &str) {
        for class in Class::ALL {
            if let Some(count) = self.dropped.get(class as usize) {
                count.fetch_add(dropped.of(class), Ordering::Relaxed);
            }
        }
        self.loses(outcome, dropped.total(), reason);
    }

    /// Nothing is lost to `outcome` any more.
    pub fn keeps(&self, outcome: Outcome) {
        self.lock().keeps(outcome);
    }

    /// So many bytes wait in memory.
    pub fn set_queued(&self, bytes: usize) {
        self.queued.store(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes of at most `size` wait in the spool.
    pub fn set_spooled(&self, bytes: u64, size: u64) {
        self.spooled.store(bytes, Ordering::Relaxed);
        self.spool_size.store(size, Ordering::Relaxed);
    }

    /// How many lines came to `outcome`.
    #[must_use]
    pub fn lines(&self, outcome: Outcome) -> u64 {
        self.place(outcome)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How many lines of a class there was no room for, in memory or in the spool.
    #[must_use]
    pub fn dropped(&self, class: Class) -> u64 {
        self.dropped
            .get(class as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Bytes that wait in memory.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    /// Bytes that wait in the spool, and how many may; `None` without a spool.
    #[must_use]
    pub fn spooled(&self) -> Option<(u64, u64)> {
        let size = self.spool_size.load(Ordering::Relaxed);
        (size > 0).then(|| (self.spooled.load(Ordering::Relaxed), size))
    }

    /// When lines were taken last, if ever.
    #[must_use]
    pub fn last_success(&self) -> Option<BootTime> {
        let at = self.last_success.load(Ordering::Relaxed);
        (at > 0).then_some(BootTime(at))
    }

    /// What is wrong now.
    #[must_use]
    pub fn troubles(&self) -> Troubles {
        self.lock().clone()
    }

    fn count(&self, outcome: Outcome, lines: u64) {
        if let Some(count) = self.place(outcome) {
            count.fetch_add(lines, Ordering::Relaxed);
        }
    }

    fn place(&self, outcome: Outcome) -> Option<&AtomicU64> {
        self.lines.get(outcome as usize)
    }

    fn lock(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Troubles {
    fn keeps(&mut self, outcome: Outcome) {
        self.losing.retain(|(to, _)| *to != outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_apart() {
        let account = Account::default();
        for (lines, outcome) in (1..).zip(Outcome::ALL) {
            account.count(outcome, lines);
        }
        for (lines, outcome) in (1..).zip(Outcome::ALL) {
            assert_eq!(account.lines(outcome), lines, "{outcome:?}");
        }
    }

    #[test]
    fn a_trouble_keeps_its_beginning_and_tells_its_latest_reason() {
        let account = Account::default();
        account.away("refused");
        let begun = account.troubles().away.unwrap().since;
        account.away("timed out");
        let away = account.troubles().away.unwrap();
        assert_eq!((away.since, away.reason.as_str()), (begun, "timed out"));
        account.delivered(1);
        assert_eq!(account.troubles(), Troubles::default());
        assert!(account.last_success().is_some());
    }

    #[test]
    fn what_is_lost_to_one_thing_goes_on_when_another_is_over() {
        let account = Account::default();
        account.loses(Outcome::QueueFull, 2, "full");
        account.loses(Outcome::SpoolFull, 3, "full");
        account.keeps(Outcome::QueueFull);
        let losing = account.troubles().losing;
        assert_eq!(losing.len(), 1);
        assert_eq!(losing[0].0, Outcome::SpoolFull);
        assert_eq!(account.lines(Outcome::QueueFull), 2);
    }
}
