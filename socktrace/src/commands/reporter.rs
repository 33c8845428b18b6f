//! Findings on their way out: named, filtered, encoded and written on a thread of its own, so that
//! neither a slow /proc nor a slow destination stops whoever reads the kernel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::desk::Desk;
use super::live;
use super::outputs::Outputs;
use super::reload::Reloader;
use crate::cli::FindingGate;
use crate::clock::{self, Clock as _};
use crate::enrich::Enricher;
use crate::incident::{Incidents, IncidentsConfig};
use crate::memory;
use crate::metrics::{Tally, Vitals};
use crate::model::{Leak, Status, StatusReason};
use crate::service::Manager;

/// How many messages may wait. When that many do, the tracker keeps the rest.
const QUEUE: usize = 4096;
/// How many processes' facts are remembered.
const PROCESSES: usize = 4096;
/// Bytes after which a batch is written even if more messages wait.
const BATCH: usize = 256 * 1024;

/// What is told.
pub(super) enum Message {
    /// A finding has changed.
    Leak(Box<Leak>),
    /// The agent's own health.
    Status(Box<Status>),
    /// A second has gone by: look after the destinations.
    Look,
    /// Files may have been moved away.
    Reopen,
    /// The configuration may have changed; what to tell besides of the agent's health then.
    Reload(Box<Status>),
}

/// The thread's handle.
pub(super) struct Reporter {
    /// Closed when nobody reads any destination any more.
    pub(super) queue: Sender<Message>,
    thread: JoinHandle<()>,
    overflowed: Arc<AtomicU64>,
}

impl Reporter {
    /// Starts the thread.
    pub(super) fn start(
        outputs: Outputs,
        gate: FindingGate,
        config: IncidentsConfig,
        vitals: Option<Arc<Vitals>>,
        #[cfg(feature = "history")] keeper: Option<super::keep::Keeper>,
        mut reloader: Reloader,
    ) -> std::io::Result<Self> {
        let (queue, messages) = channel(QUEUE);
        let overflowed = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&overflowed);
        let thread = thread::Builder::new()
            .name("reporter".to_owned())
            .spawn(move || {
                let desk = Desk {
                    names: Enricher::new(live::procfs(), PROCESSES),
                    gate,
                    incidents: Incidents::new(config),
                    outputs,
                    tally: vitals.as_ref().map(|_| Tally::new()),
                    #[cfg(feature = "history")]
                    keeper,
                };
                report(messages, desk, &shared, &mut reloader, vitals.as_deref());
            })?;
        Ok(Self {
            queue,
            thread,
            overflowed,
        })
    }

    /// Findings so far that no incident had room for.
    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Lets it write what waits, and waits for that.
    pub(super) fn finish(self) {
        drop(self.queue);
        // A panic there has been told on standard error already.
        let _ = self.thread.join();
    }
}

fn report(
    mut messages: Receiver<Message>,
    mut desk: Desk<Enricher>,
    overflowed: &AtomicU64,
    reloader: &mut Reloader,
    vitals: Option<&Vitals>,
) {
    let mut burst = Burst::default();
    while let Some(message) = messages.blocking_recv() {
        burst.count(&message);
        tell(message, &mut desk, reloader, vitals);
        // Most messages may be held back and add nothing to what waits.
        for _ in 1..QUEUE {
            if desk.outputs.waiting() >= BATCH {
                break;
            }
            let Ok(message) = messages.try_recv() else {
                break;
            };
            burst.count(&message);
            tell(message, &mut desk, reloader, vitals);
        }
        overflowed.store(desk.incidents.overflowed(), Ordering::Relaxed);
        desk.outputs.write();
        if desk.outputs.all_closed() {
            break;
        }
    }
    // Nobody waits for more while the last lines are written.
    drop(messages);
    desk.outputs.finish();
    #[cfg(feature = "history")]
    if let Some(keeper) = desk.keeper {
        keeper.finish();
    }
}

/// Leaks told in quick succession. A second after the last of very many, what they took is given back.
#[derive(Default)]
struct Burst {
    /// Since memory was given back.
    leaks: usize,
    /// Since the last look.
    recent: usize,
}

impl Burst {
    fn count(&mut self, message: &Message) {
        match message {
            Message::Leak(_) => self.recent += 1,
            Message::Look => {
                if self.recent == 0 && self.leaks >= QUEUE {
                    memory::trim();
                    self.leaks = 0;
                }
                self.leaks += std::mem::take(&mut self.recent);
            }
            Message::Status(_) | Message::Reopen | Message::Reload(_) => {}
        }
    }
}

fn tell(
    message: Message,
    desk: &mut Desk<Enricher>,
    reloader: &mut Reloader,
    vitals: Option<&Vitals>,
) {
    match message {
        Message::Leak(leak) => desk.leak(*leak),
        Message::Status(status) => {
            if status.reason == StatusReason::Stopped {
                desk.end(clock::System.boot());
            }
            desk.status(*status);
        }
        Message::Reopen => desk.outputs.reopen(),
        Message::Reload(mut status) => {
            // The service manager is told here, where it happens: in this order, whatever becomes of it.
            let manager = Manager::of_environment();
            manager.reloading(clock::monotonic_ns());
            status.reason = reloader.reload(desk);
            manager.ready();
            if let Some(vitals) = vitals {
                vitals.set_sinks(desk.outputs.accounts());
            }
            desk.status(*status);
        }
        Message::Look => {
            let offset = clock::System.wall_minus_boot_ns();
            desk.outputs.set_wall_minus_boot_ns(offset);
            #[cfg(feature = "history")]
            if let Some(keeper) = &mut desk.keeper {
                keeper.set_wall_minus_boot_ns(offset);
            }
            desk.time(clock::System.boot());
            if let Some(vitals) = vitals {
                desk.publish(vitals);
            }
        }
    }
}
