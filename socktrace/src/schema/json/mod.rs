//! One JSON object a line, field names of the Elastic Common Schema 9.4, the rest under `socktrace`.
//!
//! * [`line`]: the parts every line has, and how values are written.
//! * [`process`]: processes, threads and holders.
//! * [`finding`], [`incident`], [`lifecycle`], [`status`], [`scan`], `past`: one kind of line each.
//! * `writer`, `strings`: from values to bytes.

mod finding;
mod incident;
mod lifecycle;
mod line;
#[cfg(feature = "history")]
mod past;
mod process;
mod scan;
mod status;
mod strings;
mod writer;

pub(super) use finding::{details as finding_details, finding};
pub(super) use incident::{details as incident_details, incident};
pub(super) use lifecycle::{details as lifecycle_details, lifecycle};
#[cfg(feature = "history")]
pub(super) use past::{past, past_group, past_minute, past_summary};
pub(super) use process::LastProcess;
pub(super) use scan::{details as scanned_details, group, group_details, scan_summary, scanned};
pub(super) use status::{details as status_details, hook, hook_details, status};
