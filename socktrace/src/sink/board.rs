//! What a sink's thread tells while it is at work, and what it is told.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Account, Report};

/// Between a sink that may be busy for long and whoever asks after it.
#[derive(Debug, Default)]
pub struct Board {
    state: Mutex<State>,
    changed: Condvar,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct State {
    news: Vec<Report>,
    ending: bool,
    abandoned: bool,
}

/// News are for people: if nobody collects them, the newest are not worth keeping either.
const MOST: usize = 64;

impl Board {
    /// What became of the sink's lines.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Tells something.
    pub fn post(&self, report: Report) {
        let mut state = self.lock();
        if state.news.len() < MOST {
            state.news.push(report);
        }
    }

    /// What was told since the last call.
    #[must_use]
    pub fn news(&self) -> Vec<Report> {
        mem::take(&mut self.lock().news)
    }

    /// No more lines will come: what waits is to be tried now rather than later.
    pub fn end(&self) {
        self.lock().ending = true;
        self.changed.notify_all();
    }

    /// What waits is not to be tried any more: the sink is not wanted any longer.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.ending = true;
        state.abandoned = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Whether that was said.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Waits for `time`, or less if it is the end; true if it is.
    pub fn wait(&self, time: Duration) -> bool {
        let state = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(state, time, |state| !state.ending);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.ending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
