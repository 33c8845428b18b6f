//! What all findings of one process and kind come to.

use std::net::SocketAddr;
use std::time::Duration;

use super::{BootTime, Comm, Kind, Process, Tgid};

/// An exhaustion further away than this is no forecast.
const HORIZON: Duration = Duration::from_hours(10 * 365 * 24);

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentPhase {
    /// It is new.
    Open,
    /// Its counts or its growth changed.
    Update,
    /// None of its findings is open any more.
    Resolved,
}

impl IncidentPhase {
    /// Name in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Resolved => "resolved",
        }
    }
}

/// The process that an incident is put down to, as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// The process.
    pub tgid: Tgid,
    /// When it started.
    pub started: BootTime,
    /// Name of its leader.
    pub comm: Comm,
}

/// How fast the number of open findings changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Thousandths of a finding a minute; negative where more are resolved than opened.
    pub milli_per_minute: i64,
    /// The time that the samples span.
    pub window: Duration,
    /// How many samples of the open count it rests on.
    pub samples: u32,
}

/// A remote end and how many open findings have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The address; port 0 stands for any, where the remote end is the one that connected.
    pub addr: SocketAddr,
    /// Open findings.
    pub open: u32,
}

/// An incident at one moment, before names are added to it.
///
/// `opened_total - resolved_total` is always `open`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Where it stands.
    pub phase: IncidentPhase,
    /// When this was so.
    pub at: BootTime,
    /// The kind of all its findings.
    pub kind: Kind,
    /// The blamed process; `None` for findings that nobody is blamed for.
    pub culprit: Option<Culprit>,
    /// 0, or how many incidents of this process and kind were resolved before.
    pub episode: u32,
    /// Findings open now.
    pub open: u64,
    /// Findings that have come to it: opened, or moved here with another blame or kind.
    pub opened_total: u64,
    /// Findings that are in it no more: resolved, or moved elsewhere.
    pub resolved_total: u64,
    /// Single lines of its findings that were held back.
    pub suppressed: u64,
    /// The earliest time at which one of its findings became a suspect.
    pub first: BootTime,
    /// The latest.
    pub last: BootTime,
    /// When its last finding was over.
    pub ended: Option<BootTime>,
    /// `None` until there are enough samples to tell.
    pub growth: Option<Growth>,
    /// Of `half_closed`: the remote ends with the most open findings, those first.
    pub remotes: Vec<Remote>,
    /// Lines held back by all incidents since the agent began.
    pub held_back: u64,
}

/// What becomes of a finding's line, and what the line says of its incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Number of the incident, see [`Incident::episode`].
    pub episode: u32,
    /// Lines held back by all incidents before this line, since the agent began.
    pub held_back: u64,
}

/// How many descriptors a process has and may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Its soft `RLIMIT_NOFILE`.
    pub limit: Option<u64>,
    /// Those that are open.
    pub open: Option<u64>,
}

/// An [`Incident`] with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedIncident {
    /// The incident.
    pub incident: Incident,
    /// The blamed process, as far as it could be read.
    pub process: Option<Process>,
    /// Its descriptors, as far as they could be read.
    pub descriptors: Descriptors,
}

impl NamedIncident {
    /// When the process will have used up its descriptors if the incident goes on growing as it does.
    ///
    /// `None` where it does not grow, where the kind takes no descriptor (`unaccepted`), where limit or
    /// use are not known, or where it is more than ten years away.
    #[must_use]
    pub fn exhausted_at(&self) -> Option<BootTime> {
        const MILLI_MINUTE_NS: u128 = 60_000_000_000 * 1000;
        let incident = &self.incident;
        if incident.kind == Kind::Unaccepted || incident.phase == IncidentPhase::Resolved {
            return None;
        }
        let growth = u128::try_from(incident.growth?.milli_per_minute).ok()?;
        let left = self
            .descriptors
            .limit?
            .saturating_sub(self.descriptors.open?);
        let ns = (u128::from(left) * MILLI_MINUTE_NS).checked_div(growth)?;
        let wait = Duration::from_nanos(u64::try_from(ns).ok()?);
        (wait <= HORIZON).then(|| incident.at.after(wait))
    }
}
