//! `trace`: every event of every connection's life, as it happens.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{MissedTickBehavior, interval};

use super::intake::Intake;
use super::live::{self, Signals, Told};
use super::outputs::Outputs;
use super::recorder::Recorder;
use super::{Failure, table_size};
use crate::cli::{Exit, Filter, Output, TraceSettings};
use crate::clock::{self, Clock as _};
use crate::decode::gap_record;
use crate::enrich::Processes;
use crate::model::{HookReport, Status, StatusReason};
use crate::service::Manager;
use crate::sink::{Class, Target, WhenFull};
use crate::source::batch::Batch as Records;
use crate::source::faults::Faults;
use crate::source::kernel::loader::Mode;
use crate::source::kernel::losses::{Counted, Losses};
use crate::source::kernel::ring::Ring;
use crate::source::recording::Header;
use crate::tracker::Timeline;

/// The programs wake us for a batch; what is less than that is fetched this often.
const FETCH: Duration = Duration::from_millis(50);
/// How many fetches go by between two counts of losses.
const FETCHES_A_LOOK: u32 = 20;
/// How many batches may wait to be written. When that many do, the ring buffer fills, and what it
/// then cannot hold is counted in the kernel.
const BATCHES: usize = 16;
/// How many batches' memory is kept for the next ones: one is being filled, one waits and one is being written as
/// a rule, each a megabyte at most.
const SPARE: usize = 3;

/// Runs until stopped.
pub(super) fn execute(settings: TraceSettings) -> Result<Exit, Failure> {
    let host = live::host();
    let mut kernel = live::load(Mode::Trace, Duration::ZERO, &settings.kernel)?;
    let mut hooks = live::reports(Some(&kernel));
    hooks.push(live::Confining::begin(&mut kernel, &settings.kernel)?.complete()?);
    let outputs = Outputs::open(&settings.outputs, &host, when_full(&settings.outputs))?;
    let hz = clock::hz();
    let header = Header {
        host,
        leak_after: Duration::ZERO,
        hz,
    };
    let recorder = Recorder::open(settings.kernel.record.as_deref(), &header)?;
    let printer = Printer {
        intake: Intake::new(hz, recorder, Faults::new(settings.kernel.rehearsal.faults)),
        timeline: Timeline::new(table_size(settings.kernel.max_sockets)),
        filter: settings.filter,
        processes: Processes::new(live::procfs(), 4096),
        outputs,
    };
    let (batches, empty, thread) = printer.start(hooks).context("cannot start a thread")?;
    let runtime = live::runtime()?;
    let mut ring = kernel.ring;
    runtime
        .block_on(fetch(&mut ring, &kernel.losses, &batches, empty))
        .context("cannot read events")?;
    drop(batches);
    // A panic there has been told on standard error already.
    let _ = thread.join();
    Ok(Exit::Fine)
}

/// A single file or pipe is waited for; the ring buffer counts what it then cannot hold. Of several
/// destinations none may hold up the others, and a collector that is away must not end the watching.
fn when_full(outputs: &[Output]) -> WhenFull {
    let mut targets = outputs.iter().flat_map(|output| &output.targets);
    match (targets.next(), targets.next()) {
        (Some(Target::Stdout | Target::File(_)), None) => WhenFull::Wait,
        _ => WhenFull::Drop,
    }
}

/// What the fetching side hands to the printing side.
enum Batch {
    Records(Records),
    Counted(Counted),
    /// Files may have been moved away.
    Reopen,
}

/// Takes what is in the ring and hands it on, in batches whose memory comes back by `empty`.
async fn fetch(
    ring: &mut Ring,
    losses: &Losses,
    batches: &Sender<Batch>,
    mut empty: Receiver<Records>,
) -> io::Result<()> {
    let mut signals = Signals::new()?;
    let mut tick = interval(FETCH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fetches: u32 = 0;
    let manager = Manager::of_environment();
    let mut beat = interval(manager.beats_every());
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    manager.ready();
    let mut batch = Records::new();
    loop {
        let stopping = tokio::select! {
            biased;
            told = signals.next() => {
                if told == Told::Reopen {
                    // An error means that nobody reads the output any more, which is seen below.
                    let _ = batches.send(Batch::Reopen).await;
                }
                told == Told::Stop
            }
            _ = beat.tick() => { manager.beat(); false }
            () = batches.closed() => return Ok(()),
            read = ring.read(&mut batch) => { read?; false }
            _ = tick.tick() => { fetches = fetches.wrapping_add(1); false }
        };
        ring.take(&mut batch);
        if !batch.is_empty() {
            let full = std::mem::replace(&mut batch, empty.try_recv().unwrap_or_default());
            // An error means that nobody reads the output any more.
            if batches.send(Batch::Records(full)).await.is_err() {
                return Ok(());
            }
        }
        if stopping || fetches >= FETCHES_A_LOOK {
            fetches = 0;
            if let Ok(counted) = losses.read() {
                let _ = batches.send(Batch::Counted(counted)).await;
            }
        }
        if stopping {
            manager.stopping();
            return Ok(());
        }
    }
}

/// Decodes, encodes and writes, on a thread of its own.
struct Printer {
    intake: Intake,
    timeline: Timeline,
    filter: Filter,
    processes: Processes,
    outputs: Outputs,
}

impl Printer {
    /// Starts the thread. It takes batches, and gives back the memory of those with records.
    fn start(
        mut self,
        hooks: Vec<HookReport>,
    ) -> io::Result<(Sender<Batch>, Receiver<Records>, JoinHandle<()>)> {
        let (batches, waiting) = channel(BATCHES);
        let (done, empty) = channel(SPARE);
        let thread = thread::Builder::new()
            .name("printer".to_owned())
            .spawn(move || {
                self.tell_status(StatusReason::Started, hooks);
                self.outputs.write();
                self.print(waiting, &done);
                self.tell_status(StatusReason::Stopped, Vec::new());
                self.intake.recorder.flush();
                self.outputs.finish();
            })?;
        Ok((batches, empty, thread))
    }

    fn print(&mut self, mut waiting: Receiver<Batch>, done: &Sender<Records>) {
        while let Some(batch) = waiting.blocking_recv() {
            match batch {
                Batch::Records(mut records) => {
                    self.records(&records);
                    records.clear();
                    // With enough of them in reserve it is given back to the system.
                    let _ = done.try_send(records);
                }
                Batch::Counted(counted) => self.look(&counted),
                Batch::Reopen => self.outputs.reopen(),
            }
            self.outputs.write();
            if self.outputs.all_closed() {
                return;
            }
        }
    }

    fn records(&mut self, records: &Records) {
        let Self {
            intake,
            timeline,
            filter,
            processes,
            outputs,
        } = self;
        for record in records.records() {
            intake.take(record, |record| {
                let Some(event) = timeline.observe(record) else {
                    return;
                };
                let cgroup = match event.owner {
                    Some(owner) if filter.needs_cgroup() => processes.cgroup(owner.tgid),
                    _ => None,
                };
                if filter.matches_lifecycle(&event, cgroup.as_deref()) {
                    outputs.encode(Class::StateChange, |encoder, out| {
                        encoder.encode_lifecycle(&event, out);
                    });
                }
            });
        }
    }

    fn look(&mut self, counted: &Counted) {
        self.intake.gaps.counters(&counted.cpus);
        self.intake.gaps.missed(counted.missed);
        let gaps = self.intake.gaps.settle();
        for gap in &gaps {
            let record = gap_record(clock::System.boot(), *gap);
            self.intake.recorder.record(&record);
        }
        if !gaps.is_empty() {
            self.tell_status(StatusReason::Gap, Vec::new());
        }
        self.outputs
            .set_wall_minus_boot_ns(clock::System.wall_minus_boot_ns());
        self.intake.recorder.flush();
    }

    fn tell_status(&mut self, reason: StatusReason, hooks: Vec<HookReport>) {
        let status = Status {
            at: clock::System.boot(),
            reason,
            hooks,
            lost: self.intake.gaps.told().clone(),
            tracked: self.timeline.len() as u64,
            open: 0,
            untracked: 0,
            unproven: 0,
            held_back: 0,
            without_incident: 0,
        };
        self.outputs.encode(Class::Update, |encoder, out| {
            encoder.encode_status(&status, out);
        });
    }
}

#[cfg(test)]
mod tests;
