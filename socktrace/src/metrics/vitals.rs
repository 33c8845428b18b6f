//! What the agent's threads enter, and a server reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::Leaks;
use crate::model::{BootTime, GapPlace, HookReport, Support};
use crate::sink::Account;

/// The agent's state, shared by its threads.
#[derive(Debug)]
pub struct Vitals {
    /// When the agent began to watch.
    pub started: BootTime,
    /// How well each purpose is served.
    pub hooks: Vec<(&'static str, Support)>,
    ticked: AtomicU64,
    counted: Mutex<Counted>,
    leaks: Mutex<Arc<Leaks>>,
    sinks: Mutex<Vec<(String, Arc<Account>)>>,
    history: OnceLock<Arc<AtomicU64>>,
}

/// What whoever reads the kernel has counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Losses, by place.
    pub lost: BTreeMap<GapPlace, u64>,
    /// Sockets that are tracked.
    pub tracked: u64,
    /// Possible leaks that there was no room to track.
    pub untracked: u64,
    /// Suspects that are old enough and that nobody was seen to hold.
    pub unproven: u64,
    /// The longest time for which the buffer between kernel and agent was not looked at.
    pub longest_pause: Duration,
}

impl Vitals {
    /// Of an agent that begins now, with these hooks.
    #[must_use]
    pub fn new(started: BootTime, hooks: &[HookReport]) -> Self {
        let hooks = hooks.iter().map(|hook| (hook.purpose, hook.support));
        Self {
            started,
            hooks: hooks.collect(),
            ticked: AtomicU64::new(started.0),
            counted: Mutex::default(),
            leaks: Mutex::default(),
            sinks: Mutex::default(),
            history: OnceLock::new(),
        }
    }

    /// There is a history, and this is where it counts what it could not keep. The first one counts.
    pub fn set_history(&self, lost: Arc<AtomicU64>) {
        let _ = self.history.set(lost);
    }

    /// How many changes of findings the history could not keep; `None` if there is none.
    #[must_use]
    pub fn history_lost(&self) -> Option<u64> {
        let lost = self.history.get()?;
        Some(lost.load(Ordering::Relaxed))
    }

    /// Whoever reads the kernel is at work, and has come to this.
    pub fn tick(&self, at: BootTime, counted: Counted) {
        self.ticked.store(at.0, Ordering::Relaxed);
        *lock(&self.counted) = counted;
    }

    /// Leaks have been counted anew.
    pub fn set_leaks(&self, leaks: Leaks) {
        *lock(&self.leaks) = Arc::new(leaks);
    }

    /// These are the sinks, each with what it is called.
    pub fn set_sinks(&self, sinks: Vec<(String, Arc<Account>)>) {
        *lock(&self.sinks) = sinks;
    }

    /// When whoever reads the kernel was last seen at work.
    #[must_use]
    pub fn ticked(&self) -> BootTime {
        BootTime(self.ticked.load(Ordering::Relaxed))
    }

    /// What whoever reads the kernel has counted.
    #[must_use]
    pub fn counted(&self) -> Counted {
        lock(&self.counted).clone()
    }

    /// Leaks, as they were counted last.
    #[must_use]
    pub fn leaks(&self) -> Arc<Leaks> {
        Arc::clone(&lock(&self.leaks))
    }

    /// The sinks, each with what it is called.
    #[must_use]
    pub fn sinks(&self) -> Vec<(String, Arc<Account>)> {
        lock(&self.sinks).clone()
    }
}

/// A thread that panicked holding a lock has left a state that is still whole.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
