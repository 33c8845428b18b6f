//! The Open Cybersecurity Schema Framework 1.8.0, one object a line.
//!
//! | what | class |
//! | --- | --- |
//! | findings, incidents, and what `scan` sees | Detection Finding (2004) |
//! | events of `trace` | Network Activity (4001) |
//! | status, `doctor`, `scan --by` | Base Event (0) |
//!
//! The classes allow no attributes of our own: what they have no place for is under `unmapped.socktrace`,
//! as the native format has it under `socktrace`.
//!
//! * [`event`]: the attributes every class has.
//! * [`objects`]: processes, endpoints and connections.
//! * [`finding`], [`incident`], [`activity`], [`base`]: what the lines say.

mod activity;
mod base;
mod event;
mod finding;
mod incident;
mod objects;

pub(super) use activity::lifecycle;
pub(super) use base::{group, hook, status};
pub(super) use finding::{finding, scanned};
pub(super) use incident::incident;
