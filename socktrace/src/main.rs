//! The program: arguments to settings, settings to a command, its end to an exit status.

use std::process::ExitCode;

use socktrace::cli::{self, Environment};
use socktrace::commands;

fn main() -> ExitCode {
    let settings = match cli::parse(std::env::args_os(), &Environment::real()) {
        Ok(settings) => settings,
        Err(error) => return error.print().code().into(),
    };
    match commands::execute(settings) {
        Ok(exit) => exit.code().into(),
        Err(failure) => {
            eprintln!("socktrace: {}", failure.reason);
            failure.exit.code().into()
        }
    }
}
