//! OpenTelemetry log records, in OTLP's JSON encoding: one `ExportLogsServiceRequest` a line, as the
//! collector's file receiver reads them.
//!
//! Attributes have the names of the semantic conventions 1.44 where there is one; the rest begins with
//! `socktrace.`.
//!
//! * [`record`]: a log record and its attributes.
//! * [`encode`]: its JSON.
//! * [`events`]: what each event says.
//! * `request`: many lines as one request in protobuf (`proto`).

mod encode;
mod events;
#[cfg(feature = "http")]
mod proto;
mod record;
#[cfg(feature = "http")]
mod request;

pub(super) use events::{finding, group, hook, incident, lifecycle, scanned, status};
#[cfg(feature = "http")]
pub use request::{Packed, Rejected, pack, rejected};
