//! Several sinks at once.

use std::sync::Arc;
use std::time::Duration;

use super::batch::{Batch, Tally};
use super::queue::Queue;
use super::{Account, Sink, SinkError, Target, open};

/// What to do when a sink is slower than what is written to it and its queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Wait: for commands that come to an end by themselves.
    Wait,
    /// Drop and count, state changes first and findings last: for the agent, whose reading of the kernel
    /// nobody may hold up.
    Drop,
}

/// Something that happened to a sink. The caller may print it, and limit how often.
#[derive(Debug, thiserror::Error)]
pub enum Report {
    /// It cannot be written to, for the first time or again after a success.
    #[error(transparent)]
    Failed(SinkError),
    /// The counterpart is away; lines wait for it as long as there is room.
    #[error("{name}: {reason}; trying again")]
    Away {
        /// Which sink.
        name: String,
        /// Why.
        reason: String,
    },
    /// At the end, lines are still in the spool; the next run delivers them.
    #[error("{name} did not take everything; {bytes} bytes wait in its spool for the next run")]
    Kept {
        /// Which sink.
        name: String,
        /// How many.
        bytes: u64,
    },
    /// A part of the spool could not be read.
    #[error("the spool of {name} is damaged: {bytes} bytes of it are lost")]
    Damaged {
        /// Which sink.
        name: String,
        /// How many.
        bytes: u64,
    },
    /// It is too slow: lines are being dropped.
    #[error("{name} is too slow; lines are being dropped")]
    Full {
        /// Which sink.
        name: String,
    },
    /// It keeps up again, or the end has come.
    #[error("{name} was too slow; dropped {dropped}")]
    Dropped {
        /// Which sink.
        name: String,
        /// Lines dropped meanwhile.
        dropped: Tally,
    },
    /// There is no room in the spool any more: lines are being dropped.
    #[error("the spool of {name} is full; lines are being dropped, findings last")]
    SpoolFull {
        /// Which sink.
        name: String,
    },
    /// There is room in the spool again, or the end has come.
    #[error("the spool of {name} was full; dropped {dropped}")]
    SpoolDropped {
        /// Which sink.
        name: String,
        /// Lines dropped meanwhile.
        dropped: Tally,
    },
    /// Lines get through again.
    #[error("{name} works again; lost {lines} lines")]
    Recovered {
        /// Which sink.
        name: String,
        /// Lines lost in between.
        lines: u64,
    },
    /// At the end, lines were still waiting for a sink that did not take them.
    #[error("{name} did not take the last {lines} lines in time")]
    Unfinished {
        /// Which sink.
        name: String,
        /// How many.
        lines: u64,
    },
}

impl Report {
    /// Nobody reads any more: a quiet end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_closed())
    }
}

/// Several sinks that get the same lines.
///
/// Each has a thread and a bounded queue, so that a slow or failing one delays none of the others.
#[derive(Debug)]
pub struct Sinks {
    queues: Vec<Queue>,
    /// Where each of them leads, if they were opened from targets.
    targets: Vec<Target>,
    when_full: WhenFull,
}

impl Sinks {
    /// Opens every target.
    ///
    /// # Errors
    ///
    /// [`SinkError::Open`] for the first that cannot be opened, or that gets no thread.
    pub fn open<'a>(
        targets: impl IntoIterator<Item = &'a Target>,
        when_full: WhenFull,
    ) -> Result<Self, SinkError> {
        let targets: Vec<Target> = targets.into_iter().cloned().collect();
        let sinks: Result<Vec<_>, _> = targets.iter().map(open).collect();
        let opened = Self::new(sinks?, when_full)?;
        Ok(Self { targets, ..opened })
    }

    /// Where they lead.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Takes over all sinks of `other`, which have been opened from targets.
    pub fn merge(&mut self, other: Self) {
        self.queues.extend(other.queues);
        self.targets.extend(other.targets);
    }

    /// The sinks that lead to `targets`, which are not among these any more. In the order of `targets`.
    #[must_use]
    pub fn split(&mut self, targets: &[Target]) -> Self {
        let mut split = Self {
            queues: Vec::new(),
            targets: Vec::new(),
            when_full: self.when_full,
        };
        for target in targets {
            if let Some(at) = self.targets.iter().position(|known| known == target) {
                split.targets.push(self.targets.remove(at));
                split.queues.push(self.queues.remove(at));
            }
        }
        split
    }

    /// As [`Self::finish`]; sinks that are stuck give up then.
    #[must_use]
    pub fn retire(mut self, patience: Duration) -> Vec<Report> {
        self.drain(patience);
        for queue in &self.queues {
            queue.abandon();
        }
        self.news()
    }

    /// Starts `sinks`.
    ///
    /// # Errors
    ///
    /// [`SinkError::Open`] for one that gets no thread.
    pub fn new(sinks: Vec<Box<dyn Sink>>, when_full: WhenFull) -> Result<Self, SinkError> {
        let start = |sink: Box<dyn Sink>| {
            let name = sink.name().to_owned();
            Queue::start(sink).map_err(|reason| SinkError::Open { name, reason })
        };
        let queues: Result<Vec<_>, _> = sinks.into_iter().map(start).collect();
        Ok(Self {
            queues: queues?,
            targets: Vec::new(),
            when_full,
        })
    }

    /// Hands `batch` to every sink. What became of it is told by [`Sinks::news`].
    pub fn write(&mut self, batch: &Batch) {
        if batch.is_empty() {
            return;
        }
        for queue in &self.queues {
            queue.push(batch, self.when_full);
        }
    }

    /// Has every destination opened anew that somebody may have moved away.
    pub fn reopen(&mut self) {
        for queue in &self.queues {
            queue.reopen();
        }
    }

    /// What has happened since the last call.
    #[must_use]
    pub fn news(&mut self) -> Vec<Report> {
        self.queues.iter().flat_map(Queue::news).collect()
    }

    /// Nobody reads any of them any more: time to end quietly.
    #[must_use]
    pub fn all_closed(&self) -> bool {
        !self.queues.is_empty() && self.queues.iter().all(Queue::is_closed)
    }

    /// Lines lost since the start, by sink.
    pub fn lost(&self) -> impl Iterator<Item = (&str, u64)> {
        self.queues.iter().map(|queue| (queue.name(), queue.lost()))
    }

    /// What became of the lines, by sink in the order in which they were opened.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.queues.iter().map(Queue::account)
    }

    /// Lets every sink write what waits, at most for about `patience`, and returns the last news.
    #[must_use]
    pub fn finish(mut self, patience: Duration) -> Vec<Report> {
        self.drain(patience);
        self.news()
    }

    fn drain(&mut self, patience: Duration) {
        for queue in &self.queues {
            queue.end();
        }
        // They drain side by side: once one has used up the time, so have the others.
        let mut left = patience;
        for queue in &self.queues {
            if !queue.wait_done(left) {
                left = Duration::ZERO;
            }
        }
    }
}
