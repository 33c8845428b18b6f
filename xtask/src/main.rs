//! The one door: `cargo xtask <command>`.
//!
//! One module a command. None of them is part of socktrace itself.

mod bench;
mod build;
mod clock;
mod dist;
mod fuzz;
mod licences;
mod lint;
mod python;
mod quiet;
mod run;
mod setup;
mod shell;
mod test;
mod tidy;
mod toolchain;
mod validate;
mod vm;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Everything one does with socktrace's source"
)]
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
        /// Also what `bench` compares with: libbpf-tools, ss, lsof
        #[arg(long)]
        bench: bool,
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
    /// Everything that has to pass: checks, unit tests, kernel tests here and in virtual machines
    Test,
    /// rustfmt, clippy and rustdoc without a warning
    Lint,
    /// Make the Debian package and the archive with a static program, in target/dist
    Dist {
        /// Check what has become of them; the static program is built quickly, not to be released
        #[arg(long)]
        check: bool,
        /// Try the Debian package as a service, in a Debian that is booted in a container: as root, by hand
        #[arg(long, conflicts_with = "check")]
        boot: bool,
    },
    /// Fuzz what reads bytes, for a bounded time
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Measure what watching costs, side by side with other tools
    Bench(bench::Options),
    /// The load of `bench`
    #[command(hide = true)]
    Load {
        #[command(subcommand)]
        load: bench::Load,
    },
    /// The kernel tests on other kernels, in virtual machines
    Vm {
        /// Kernel versions; all of the matrix, if none is given
        versions: Vec<String>,
        /// Only on this rung of hooks; repeatable
        #[arg(long = "rung", value_name = "NAME")]
        rungs: Vec<String>,
        /// On every rung but a kernel's first only the cases about hooks
        #[arg(long)]
        quick: bool,
    },
    /// Check what socktrace writes with implementations that are not socktrace's
    Validate,
    /// Check licences and sources of all dependencies
    Licences,
    /// Check what compilers do not: file lengths, who imports what, clocks, SAFETY comments, links
    Tidy,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup { tests, bench } => setup::command(tests, bench),
        Command::Build { debug } => build::command(debug),
        Command::Run { arguments } => run::command(&arguments),
        Command::Test => test::command(),
        Command::Lint => lint::command(),
        Command::Dist { boot: true, .. } => dist::boot(),
        Command::Dist { check: true, .. } => dist::test(),
        Command::Dist { .. } => dist::command(),
        Command::Fuzz { seconds } => fuzz::command(seconds),
        Command::Bench(options) => bench::command(&options),
        Command::Load { load } => bench::load(load),
        Command::Vm {
            versions,
            rungs,
            quick,
        } => vm::command(&versions, &rungs, vm::Breadth::of(quick)),
        Command::Validate => validate::command(),
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
