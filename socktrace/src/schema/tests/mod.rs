//! Shapes of lines, and what hostile names can do to them.

mod feeds;
#[cfg(feature = "http")]
mod glance;
mod hostile;
mod identity;
#[cfg(feature = "history")]
mod past;
mod samples;
mod selection;
mod snapshots;
