//! Shapes of lines, and what hostile names can do to them.

mod hostile;
mod identity;
mod samples;
mod snapshots;
