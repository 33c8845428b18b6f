//! Whether the agent does what it is there for, in short.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{BootTime, GapPlace};

/// Whether leaks are found and reach somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// For how long whoever reads the kernel has not been seen at work, if that is too long.
    pub stalled: Option<Duration>,
    /// Purposes that no hook serves.
    pub missing: Vec<&'static str>,
    /// Losses so far, by place.
    pub lost: BTreeMap<GapPlace, u64>,
    /// Every sink.
    pub sinks: Vec<SinkState>,
}

/// How a sink is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkState {
    /// What it is called in metrics.
    pub name: String,
    /// Since when the counterpart takes no lines, and why.
    pub away: Option<(BootTime, String)>,
    /// What lines are being lost to, since when and why.
    pub losing: Vec<Loss>,
    /// When the counterpart last refused lines for good, and why.
    pub rejected: Option<(BootTime, String)>,
    /// Lines so far, by what became of them.
    pub lines: Vec<(&'static str, u64)>,
    /// Bytes that wait in memory.
    pub queued: u64,
    /// Bytes that wait on disk, and how many may; `None` without a spool.
    pub spooled: Option<(u64, u64)>,
    /// When lines were delivered last.
    pub last_success: Option<BootTime>,
}

/// See [`SinkState::losing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// To what.
    pub to: &'static str,
    /// Nobody reads any more, and nobody will: it is no failure to be mended.
    pub is_end: bool,
    /// Since when.
    pub since: BootTime,
    /// Why.
    pub reason: String,
}

/// The whole in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// All is well.
    Yes,
    /// Something is wrong, and nothing is lost yet.
    Degraded,
    /// The kernel is not read, nothing reaches anybody, or lines are being lost.
    No,
}

impl Ready {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "ready",
            Self::Degraded => "degraded",
            Self::No => "not_ready",
        }
    }
}

impl Readiness {
    /// The whole in a word.
    #[must_use]
    pub fn ready(&self) -> Ready {
        let well = self.sinks.iter().filter(|sink| sink.is_well()).count();
        let loses = |sink: &SinkState| sink.losing.iter().any(|loss| !loss.is_end);
        let reaches_nobody = well == 0 && !self.sinks.is_empty();
        if self.stalled.is_some() || reaches_nobody || self.sinks.iter().any(loses) {
            Ready::No
        } else if well < self.sinks.len() {
            Ready::Degraded
        } else {
            Ready::Yes
        }
    }
}

impl SinkState {
    /// Whether it takes lines.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.away.is_none() && self.losing.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(away: bool, losing: Option<bool>) -> SinkState {
        let loss = |is_end| Loss {
            to: "queue_full",
            is_end,
            since: BootTime(1),
            reason: "full".to_owned(),
        };
        SinkState {
            away: away.then(|| (BootTime(1), "refused".to_owned())),
            losing: losing.into_iter().map(loss).collect(),
            ..SinkState::default()
        }
    }

    #[track_caller]
    fn check(sinks: &[SinkState], expected: Ready) {
        let readiness = Readiness {
            sinks: sinks.to_vec(),
            ..Readiness::default()
        };
        assert_eq!(readiness.ready(), expected);
    }

    #[test]
    fn one_sink_that_is_away_is_bearable_and_all_are_not() {
        let (well, away) = (sink(false, None), sink(true, None));
        check(&[], Ready::Yes);
        check(&[well.clone(), well.clone()], Ready::Yes);
        check(&[well, away.clone()], Ready::Degraded);
        check(&[away.clone(), away], Ready::No);
    }

    #[test]
    fn losing_lines_is_not_bearable_unless_nobody_wants_them() {
        let well = sink(false, None);
        check(&[well.clone(), sink(false, Some(false))], Ready::No);
        check(&[well, sink(false, Some(true))], Ready::Degraded);
    }

    #[test]
    fn who_does_not_read_the_kernel_is_not_ready() {
        let stalled = Readiness {
            stalled: Some(Duration::from_mins(1)),
            ..Readiness::default()
        };
        assert_eq!(stalled.ready(), Ready::No);
    }
}
