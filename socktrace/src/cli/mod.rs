//! The command line, in two steps: flags as typed (`args`), then validated settings ([`Settings`]).
//!
//! * [`parse`]: from the arguments to settings, or to a one-line message and an exit status.
//! * [`Filter`] and [`FindingGate`]: which sockets the user wants to hear of.
//! * [`Exit`]: what the exit status means.

mod args;
mod environment;
mod error;
mod exit;
mod filter;
mod gate;
mod netns;
mod settings;
mod values;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::Parser;

pub use args::GroupBy;
pub use environment::Environment;
pub use error::{CliError, UsageError};
pub use exit::Exit;
pub use filter::Filter;
pub use gate::FindingGate;
pub use settings::{
    DoctorSettings, KernelSettings, Output, Rehearsal, ReplaySettings, RunSettings, ScanSettings,
    SchemaSettings, Settings, TraceSettings,
};

/// Settings from the program's arguments, its own name first.
///
/// # Errors
///
/// [`CliError`]: also where help or the version was asked for.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment<'_>,
) -> Result<Settings, CliError> {
    let args = args::Args::try_parse_from(arguments)?;
    Ok(Settings::new(args, environment)?)
}
