//! The tracker, driven by short scripts, by a simulated kernel, and by chance.

mod chance;
mod closing;
mod healing;
mod kernel;
mod limits;
mod opening;
mod ops;
mod progress;
mod properties;
mod queued;
mod records;
mod schedule;
mod script;
mod sweep;
mod timeline;
mod updates;
mod world;
