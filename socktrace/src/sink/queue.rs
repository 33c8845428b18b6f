//! One sink on a thread of its own, behind a bounded queue.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::batch::{Batch, Class, Tally, lines_within};
use super::seldom::Seldom;
use super::{Account, Board, Outcome, Report, Sink, SinkError, WhenFull};

/// Bytes that may wait for a sink: some 4000 findings.
const CAPACITY: usize = 4 * 1024 * 1024;

/// So much is made room for at once, since each time all that waits is moved.
const ROOM: usize = CAPACITY / 16;

/// Buffers that grew beyond this during a burst are given back after it.
const KEEP: usize = 256 * 1024;

/// How long the last lines may take from a spool: less than whoever ends the queue waits for.
const SETTLE: Duration = Duration::from_secs(3);

const TOO_SLOW: &str = "its queue in memory is full";
const CLOSED: &str = "nobody reads it any more";

/// The end of a sink's queue that is written to.
#[derive(Debug)]
pub(super) struct Queue {
    name: String,
    shared: Arc<Shared>,
    board: Option<Arc<Board>>,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Lines that wait.
    pending: Batch,
    /// Lines being written now.
    writing: u64,
    /// The destination is to be opened anew before the next line.
    reopen: bool,
    /// No more will come.
    ending: bool,
    /// How the thread has ended, if it has.
    over: Option<Over>,
    /// Lines dropped since the queue became full.
    dropping: Option<Tally>,
    /// Lines lost since writing began to fail, and whether that was told.
    failing: Option<(u64, bool)>,
    /// Of failures.
    seldom: Seldom,
    lost: u64,
    news: Vec<Report>,
}

/// How a sink's thread has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// Everything is written.
    Written,
    /// Nobody reads any more.
    Closed,
}

impl Queue {
    /// Starts the thread of `sink`.
    pub(super) fn start(sink: Box<dyn Sink>) -> io::Result<Self> {
        let name = sink.name().to_owned();
        let board = sink.board();
        let account = match &board {
            Some(board) => Arc::clone(board.account()),
            None => Arc::default(),
        };
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let own = Arc::clone(&account);
        let thread = thread::Builder::new()
            .name("sink".to_owned())
            .stack_size(sink.stack());
        thread.spawn(move || drain(sink, &of_thread, &own))?;
        Ok(Self {
            name,
            shared,
            board,
            account,
        })
    }

    /// Puts `batch` into the queue.
    pub(super) fn push(&self, batch: &Batch, when_full: WhenFull) {
        let full = |state: &State| {
            !state.pending.is_empty() && state.pending.len() + batch.len() > CAPACITY
        };
        let mut state = self.shared.lock();
        if when_full == WhenFull::Wait {
            state = self
                .shared
                .wait_while(state, |state| full(state) && state.over.is_none());
        }
        if state.over.is_some() {
            let lines = batch.tally().total();
            state.lost += lines;
            self.account.loses(Outcome::Closed, lines, CLOSED);
            return;
        }
        let room = full(&state).then_some(CAPACITY);
        if room.is_none() && state.pending.len() <= CAPACITY / 2 {
            // The sink keeps up again. Earlier is too early: a line now and then would find room all the time.
            if state.dropping.is_some() {
                self.account.keeps(Outcome::QueueFull);
            }
            state.end_dropping(&self.name);
        }
        let mut dropped = Tally::default();
        for (class, run) in batch.runs() {
            dropped += state.take(class, run, room);
        }
        if dropped != Tally::default() {
            state.note_dropped(&self.name, dropped);
            self.account.drops(Outcome::QueueFull, dropped, TOO_SLOW);
        }
        self.account.set_queued(state.pending.len());
        self.shared.changed.notify_all();
    }

    /// Has the destination opened anew, when the lines written so far are out.
    pub(super) fn reopen(&self) {
        self.shared.lock().reopen = true;
        self.shared.changed.notify_all();
    }

    /// What has happened since the last call.
    pub(super) fn news(&self) -> Vec<Report> {
        let mut news = self
            .board
            .as_ref()
            .map(|board| board.news())
            .unwrap_or_default();
        news.append(&mut self.shared.lock().news);
        news
    }

    /// Nobody reads any more.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.lock().over == Some(Over::Closed)
    }

    /// Lines that were lost since the start, whatever the reason.
    pub(super) fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    /// What became of its lines.
    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// What messages call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Tells the thread that no more will come.
    pub(super) fn end(&self) {
        self.shared.lock().ending = true;
        self.shared.changed.notify_all();
        if let Some(board) = &self.board {
            board.end();
        }
    }

    /// Has a sink that is stuck give up.
    pub(super) fn abandon(&self) {
        if let Some(board) = &self.board {
            board.abandon();
        }
    }

    /// Waits until everything is written; false if that takes longer than `patience`.
    pub(super) fn wait_done(&self, patience: Duration) -> bool {
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, patience, |s| s.over.is_none());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.end_dropping(&self.name);
        let lines = state.pending.tally().total() + state.writing;
        if state.over.is_none() && lines > 0 {
            state.lost += lines;
            state.news.push(Report::Unfinished {
                name: self.name.clone(),
                lines,
            });
        }
        state.over.is_some()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// A thread that panicked holding the lock has left a state that is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        condition: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_while(state, |state| condition(state));
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes as many of `lines` as there is room for: bytes that may wait in all, `None` being any number.
    /// What had to go for that, or found no room.
    fn take(&mut self, class: Class, lines: &[u8], room: Option<usize>) -> Tally {
        let Some(room) = room else {
            self.pending.push(class, lines);
            return Tally::default();
        };
        let wanted = self.pending.len().saturating_add(lines.len());
        let mut dropped = if wanted > room {
            self.pending.make_room(class, (wanted - room).max(ROOM))
        } else {
            Tally::default()
        };
        let fit = lines_within(lines, room.saturating_sub(self.pending.len()));
        let (taken, rest) = lines.split_at_checked(fit).unwrap_or((lines, &[]));
        self.pending.push(class, taken);
        dropped.add(class, rest);
        dropped
    }

    fn note_dropped(&mut self, name: &str, dropped: Tally) {
        self.lost += dropped.total();
        if self.dropping.is_none() {
            self.news.push(Report::Full {
                name: name.to_owned(),
            });
        }
        *self.dropping.get_or_insert_default() += dropped;
    }

    /// Tells what was dropped, if anything was.
    fn end_dropping(&mut self, name: &str) {
        if let Some(dropped) = self.dropping.take() {
            self.news.push(Report::Dropped {
                name: name.to_owned(),
                dropped,
            });
        }
    }

    /// Notes how a write of `self.writing` lines ended. True: go on.
    fn written(&mut self, name: &str, result: Result<(), SinkError>) -> bool {
        let all = mem::take(&mut self.writing);
        match result {
            Ok(()) => {
                if let Some((lines, true)) = self.failing.take() {
                    self.news.push(Report::Recovered {
                        name: name.to_owned(),
                        lines,
                    });
                }
                true
            }
            Err(error) if error.is_closed() => {
                self.lost += all + self.pending.tally().total();
                self.pending = Batch::default();
                self.over = Some(Over::Closed);
                self.news.push(Report::Failed(error));
                false
            }
            Err(error) => {
                let lines = if let SinkError::Write { lines, .. } = &error {
                    *lines
                } else {
                    all
                };
                self.lost += lines;
                let (lost, is_told) = self.failing.get_or_insert((0, false));
                *lost += lines;
                if !*is_told && self.seldom.tells() {
                    *is_told = true;
                    self.news.push(Report::Failed(error));
                }
                true
            }
        }
    }
}

/// Enters how a write ended for a sink that keeps no account of its own.
fn enter(account: &Account, state: &State, result: &Result<(), SinkError>) {
    let all = state.writing;
    match result {
        Ok(()) => account.delivered(all),
        Err(error @ SinkError::Write { lines, .. }) => {
            // Nothing is lost where a file could not be put aside.
            let taken = all.saturating_sub(*lines);
            if taken > 0 {
                account.delivered(taken);
            }
            if *lines > 0 {
                account.loses(Outcome::Failed, *lines, &error.to_string());
            }
        }
        Err(_) => account.loses(Outcome::Closed, all + state.pending.tally().total(), CLOSED),
    }
}

/// The thread: writes what waits, all of it at once, until there is no more to come.
fn drain(mut sink: Box<dyn Sink>, shared: &Shared, account: &Account) {
    let name = sink.name().to_owned();
    let keeps_account = sink.board().is_some();
    let mut batch = Batch::default();
    let mut state = shared.lock();
    loop {
        state = shared.wait_while(state, |state| {
            state.pending.is_empty() && !state.reopen && !state.ending
        });
        if mem::take(&mut state.reopen) {
            drop(state);
            let reopened = sink.reopen();
            state = shared.lock();
            state.news.extend(reopened.err().map(Report::Failed));
            continue;
        }
        if state.pending.is_empty() {
            break;
        }
        // While a burst lasts, memory given back would have to be asked for again.
        batch.shrink(KEEP);
        batch.clear();
        mem::swap(&mut batch, &mut state.pending);
        state.writing = batch.tally().total();
        account.set_queued(0);
        drop(state);
        shared.changed.notify_all();
        let result = sink.take(&batch);
        state = shared.lock();
        if !keeps_account {
            enter(account, &state, &result);
        }
        if !state.written(&name, result) {
            break;
        }
    }
    if state.over.is_none() {
        drop(state);
        sink.settle(SETTLE);
        state = shared.lock();
    }
    state.over.get_or_insert(Over::Written);
    drop(state);
    shared.changed.notify_all();
}
