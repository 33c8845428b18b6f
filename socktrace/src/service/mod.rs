//! What makes the agent a well-behaved service.
//!
//! * [`Manager`]: tells the service manager how it is, if there is one.
//! * [`confine`]: gives up, once everything is attached, what is not needed any more.
//! * `filter`: the system calls that are refused from then on.

pub mod confine;
mod filter;
mod notify;

pub use notify::Manager;
