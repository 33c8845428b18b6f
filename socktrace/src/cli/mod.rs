//! The command line, in two steps: flags as typed (`args`), then validated settings ([`Settings`]).
//!
//! * [`parse`]: from the arguments to settings, or to a one-line message and an exit status.
//! * `config`: files and variables below the flags.
//! * [`Filter`] and [`FindingGate`]: which sockets the user wants to hear of.
//! * [`Exit`]: what the exit status means.

mod args;
mod config;
mod environment;
mod error;
mod exit;
mod filter;
mod gate;
mod history;
mod metrics;
mod netns;
mod settings;
mod values;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser as _};

use args::Command;
use config::Layers;

pub use args::{GroupBy, HistoryBy};
pub use environment::Environment;
pub use error::{CliError, UsageError};
pub use exit::Exit;
pub use filter::Filter;
pub use gate::FindingGate;
pub use history::{AnswerFormat, HistorySettings, Keep};
pub use settings::{
    CheckConfigSettings, DoctorSettings, KernelSettings, Output, Rehearsal, ReplaySettings,
    RunSettings, ScanSettings, SchemaSettings, Settings, TraceSettings,
};
pub use values::Moment;

/// All flags and their explanations, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    args::Args::command()
}

/// Settings from the program's arguments, its own name first, and from the configuration below them.
///
/// # Errors
///
/// [`CliError`]: also where help or the version was asked for.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment<'_>,
) -> Result<Settings, CliError> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let matches = args::Args::command().try_get_matches_from(&arguments)?;
    let args = args::Args::from_arg_matches(&matches)?;
    let (config, implied) = match &args.command {
        Command::Run(args) => (&args.config, true),
        Command::CheckConfig(args) => (&args.config, true),
        Command::Trace(args) => (&args.config, false),
        Command::Scan(args) => (&args.config, false),
        _ => return Ok(Settings::new(args, environment)?),
    };
    let layers = Layers::read(config, implied, environment);
    if let Some(error) = layers.errors() {
        return Err(error);
    }
    if let Command::CheckConfig(_) = args.command {
        // What the layers mean together.
        let run = put_together(&["socktrace", "run"], layers.flags("run", |_| false), &[]);
        with_layers(run, None, environment)?;
        let report = config::effective(&layers);
        return Ok(Settings::CheckConfig(CheckConfigSettings { report }));
    }
    if layers.is_empty() {
        return Ok(Settings::new(args, environment)?);
    }
    let Some((command, given)) = matches.subcommand() else {
        return Ok(Settings::new(args, environment)?);
    };
    let is_given = |id: &str| given.value_source(id) == Some(ValueSource::CommandLine);
    let (program, rest) = arguments.split_at_checked(2).unwrap_or((&arguments, &[]));
    let all = put_together(program, layers.flags(command, is_given), rest);
    with_layers(all, Some(args), environment)
}

/// The words of a command line that is put together.
fn put_together<T: Clone + Into<OsString>>(
    program: &[T],
    flags: Vec<OsString>,
    rest: &[OsString],
) -> Vec<OsString> {
    let program = program.iter().cloned().map(Into::into);
    program.chain(flags).chain(rest.iter().cloned()).collect()
}

/// Settings from a command line that the configuration is a part of. What is wrong with it is the
/// configuration's fault, unless it is wrong `without` it.
fn with_layers(
    all: Vec<OsString>,
    without: Option<args::Args>,
    environment: &Environment<'_>,
) -> Result<Settings, CliError> {
    let settings = args::Args::try_parse_from(all)
        .map_err(CliError::from)
        .and_then(|args| Ok(Settings::new(args, environment)?));
    settings.or_else(|error| {
        if let Some(args) = without {
            Settings::new(args, environment)?;
        }
        Err(CliError::Config(vec![format!(
            "the configuration and the flags do not go together: {error}"
        )]))
    })
}
