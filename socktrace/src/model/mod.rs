//! The words of the program: plain values without I/O, clocks or serialised shapes.

mod event;
mod finding;
mod ids;
mod incident;
mod past;
mod place;
mod readiness;
mod report;
#[cfg(test)]
pub(crate) mod samples;
mod socket;
mod summary;

pub use event::{
    Accept, Connect, Event, Gap, GapPlace, Held, Listed, Mark, Owner, Question, Record, Release,
    StateChange, Suspect, Touch, TouchOp, Unheld,
};
pub use finding::{
    Blame, Cause, Diagnosis, Holder, Kind, Leak, OwnerVia, Phase, Queue, SocketUse, UseOp,
};
pub use ids::{BootTime, Comm, Cookie, DATED_EARLY, KernelAddr, Tgid, Tid};
pub use incident::{
    Culprit, Descriptors, Growth, Incident, IncidentPhase, Membership, NamedIncident, Remote,
};
pub use past::{
    ENDED_UNSEEN, MAX_HOLDERS, Past, PastEnd, PastGroup, PastLosses, PastMinute, PastProcess,
    PastSocket, WallMicros, Word,
};
pub use place::{Container, Place};
pub use readiness::{Loss, Readiness, Ready, SinkState};
pub use report::{
    Finding, HookReport, Host, Lifecycle, LifecycleEvent, Process, ScanGroup, Scanned, Status,
    StatusReason, Support, Thread,
};
pub use socket::{Family, Role, Seqs, Socket, Task, TcpState};
pub use summary::{Closed, ScanSummary, SocketCounts, TableUse};
