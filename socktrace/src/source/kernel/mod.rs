//! The live source: eBPF programs in this machine's kernel. The only place that names aya.
//!
//! * [`loader`]: tries the ladder of [`ladder`] and attaches.
//! * [`ring`]: the stream of records; `records`: the memory they are in.
//! * [`iterators`]: walks over suspects and readings of the truth.
//! * [`losses`]: the programs' counters; [`tables`]: how full their tables are.
//! * [`offsets`]: where the kernel keeps what the programs read.
//! * `object`: the embedded object; `reports`: what `doctor` says of what has no ladder; `netns`: other network namespaces; `sys`: what aya does not do; [`privilege`], `cgroup`:
//!   what is there, `pids`: in which pid namespace we are, before anything is tried; `steady`: what is needed afterwards.

mod cgroup;
pub mod iterators;
pub mod ladder;
pub mod loader;
pub mod losses;
mod netns;
mod object;
pub mod offsets;
mod pids;
pub mod privilege;
mod records;
mod reports;
pub mod ring;
mod steady;
mod survey;
mod sys;
pub mod tables;

pub use object::Sizes;
