//! What the agent tells of itself to whoever asks: metrics and health.
//!
//! * [`Vitals`]: what the agent's threads enter, and a server reads.
//! * [`Tally`]: leaks, counted by the names of processes.
//! * [`Machine`]: what is looked up when somebody asks: sockets by state, the kernel's tables, our own use.
//! * `exposition`, `sinks`, `families`, `classic`: the two text formats of Prometheus; `readiness`: the state in short; `server`:
//!   HTTP (feature `metrics`).

#[cfg(feature = "metrics")]
mod classic;
#[cfg(feature = "metrics")]
mod exposition;
#[cfg(feature = "metrics")]
mod families;
mod machine;
#[cfg(feature = "metrics")]
mod readiness;
#[cfg(feature = "metrics")]
mod server;
#[cfg(feature = "metrics")]
mod sinks;
mod states;
mod tally;
mod vitals;

#[cfg(all(test, feature = "metrics"))]
mod tests;

pub use machine::{Machine, Resources, Sight, TableUse};
#[cfg(feature = "metrics")]
pub use server::start;
pub use states::tcp_states;
pub use tally::{Counts, Durations, Leaks, OfName, Tally};
pub use vitals::{Counted, Vitals};
