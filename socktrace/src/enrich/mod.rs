//! Names for numbers: facts about processes and the host.
//!
//! * [`ProcFs`]: where /proc is and how its files are read.
//! * [`Processes`]: facts about processes, cached by pid and start time.
//! * [`Namespaces`]: names of network namespaces; `place`: containers, pods and units, from cgroups.
//! * [`Enricher`]: adds those facts to what leaves the core.
//! * [`host_facts`]: the machine's own names.
//!
//! Facts may be partial or absent: a process that has ended or may not be looked at stops nothing. Reading
//! `cmdline` takes the target's memory lock, which a process in trouble can hold for long, so none of this
//! may run on the thread that drains the ring.

mod cache;
mod enricher;
mod host;
mod namespaces;
mod own;
mod parse;
mod place;
mod processes;
mod procfs;
mod sockstat;

#[cfg(test)]
mod fake;

pub use enricher::Enricher;
pub use host::{MACHINE_ID, host_facts};
pub use namespaces::Namespaces;
pub use own::Resources;
pub use processes::{Processes, leader};
pub use procfs::{ProcFs, counts_as, in_initial_pid_namespace};
pub use sockstat::sockstat;
