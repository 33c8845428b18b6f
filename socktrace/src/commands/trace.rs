//! `trace`: every event of every connection's life, as it happens.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use bytes::BytesMut;
use socktrace_common::counters::Counters;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{MissedTickBehavior, interval};

use super::Failure;
use super::live::{self, Stop};
use super::outputs::Outputs;
use super::recorder::Recorder;
use crate::cli::{Exit, Filter, TraceSettings};
use crate::clock::{self, Clock as _};
use crate::decode::{DecodeContext, decode, frame};
use crate::enrich::Processes;
use crate::model::{HookReport, Lifecycle, Status, StatusReason};
use crate::sink::WhenFull;
use crate::source::gaps::Gaps;
use crate::source::kernel::loader::Mode;
use crate::source::kernel::losses::Losses;
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

/// Runs until stopped.
pub(super) fn execute(settings: TraceSettings) -> Result<Exit, Failure> {
    let host = live::host();
    let outputs = Outputs::open(&settings.outputs, &host, WhenFull::Wait)
        .map_err(|error| Failure::from(anyhow::Error::from(error)))?;
    let kernel = live::load(Mode::Trace, Duration::ZERO, &settings.kernel)?;
    let hz = kernel.iterators.hz();
    let header = Header {
        host,
        leak_after: Duration::ZERO,
        hz,
    };
    let recorder = Recorder::open(settings.kernel.record.as_deref(), &header)?;
    let mut hooks = kernel.hooks.clone();
    hooks.extend(live::surroundings());
    let printer = Printer {
        context: DecodeContext { hz },
        timeline: Timeline::new(usize::try_from(settings.kernel.max_sockets).unwrap_or(usize::MAX)),
        gaps: Gaps::new(),
        filter: settings.filter,
        processes: Processes::new(live::procfs(), 4096),
        recorder,
        outputs,
    };
    let (batches, thread) = printer.start(hooks).context("cannot start a thread")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let mut ring = kernel.ring;
    runtime
        .block_on(fetch(&mut ring, &kernel.losses, &batches))
        .context("cannot read events")?;
    drop(batches);
    // A panic there has been told on standard error already.
    let _ = thread.join();
    Ok(Exit::Fine)
}

/// What the fetching side hands to the printing side.
enum Batch {
    Records(BytesMut),
    Counters(Vec<Counters>),
}

async fn fetch(ring: &mut Ring, losses: &Losses, batches: &Sender<Batch>) -> io::Result<()> {
    let mut stop = Stop::new()?;
    let mut tick = interval(FETCH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fetches: u32 = 0;
    loop {
        let mut batch = BytesMut::new();
        let stopping = tokio::select! {
            biased;
            () = stop.asked() => true,
            () = batches.closed() => return Ok(()),
            read = ring.read(&mut batch) => { read?; false }
            _ = tick.tick() => { fetches = fetches.wrapping_add(1); false }
        };
        ring.take(&mut batch);
        // An error means that nobody reads the output any more.
        if !batch.is_empty() && batches.send(Batch::Records(batch)).await.is_err() {
            return Ok(());
        }
        if stopping || fetches >= FETCHES_A_LOOK {
            fetches = 0;
            if let Ok(counters) = losses.read() {
                let _ = batches.send(Batch::Counters(counters)).await;
            }
        }
        if stopping {
            return Ok(());
        }
    }
}

/// Decodes, encodes and writes, on a thread of its own.
struct Printer {
    context: DecodeContext,
    timeline: Timeline,
    gaps: Gaps,
    filter: Filter,
    processes: Processes,
    recorder: Recorder,
    outputs: Outputs,
}

impl Printer {
    fn start(mut self, hooks: Vec<HookReport>) -> io::Result<(Sender<Batch>, JoinHandle<()>)> {
        let (batches, waiting) = channel(BATCHES);
        let thread = thread::Builder::new()
            .name("printer".to_owned())
            .spawn(move || {
                self.tell_status(StatusReason::Started, hooks);
                self.outputs.write();
                self.print(waiting);
                self.tell_status(StatusReason::Stopped, Vec::new());
                self.recorder.flush();
                self.outputs.finish();
            })?;
        Ok((batches, thread))
    }

    fn print(&mut self, mut waiting: Receiver<Batch>) {
        while let Some(batch) = waiting.blocking_recv() {
            match batch {
                Batch::Records(records) => self.records(&records),
                Batch::Counters(counters) => self.look(&counters),
            }
            self.outputs.write();
            if self.outputs.all_closed() {
                return;
            }
        }
    }

    fn records(&mut self, mut records: &[u8]) {
        while !records.is_empty() {
            let Ok(len) = frame(records) else {
                self.gaps.undecodable();
                return;
            };
            let (record, rest) = records.split_at_checked(len).unwrap_or((records, &[]));
            records = rest;
            self.gaps.arrived(record);
            self.recorder.record(record);
            let Ok(record) = decode(record, self.context) else {
                self.gaps.undecodable();
                continue;
            };
            if let Some(event) = self.timeline.observe(&record) {
                self.tell(&event);
            }
        }
    }

    fn tell(&mut self, event: &Lifecycle) {
        let cgroup = match event.owner {
            Some(owner) if self.filter.needs_cgroup() => self.processes.cgroup(owner.tgid),
            _ => None,
        };
        if self.filter.matches_lifecycle(event, cgroup.as_deref()) {
            self.outputs
                .encode(|encoder, out| encoder.encode_lifecycle(event, out));
        }
    }

    fn look(&mut self, counters: &[Counters]) {
        self.gaps.counters(counters);
        if !self.gaps.settle().is_empty() {
            self.tell_status(StatusReason::Gap, Vec::new());
        }
        self.outputs
            .set_wall_minus_boot_ns(clock::System.wall_minus_boot_ns());
        self.recorder.flush();
    }

    fn tell_status(&mut self, reason: StatusReason, hooks: Vec<HookReport>) {
        let status = Status {
            at: clock::System.boot(),
            reason,
            hooks,
            lost: self.gaps.told().clone(),
            tracked: self.timeline.len() as u64,
            open: 0,
        };
        self.outputs
            .encode(|encoder, out| encoder.encode_status(&status, out));
    }
}
