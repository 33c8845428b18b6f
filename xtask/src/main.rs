//! The one door: `cargo xtask <command>`.
//!
//! One module a command. None of them is part of socktrace itself.

mod build;
mod clock;
mod licences;
mod run;
mod setup;
mod shell;
mod tidy;
mod toolchain;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Everything one does with socktrace's source")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the build needs, if it is missing
    Setup {
        /// Also what the tests need: qemu, busybox, a C compiler, …
        #[arg(long)]
        tests: bool,
    },
    /// Build socktrace, eBPF programs included
    Build {
        /// Without optimisation
        #[arg(long)]
        debug: bool,
    },
    /// Build and start `socktrace run`
    Run {
        /// Arguments of `socktrace run`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Check licences and sources of all dependencies
    Licences,
    /// Check what compilers do not: file lengths, who imports what, clocks, SAFETY comments
    Tidy,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup { tests: false } => setup::build(),
        Command::Setup { tests: true } => setup::tests(),
        Command::Build { debug } => build::command(debug),
        Command::Run { arguments } => run::command(&arguments),
        Command::Licences => licences::command(),
        Command::Tidy => tidy::command(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
