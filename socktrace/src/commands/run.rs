//! `run`: the agent. Watches until stopped and reports findings.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use socktrace_common::counters::Counters;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::intake::Intake;
use super::live::{self, Signals, Told};
use super::outputs::Outputs;
use super::pace::Pace;
use super::recorder::Recorder;
use super::reload::Reloader;
use super::reporter::{Message, Reporter};
use super::{Failure, incidents_config, metrics, tracker_config};
use crate::cli::{Exit, FindingGate, RunSettings};
use crate::clock::{self, Clock as _};
use crate::decode::{gap_record, mark_record};
use crate::memory;
use crate::metrics::{Counted, Vitals};
use crate::model::{BootTime, Gap, GapPlace, HookReport, Mark, Question, Status, StatusReason};
use crate::service::Manager;
use crate::sink::WhenFull;
use crate::source::batch::Batch;
use crate::source::faults::Faults;
use crate::source::kernel::iterators::Iterators;
use crate::source::kernel::loader::Mode;
use crate::source::kernel::losses::Losses;
use crate::source::kernel::ring::Ring;
use crate::source::recording::Header;
use crate::tracker::{Action, Tracker};

/// How often losses are counted and destinations looked after.
const LOOK: Duration = Duration::from_secs(1);
/// For how many looks the number of unproven suspects has to differ before a status says so: a socket that
/// is sent to another process is on its way for a moment only.
const UNPROVEN_LOOKS: u32 = 10;
/// How long to wait before trying again when the reporter's queue was full.
const RETRY: Duration = Duration::from_millis(20);

/// Runs until stopped.
pub(super) fn execute(settings: &RunSettings) -> Result<Exit, Failure> {
    memory::settle();
    let host = live::host();
    let listener = metrics::listen(settings.metrics)?;
    let mut kernel = live::load(Mode::Run, settings.leak_after, &settings.kernel)?;
    let hz = clock::hz();
    let mut hooks = live::reports(Some(&kernel));
    // Threads have the privileges of the one that starts them: this is the order in which they may start.
    let confining = live::Confining::begin(&mut kernel, &settings.kernel)?;
    let (jobs, answers) = Asker::start(kernel.iterators).context("cannot start a thread")?;
    hooks.push(confining.complete()?);
    let outputs = Outputs::open(&settings.outputs, &host, WhenFull::Drop)?;
    #[cfg(feature = "history")]
    let keeper = super::keep::Keeper::live(settings.keep.as_ref(), &host, settings.leak_after);
    let header = Header {
        host,
        leak_after: settings.leak_after,
        hz,
    };
    let recorder = Recorder::open(settings.kernel.record.as_deref(), &header)?;
    let gate = FindingGate::new(settings.filter.clone());
    let reloader = Reloader::new(settings.clone());
    let incidents = incidents_config(settings.max_lines_per_process, settings.kernel.max_sockets);
    let accounts = outputs.accounts();
    let vitals = metrics::serve(listener, accounts, kernel.tables, &hooks)?;
    #[cfg(feature = "history")]
    if let (Some(vitals), Some(keeper)) = (&vitals, &keeper) {
        vitals.set_history(keeper.lost());
    }
    let reporter = Reporter::start(
        outputs,
        gate,
        incidents,
        vitals.clone(),
        #[cfg(feature = "history")]
        keeper,
        reloader,
    )
    .context("cannot start a thread")?;
    let runtime = live::runtime()?;
    let mut config = tracker_config(settings.leak_after, settings.kernel.max_sockets);
    if let Some(every) = settings.kernel.rehearsal.sweep_every {
        config.reproof_every = every;
    }
    let mut agent = Agent {
        leak_after: settings.leak_after,
        tracker: Tracker::new(config),
        intake: Intake::new(hz, recorder, Faults::new(settings.kernel.rehearsal.faults)),
        losses: &kernel.losses,
        reporter: &reporter,
        vitals,
        manager: Manager::of_environment(),
        jobs,
        overflow_told: 0,
        unproven_told: 0,
        unproven_looks: 0,
        pace: Pace::default(),
    };
    let mut ring = kernel.ring;
    runtime
        .block_on(agent.watch(&mut ring, answers, hooks))
        .context("cannot read events")?;
    agent.intake.recorder.flush();
    drop(agent);
    reporter.finish();
    Ok(Exit::Fine)
}

/// A question to the kernel that takes a while to answer.
enum Job {
    Walk { older_than: BootTime },
    Truth { asked: Vec<Question> },
}

/// What the kernel says, in pieces: of a hundred thousand sockets it is a good deal, and the ring is to be
/// read meanwhile.
enum Answer {
    /// Whole records.
    Records(Vec<u8>),
    /// How many network namespaces' accept queues could not be read that could be before.
    Unread(u64),
}

/// How many pieces may wait.
const PIECES: usize = 16;

/// Asks the kernel on a thread of its own: a walk or a reading must not hold up the ring.
struct Asker;

impl Asker {
    fn start(
        mut iterators: Iterators,
    ) -> io::Result<(std::sync::mpsc::Sender<Job>, Receiver<Answer>)> {
        let (jobs, waiting) = std::sync::mpsc::channel();
        let (answer, answers) = channel(PIECES);
        std::thread::Builder::new()
            .name("asker".to_owned())
            .spawn(move || {
                // An error means that nobody listens any more, and then there are no more jobs.
                let mut tell = |records: &[u8]| {
                    let _ = answer.blocking_send(Answer::Records(records.to_vec()));
                };
                while let Ok(job) = waiting.recv() {
                    match job {
                        Job::Walk { older_than } => iterators.walk(older_than, &mut tell),
                        Job::Truth { asked } => {
                            let unread = iterators.truth(&asked, &mut tell);
                            let new = unread.iter().filter(|unread| unread.new).count();
                            let _ = answer.blocking_send(Answer::Unread(new as u64));
                        }
                    }
                }
            })?;
        Ok((jobs, answers))
    }
}

struct Agent<'a> {
    leak_after: Duration,
    tracker: Tracker,
    intake: Intake,
    losses: &'a Losses,
    reporter: &'a Reporter,
    /// For metrics, if somebody may ask for them.
    vitals: Option<Arc<Vitals>>,
    manager: Manager,
    jobs: std::sync::mpsc::Sender<Job>,
    /// Findings without an incident that a status has told of.
    overflow_told: u64,
    /// Suspects that nobody was seen to hold, as a status has told.
    unproven_told: usize,
    /// For how many looks another number has been true.
    unproven_looks: u32,
    pace: Pace,
}

impl Agent<'_> {
    async fn watch(
        &mut self,
        ring: &mut Ring,
        mut answers: Receiver<Answer>,
        hooks: Vec<HookReport>,
    ) -> io::Result<()> {
        let mut signals = Signals::with_reload()?;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Whoever is to be told of this loop's life is told from within it.
        let mut beat = interval(self.manager.beats_every());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.tell_status(StatusReason::Started, hooks).await;
        self.manager.ready();
        self.tick();
        let mut batch = Batch::new();
        loop {
            let all_done = self.act();
            let now = clock::System.boot();
            self.pace.waits(now);
            let wait = if all_done {
                self.until_timeout(now)
            } else {
                RETRY
            };
            tokio::select! {
                biased;
                told = signals.next() => match told {
                    Told::Stop => break,
                    Told::Reopen => {
                        // An error means that nobody listens any more, which the loop notices.
                        let _ = self.reporter.queue.send(Message::Reopen).await;
                    }
                    Told::Reload => {
                        // The reporter reads files, and knows how that goes.
                        let status = self.status(StatusReason::Reloaded, Vec::new());
                        let _ = self.reporter.queue.send(Message::Reload(Box::new(status))).await;
                    }
                },
                _ = beat.tick() => self.manager.beat(),
                () = self.reporter.queue.closed() => return Ok(()),
                read = ring.read(&mut batch) => {
                    read?;
                    self.pace.works(clock::System.boot());
                    self.feed_batch(&batch);
                    batch.clear();
                }
                Some(answer) = answers.recv() => match answer {
                    Answer::Records(records) => {
                        self.pace.works(clock::System.boot());
                        // What the answer shows gone was told in the ring before it went (the programs send
                        // a release first and forget the socket then): that comes first, or nobody would
                        // know who closed it.
                        self.drain(ring, &mut batch);
                        self.feed(&records);
                    }
                    Answer::Unread(lost) => {
                        self.intake.gaps.lost(Gap { place: GapPlace::Queues, lost });
                    }
                },
                _ = look.tick() => {
                    self.pace.works(clock::System.boot());
                    self.look().await;
                }
                () = sleep(wait) => {
                    self.pace.works(clock::System.boot());
                    self.tick();
                }
            }
        }
        self.manager.stopping();
        // What happened before the stop is told; nothing is resolved because of it.
        self.drain(ring, &mut batch);
        while !self.act() {
            sleep(RETRY).await;
        }
        self.tell_status(StatusReason::Stopped, Vec::new()).await;
        Ok(())
    }

    /// Takes what is in the ring now, without waiting.
    fn drain(&mut self, ring: &mut Ring, batch: &mut Batch) {
        loop {
            let empty = ring.take(batch);
            self.feed_batch(batch);
            batch.clear();
            if empty {
                return;
            }
        }
    }

    fn feed(&mut self, records: &[u8]) {
        self.intake
            .take_all(records, |record| self.tracker.handle_event(record));
    }

    fn feed_batch(&mut self, batch: &Batch) {
        for record in batch.records() {
            self.intake
                .take(record, |record| self.tracker.handle_event(record));
        }
    }

    fn tick(&mut self) {
        self.feed(&mark_record(clock::System.boot(), Mark::Tick));
    }

    fn until_timeout(&self, now: BootTime) -> Duration {
        self.tracker.poll_timeout().map_or(LOOK, |at| at.since(now))
    }

    /// Does what the tracker wants done; false if the reporter had no room for all of it.
    fn act(&mut self) -> bool {
        loop {
            let Ok(room) = self.reporter.queue.try_reserve() else {
                // With nobody left to report to, there is nothing to wait for either.
                return self.reporter.queue.is_closed();
            };
            match self.tracker.poll_action() {
                None => return true,
                Some(Action::Report(leak)) => room.send(Message::Leak(Box::new(leak))),
                Some(Action::Walk) => {
                    let older_than = clock::System.boot().before(self.leak_after);
                    self.ask(Job::Walk { older_than });
                }
                Some(Action::Prove(asked)) => self.ask(Job::Truth { asked }),
                // Counted; told with the next status.
                Some(Action::Gap(gap)) => self.intake.gaps.lost(gap),
            }
        }
    }

    fn ask(&mut self, job: Job) {
        if self.jobs.send(job).is_err() {
            // The asking thread is gone. The tracker gives the job up in time and asks again; every
            // failure is one more loss that status tells of.
            self.intake.gaps.undecodable();
        }
    }

    /// Counts losses, turns new ones into records and a status line, and lets the reporter look
    /// after its destinations.
    async fn look(&mut self) {
        if let Ok(mut counted) = self.losses.read() {
            counted.cpus.push(Counters {
                ring_lost: self.intake.faults.dropped(),
                ..Counters::default()
            });
            self.intake.gaps.counters(&counted.cpus);
            self.intake.gaps.missed(counted.missed);
        }
        let gaps = self.intake.gaps.settle();
        for gap in &gaps {
            self.feed(&gap_record(clock::System.boot(), *gap));
        }
        let overflowed = self.reporter.overflowed();
        if !gaps.is_empty() || overflowed > self.overflow_told {
            self.overflow_told = overflowed;
            self.tell_status(StatusReason::Gap, Vec::new()).await;
        }
        let unproven = self.tracker.unproven();
        if unproven == self.unproven_told {
            self.unproven_looks = 0;
        } else {
            self.unproven_looks += 1;
            if self.unproven_looks >= UNPROVEN_LOOKS {
                self.tell_status(StatusReason::Unproven, Vec::new()).await;
            }
        }
        self.intake.recorder.flush();
        let (tracked, open) = (self.tracker.tracked(), self.tracker.open());
        self.manager
            .status(|| format!("watching: {open} leaks open, {tracked} sockets tracked"));
        if let Some(vitals) = &self.vitals {
            let counted = Counted {
                lost: self.intake.gaps.told().clone(),
                tracked: tracked as u64,
                untracked: self.tracker.untracked() as u64,
                unproven: unproven as u64,
                longest_pause: self.pace.longest(),
            };
            vitals.tick(clock::System.boot(), counted);
        }
        // If it has no room it is at work.
        let _ = self.reporter.queue.try_send(Message::Look);
    }

    async fn tell_status(&mut self, reason: StatusReason, hooks: Vec<HookReport>) {
        let status = self.status(reason, hooks);
        // An error means that nobody listens any more, which the loop notices.
        let _ = self
            .reporter
            .queue
            .send(Message::Status(Box::new(status)))
            .await;
    }

    fn status(&mut self, reason: StatusReason, hooks: Vec<HookReport>) -> Status {
        self.unproven_told = self.tracker.unproven();
        self.unproven_looks = 0;
        Status {
            at: clock::System.boot(),
            reason,
            hooks,
            lost: self.intake.gaps.told().clone(),
            tracked: self.tracker.tracked() as u64,
            open: self.tracker.open() as u64,
            untracked: self.tracker.untracked() as u64,
            unproven: self.unproven_told as u64,
            // The reporter knows.
            held_back: 0,
            without_incident: 0,
        }
    }
}
