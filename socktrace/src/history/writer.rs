//! The thread that writes, and its queue: whoever has a finding to keep is never held up.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::{HistoryError, in_words, is_damage, name};
use super::room::Limits;
use super::store::Store;
use crate::clock::{self, Clock as _};
use crate::model::{Past, WallMicros};

/// How many findings may wait: some megabytes.
const QUEUE: usize = 8192;
/// How many are written at once.
const BATCH: usize = 4096;
/// How long a finding waits for others to be written with.
const GATHER: Duration = Duration::from_secs(1);
/// How often counts are taken and the old is forgotten.
const COUNT_EVERY: WallMicros = 60_000_000;
/// How often at most it is told that writing fails.
const TELL_EVERY: WallMicros = 60_000_000;

/// Whether time goes by while findings come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// They are live: what does not fit the queue is dropped and counted. What was open when the last agent
    /// ended and is not found again in so long has ended unseen.
    Live(Duration),
    /// They are played back: the queue is waited for, and their time is the present.
    PlayedBack,
}

/// Takes findings to keep.
#[derive(Debug)]
pub struct Writer {
    queue: SyncSender<Past>,
    thread: JoinHandle<()>,
    dropped: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    pace: Pace,
}

impl Writer {
    /// Opens or makes the database at `path` and starts the thread. `tell` gets lines for the operator.
    ///
    /// # Errors
    ///
    /// If there can be no history there; the line says why.
    pub fn start(
        path: &Path,
        limits: Limits,
        boot: &str,
        pace: Pace,
        tell: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, HistoryError> {
        let (store, aside) = Store::open(path, limits, boot)?;
        if let Some(aside) = aside {
            tell(&put_aside(path, &aside));
        }
        let (queue, findings) = sync_channel(QUEUE);
        let (dropped, lost) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let keeper = Keeper {
            store: Some(store),
            path: path.to_owned(),
            limits,
            boot: boot.to_owned(),
            pace,
            tell,
            dropped: Arc::clone(&dropped),
            lost: Arc::clone(&lost),
            unwritten: 0,
            failing: false,
            told: None,
            newest: 0,
            counted: 0,
            unseen_until: None,
        };
        let thread = thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || keeper.work(&findings))
            .map_err(|reason: io::Error| HistoryError::open(path, reason))?;
        Ok(Self {
            queue,
            thread,
            dropped,
            lost,
            pace,
        })
    }

    /// How many changes could not be kept so far.
    #[must_use]
    pub fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }

    /// Keeps a finding; whoever is live is not held up.
    pub fn keep(&self, past: Past) {
        match self.pace {
            // With the thread gone there is nothing to be done about it, and it has said why.
            Pace::PlayedBack => drop(self.queue.send(past)),
            Pace::Live(_) => {
                if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
                    self.queue.try_send(past)
                {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Lets it write what waits, and waits for that.
    pub fn finish(self) {
        drop(self.queue);
        // A panic there has been told on standard error already.
        let _ = self.thread.join();
    }
}

/// The thread's state.
struct Keeper<T> {
    /// `None` after it was damaged and could not be made anew.
    store: Option<Store>,
    path: PathBuf,
    limits: Limits,
    boot: String,
    pace: Pace,
    tell: T,
    dropped: Arc<AtomicU64>,
    /// All changes that could not be kept.
    lost: Arc<AtomicU64>,
    /// Changes that could not be written and are not yet in the database's own account.
    unwritten: u64,
    failing: bool,
    told: Option<WallMicros>,
    /// The latest time of any finding.
    newest: WallMicros,
    /// When counts were taken.
    counted: WallMicros,
    /// When what has not been found again has ended.
    unseen_until: Option<WallMicros>,
}

impl<T: Fn(&str)> Keeper<T> {
    fn work(mut self, findings: &Receiver<Past>) {
        if let Pace::Live(patience) = self.pace {
            let patience = WallMicros::try_from(patience.as_micros()).unwrap_or(WallMicros::MAX);
            self.unseen_until = Some(self.now().saturating_add(patience));
        }
        let mut batch = Vec::new();
        loop {
            let alive = gather(findings, &mut batch, self.pace);
            if let Some(newest) = batch.iter().map(|past| past.updated).max() {
                self.newest = self.newest.max(newest);
            }
            let now = self.now();
            self.write(&batch, now);
            batch.clear();
            self.look(now, !alive);
            if !alive {
                return;
            }
        }
    }

    fn now(&self) -> WallMicros {
        match self.pace {
            Pace::PlayedBack => self.newest,
            Pace::Live(_) => {
                let wall = clock::System.wall();
                let since = wall.duration_since(std::time::UNIX_EPOCH);
                since.map_or(0, |since| {
                    WallMicros::try_from(since.as_micros()).unwrap_or(WallMicros::MAX)
                })
            }
        }
    }

    /// So many changes are not kept.
    fn lose(&mut self, changes: u64) {
        self.unwritten += changes;
        self.lost.fetch_add(changes, Ordering::Relaxed);
    }

    fn write(&mut self, batch: &[Past], now: WallMicros) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        self.lose(dropped);
        let Some(store) = &mut self.store else {
            self.lose(batch.len() as u64);
            return;
        };
        let written = store.write(batch, now);
        let mut result = written.map_err(|(error, left)| {
            self.lose(left as u64);
            error
        });
        let Some(store) = &mut self.store else {
            return;
        };
        if result.is_ok() && self.unwritten > 0 {
            result = store.lose(self.unwritten);
            if result.is_ok() {
                let lost = std::mem::take(&mut self.unwritten);
                self.failing = false;
                self.told = Some(now);
                (self.tell)(&format!(
                    "history {}: is written again; {lost} changes were lost",
                    name(&self.path)
                ));
            }
        }
        if let Err(error) = result {
            self.failed(&error, now);
        }
    }

    /// Once a minute: counts, and what is too old. At the end: counts.
    fn look(&mut self, now: WallMicros, is_end: bool) {
        let Some(store) = &mut self.store else {
            return;
        };
        let mut result = Ok(());
        if self.unseen_until.is_some_and(|until| now >= until) {
            self.unseen_until = None;
            result = store.end_unseen().map(drop);
        }
        if is_end || now.saturating_sub(self.counted) >= COUNT_EVERY {
            self.counted = now;
            result = result.and_then(|()| store.count(now));
        }
        if let Err(error) = result {
            self.failed(&error, now);
        }
    }

    /// Tells of a failure, and begins anew where the database is damaged.
    fn failed(&mut self, error: &rusqlite::Error, now: WallMicros) {
        if is_damage(error) {
            // Before it is opened again the old one has to be closed: it holds the lock.
            self.store = None;
            match Store::open(&self.path, self.limits, &self.boot) {
                Ok((store, aside)) => {
                    self.store = Some(store);
                    if let Some(aside) = aside {
                        (self.tell)(&put_aside(&self.path, &aside));
                        return;
                    }
                }
                Err(error) => {
                    (self.tell)(&format!("{error}; findings are kept no more"));
                    return;
                }
            }
        }
        let due = self
            .told
            .is_none_or(|told| now.saturating_sub(told) >= TELL_EVERY);
        if !self.failing || due {
            self.failing = true;
            self.told = Some(now);
            (self.tell)(&format!(
                "history {}: cannot write: {}; {} changes are lost so far",
                name(&self.path),
                in_words(error),
                self.unwritten
            ));
        }
    }
}

fn put_aside(path: &Path, aside: &Path) -> String {
    format!(
        "history {}: was damaged and is now {}; a new one is begun",
        name(path),
        name(aside)
    )
}

/// Waits for findings, and then for more to come. False if no more will.
fn gather(findings: &Receiver<Past>, batch: &mut Vec<Past>, pace: Pace) -> bool {
    match findings.recv_timeout(GATHER) {
        Ok(past) => batch.push(past),
        Err(RecvTimeoutError::Timeout) => return true,
        Err(RecvTimeoutError::Disconnected) => return false,
    }
    // A little later there are more of them, and one transaction does for all.
    let wait = if pace == Pace::PlayedBack {
        Duration::ZERO
    } else {
        GATHER / 4
    };
    let begin = clock::System.boot();
    while batch.len() < BATCH {
        let left = wait.saturating_sub(clock::System.boot().since(begin));
        match findings.recv_timeout(left) {
            Ok(past) => batch.push(past),
            Err(_) => break,
        }
    }
    true
}
