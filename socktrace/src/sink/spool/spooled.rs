//! A sink that writes to a spool, with a thread that delivers from it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::super::courier::{Courier, Transport};
use super::super::{Batch, Board, Class, Outcome, Report, Sink, SinkError, Tally};
use super::{Given, Spool};

/// How long a spool that cannot be read is left alone.
const PAUSE: Duration = Duration::from_secs(1);
const FULL: &str = "its spool is full";

/// A sink over a spool.
pub(in super::super) struct Spooled {
    name: String,
    shared: Arc<Shared>,
    board: Arc<Board>,
    /// Lines dropped since the spool became full.
    dropping: Option<Tally>,
}

struct Shared {
    spool: Mutex<Spool>,
    /// A batch was appended.
    appended: Condvar,
}

impl Shared {
    /// A thread that panicked holding the lock has left a spool whose cursor may lag behind, no worse.
    fn lock(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spooled {
    /// Opens the spool in `folder` and starts to deliver what is in it through `transport`.
    pub(in super::super) fn start(
        transport: impl Transport + 'static,
        folder: &Path,
        most: u64,
    ) -> io::Result<Self> {
        let (spool, given) = Spool::open(folder, most)?;
        let waiting = spool.waiting();
        let shared = Arc::new(Shared {
            spool: Mutex::new(spool),
            appended: Condvar::new(),
        });
        let name = transport.name().to_owned();
        let courier = Courier::new(transport);
        let board = courier.own_board();
        tell(&board, &name, given);
        board.account().set_spooled(waiting, most);
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("courier".to_owned())
            .stack_size(courier.stack());
        thread.spawn(move || deliver(courier, &of_thread))?;
        Ok(Self {
            name,
            shared,
            board,
            dropping: None,
        })
    }
}

impl Spooled {
    /// What had to make room in the spool: told when it begins, and when there is room again.
    fn note_dropped(&mut self, dropped: Tally, has_room: bool) {
        let account = self.board.account();
        if dropped != Tally::default() {
            account.drops(Outcome::SpoolFull, dropped, FULL);
            let all = self.dropping.get_or_insert_with(|| {
                self.board.post(Report::SpoolFull {
                    name: self.name.clone(),
                });
                Tally::default()
            });
            *all += dropped;
        }
        if has_room && let Some(dropped) = self.dropping.take() {
            account.keeps(Outcome::SpoolFull);
            self.board.post(Report::SpoolDropped {
                name: self.name.clone(),
                dropped,
            });
        }
    }
}

impl Sink for Spooled {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, batch: &[u8]) -> Result<(), SinkError> {
        self.take(&Batch::of(Class::Finding, batch))
    }

    fn take(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut spool = self.shared.lock();
        let appended = spool.append(batch);
        let account = Arc::clone(self.board.account());
        account.set_spooled(spool.waiting(), spool.size());
        // Earlier is too early: a segment's room is soon used up again. And it may be the disk that is full.
        let is_whole = appended.failed.is_none() && appended.dropped == Tally::default();
        let has_room = is_whole && spool.waiting() <= spool.size() / 2;
        drop(spool);
        self.shared.appended.notify_all();
        self.note_dropped(appended.dropped, has_room);
        let Some((reason, lines)) = appended.failed else {
            account.keeps(Outcome::Failed);
            return Ok(());
        };
        let name = format!("the spool of {}", self.name);
        account.loses(Outcome::Failed, lines, &format!("{name}: {reason}"));
        Err(SinkError::Write {
            name,
            reason,
            lines,
        })
    }

    fn board(&self) -> Option<Arc<Board>> {
        Some(Arc::clone(&self.board))
    }

    /// Waits until everything was delivered or the time is up. What is left stays for the next run.
    fn settle(&mut self, patience: Duration) {
        let spool = self.shared.lock();
        let waits = |spool: &mut Spool| !spool.is_empty();
        let waited = self
            .shared
            .appended
            .wait_timeout_while(spool, patience, waits);
        let (mut spool, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let (waiting, dropped) = (spool.waiting(), spool.dropped_in_flight());
        drop(spool);
        self.note_dropped(dropped, true);
        if waiting > 0 {
            self.board.post(Report::Kept {
                name: self.name.clone(),
                bytes: waiting,
            });
        }
    }
}

impl Drop for Spooled {
    /// What was not delivered stays in the folder, which somebody else may use from now on.
    fn drop(&mut self) {
        self.board.abandon();
        // The thread looks at the board with the lock held: it waits, and is woken, or will see it.
        drop(self.shared.lock());
        self.shared.appended.notify_all();
    }
}

/// The thread: delivers what waits, as much at once as the counterpart takes, until it is told that the sink is
/// gone.
fn deliver(mut courier: Courier<impl Transport>, shared: &Shared) {
    let board = courier.own_board();
    let name = courier.name().to_owned();
    let most = courier.most_bytes();
    // Whether the last attempt to use the spool has failed, which is told once.
    let mut is_failing = false;
    let mut note = |used: io::Result<()>| {
        if let Err(reason) = used {
            if !is_failing {
                board.post(failed(&name, reason));
            }
            is_failing = true;
        } else {
            is_failing = false;
        }
    };
    let mut spool = shared.lock();
    while !board.is_abandoned() {
        let batch = match spool.next(most) {
            Ok((batch, damaged)) => {
                tell(&board, &name, Given { damaged });
                batch
            }
            Err(reason) => {
                note(Err(reason));
                let waited = shared.appended.wait_timeout(spool, PAUSE);
                (spool, _) = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
        };
        let Some(batch) = batch else {
            board.account().set_spooled(spool.waiting(), spool.size());
            shared.appended.notify_all();
            let waited = shared.appended.wait(spool);
            spool = waited.unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        drop(spool);
        let delivered = courier.write(&batch);
        if let Err(error) = delivered {
            if board.is_abandoned() {
                return;
            }
            board.post(Report::Failed(error));
        }
        spool = shared.lock();
        note(spool.taken());
        board.account().set_spooled(spool.waiting(), spool.size());
        shared.appended.notify_all();
    }
}

fn failed(name: &str, reason: io::Error) -> Report {
    Report::Failed(SinkError::Write {
        name: format!("the spool of {name}"),
        reason,
        lines: 0,
    })
}

fn tell(board: &Board, name: &str, given: Given) {
    if given.damaged > 0 {
        board.post(Report::Damaged {
            name: name.to_owned(),
            bytes: given.damaged,
        });
    }
}
