//! Every rule of the command line.

mod filters;
mod gate;
mod help;
mod mistakes;
mod settings;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::{CliError, Environment, Settings, parse};

/// Neither a terminal nor colours; `blue` and process 812 have network namespaces.
pub(super) fn environment() -> Environment<'static> {
    Environment {
        stdout_is_terminal: false,
        no_color: false,
        page_size: 4096,
        config_folder: None,
        variables: &Vec::new,
        netns_inode: &|path: &Path| match path.to_str() {
            Some("/run/netns/blue") => Ok(11),
            Some("/proc/812/ns/net") => Ok(12),
            _ => Err(io::ErrorKind::NotFound.into()),
        },
    }
}

/// The words of a command line, the program's name before them.
pub(super) fn words(line: &str) -> Vec<OsString> {
    let words = line.split_whitespace().map(OsString::from);
    std::iter::once(OsString::from("socktrace"))
        .chain(words)
        .collect()
}

/// What `line` means; it must be right.
#[track_caller]
pub(super) fn settings(line: &str) -> Settings {
    match parse(words(line), &environment()) {
        Ok(settings) => settings,
        Err(error) => panic!("{line}: {error}"),
    }
}

/// What is wrong with `line`; something must be.
#[track_caller]
pub(super) fn mistake(line: &str) -> CliError {
    match parse(words(line), &environment()) {
        Ok(settings) => panic!("{line}: {settings:?}"),
        Err(error) => error,
    }
}
