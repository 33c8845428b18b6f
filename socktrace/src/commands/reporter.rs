//! Findings on their way out: named, filtered, encoded and written on a thread of its own, so that
//! neither a slow /proc nor a slow destination stops whoever reads the kernel.

use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::live;
use super::outputs::Outputs;
use crate::cli::FindingGate;
use crate::clock::{self, Clock as _};
use crate::enrich::Enricher;
use crate::model::{Leak, Status};

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
}

/// The thread's handle.
pub(super) struct Reporter {
    /// Closed when nobody reads any destination any more.
    pub(super) queue: Sender<Message>,
    thread: JoinHandle<()>,
}

impl Reporter {
    /// Starts the thread.
    pub(super) fn start(outputs: Outputs, gate: FindingGate) -> std::io::Result<Self> {
        let (queue, messages) = channel(QUEUE);
        let thread = thread::Builder::new()
            .name("reporter".to_owned())
            .spawn(move || report(messages, outputs, gate))?;
        Ok(Self { queue, thread })
    }

    /// Lets it write what waits, and waits for that.
    pub(super) fn finish(self) {
        drop(self.queue);
        // A panic there has been told on standard error already.
        let _ = self.thread.join();
    }
}

fn report(mut messages: Receiver<Message>, mut outputs: Outputs, mut gate: FindingGate) {
    let mut enricher = Enricher::new(live::procfs(), PROCESSES);
    while let Some(message) = messages.blocking_recv() {
        tell(message, &mut outputs, &mut gate, &mut enricher);
        while outputs.waiting() < BATCH {
            let Ok(message) = messages.try_recv() else {
                break;
            };
            tell(message, &mut outputs, &mut gate, &mut enricher);
        }
        outputs.write();
        if outputs.all_closed() {
            return;
        }
    }
    outputs.finish();
}

fn tell(message: Message, outputs: &mut Outputs, gate: &mut FindingGate, enricher: &mut Enricher) {
    match message {
        Message::Leak(leak) => {
            let finding = enricher.finding(*leak);
            if gate.admits(&finding) {
                outputs.encode(|encoder, out| encoder.encode_finding(&finding, out));
            }
        }
        Message::Status(status) => {
            outputs.encode(|encoder, out| encoder.encode_status(&status, out));
        }
        Message::Reopen => outputs.reopen(),
        Message::Look => outputs.set_wall_minus_boot_ns(clock::System.wall_minus_boot_ns()),
    }
}
