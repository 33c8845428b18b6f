//! Serialised shapes: the only place that knows them.
//!
//! * [`Encoder`] turns what the core says into lines, one stream each.
//! * [`Envelope`]: what stands before lines that go to syslog.
//! * [`examples`]: what lines look like; [`JSON_SCHEMA`]: what those of the native format may be.
//! * [`Selection`]: which events a stream has.
//! * [`readiness`]: the body of `/readyz`.
//! * [`Glance`]: what a counterpart has to be told of a line besides the line.
//! * `past`: findings that are kept, and what is printed of them later.
//! * `bulk_items`, `hec_answer`: what counterparts answer in JSON.
//! * `pack`: lines of OTLP as one request in protobuf.
//! * [`escape`] makes untrusted bytes safe to print.

#[cfg(feature = "http")]
mod answers;
mod cef;
mod encoder;
mod envelope;
mod escape;
mod examples;
mod glance;
mod health;
mod ids;
mod incident;
mod json;
mod moments;
mod numbers;
mod ocsf;
mod otlp;
#[cfg(feature = "history")]
mod past;
mod readiness;
mod selection;
mod text;
mod values;
mod words;

#[cfg(test)]
mod tests;

#[cfg(feature = "http")]
pub use answers::{BulkItem, HecAnswer, bulk_items, hec_answer, quote};
pub use encoder::{Encoder, Format};
pub use envelope::{Envelope, Facility};
pub use escape::{escape, escape_into};
pub use examples::examples;
pub use glance::Glance;
#[cfg(feature = "http")]
pub use otlp::{Packed, Rejected, pack, rejected};
#[cfg(feature = "history")]
pub use past::{Chronicle, HistoryFormat, HistoryPrinter};
pub use selection::{Action, Selection, Severity};

/// The JSON Schema (draft 2020-12) of every line of [`Format::Json`].
pub const JSON_SCHEMA: &str = include_str!("lines.schema.json");
pub use readiness::readiness;
