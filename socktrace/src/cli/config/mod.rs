//! Configuration from files and variables, under the flags of the command line.
//!
//! Each key is a flag of `run`: what it means, and what is wrong with a value, is known in one place. Layers, each
//! over the one before: the main file, `conf.d/*.toml` in the order of their names, variables, flags.
//!
//! * [`keys`]: which keys there are.
//! * [`file`]: from TOML to entries; [`output`]: from an `[[output]]` to a URL; [`variables`]: from the environment.
//! * [`Layers`]: what counts of all of them; [`show`]: how it is printed.

mod file;
mod keys;
mod output;
mod show;
mod variables;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser as _};

use super::args::{Args, ConfigArgs};
use super::{CliError, Environment, Settings};
use crate::schema::escape;
use crate::sink::Destination;
use keys::Keys;
pub(super) use show::effective;

/// The main file, in the folder of the configuration.
const MAIN: &str = "socktrace.toml";
/// The folder of further files.
const DROP_INS: &str = "conf.d";
/// A file that is larger is no configuration.
const MOST: u64 = 1 << 20;

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A file and a line.
    File(String, usize),
    /// A variable.
    Variable(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, line) => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// A key and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The flag, without its dashes.
    flag: String,
    /// As flags: several are several flags, and none is for flags that are not to be set.
    values: Vec<OsString>,
    source: Source,
}

/// What the configuration says.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// By flag: what the topmost layer says.
    entries: BTreeMap<String, Entry>,
    /// Those of all files, or of the variable.
    outputs: Vec<(OsString, Source)>,
    /// What is wrong, a line each.
    errors: Vec<String>,
}

impl Layers {
    /// Reads everything that `args` and `environment` name. Without `implied`, only a file that is named.
    pub(super) fn read(args: &ConfigArgs, implied: bool, environment: &Environment<'_>) -> Self {
        let keys = Keys::new();
        let mut layers = Self::default();
        let variables = variables::ours((environment.variables)());
        let named = args
            .config
            .clone()
            .or_else(|| variables::config(&variables));
        match (named, environment.config_folder) {
            _ if args.no_config => {}
            (Some(file), _) => layers.add_file(&file, true, &keys),
            (None, Some(folder)) if implied => layers.add_folder(folder, &keys),
            (None, _) => {}
        }
        layers.add_variables(&variables, &keys);
        layers.try_out(environment);
        layers
    }

    /// Whether nothing is said at all.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.outputs.is_empty()
    }

    /// What is wrong with it, if anything is.
    pub(super) fn errors(&self) -> Option<CliError> {
        let wrong = !self.errors.is_empty();
        wrong.then(|| CliError::Config(self.errors.clone()))
    }

    /// The flags of `command` that it stands for, less those that `given` says were given.
    pub(super) fn flags(&self, command: &str, given: impl Fn(&str) -> bool) -> Vec<OsString> {
        let program = Args::command();
        let Some(command) = program.find_subcommand(command) else {
            return Vec::new();
        };
        let mut flags = Vec::new();
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long() else {
                continue;
            };
            if given(argument.get_id().as_str()) {
                continue;
            }
            if long == "output" {
                let outputs = self
                    .outputs
                    .iter()
                    .map(|(url, _)| flag("output", Some(url)));
                flags.extend(outputs);
            } else if let Some(entry) = self.entries.get(long) {
                flags.extend(entry.flags());
            }
        }
        flags
    }

    fn add_folder(&mut self, folder: &Path, keys: &Keys) {
        self.add_file(&folder.join(MAIN), false, keys);
        let drop_ins = folder.join(DROP_INS);
        match toml_files(&drop_ins) {
            Ok(files) => {
                for file in files {
                    self.add_file(&file, true, keys);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.errors.push(unreadable(&drop_ins, &error)),
        }
    }

    fn add_file(&mut self, path: &Path, must_be: bool, keys: &Keys) {
        match read(path) {
            Ok(bytes) => {
                let said = file::parse(&bytes, &shown(path), keys);
                self.errors.extend(said.errors);
                self.outputs.extend(said.outputs);
                self.add(said.entries);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_be => {}
            Err(error) => self.errors.push(unreadable(path, &error)),
        }
    }

    fn add_variables(&mut self, variables: &[(String, OsString)], keys: &Keys) {
        let said = variables::parse(variables, keys);
        self.errors.extend(said.errors);
        if !said.outputs.is_empty() {
            self.outputs = said.outputs;
        }
        self.add(said.entries);
    }

    fn add(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.entries.insert(entry.flag.clone(), entry);
        }
    }

    /// Sees what is wrong with each value by itself.
    fn try_out(&mut self, environment: &Environment<'_>) {
        let Self {
            entries,
            outputs,
            errors,
        } = self;
        for entry in entries.values() {
            let words = ["socktrace", "run"].map(OsString::from);
            let line = words.into_iter().chain(entry.flags());
            let tried = Args::try_parse_from(line)
                .map_err(CliError::from)
                .and_then(|args| Ok(Settings::new(args, environment)?));
            if let Err(error) = tried {
                errors.push(format!("{}: {error}", entry.source));
            }
        }
        for (url, source) in outputs {
            if let Err(error) = Destination::parse(url) {
                errors.push(format!("{source}: {error}"));
            }
        }
    }
}

impl Entry {
    fn flags(&self) -> impl Iterator<Item = OsString> {
        self.values.iter().map(|value| {
            // A flag that takes no value has an empty one here.
            flag(&self.flag, (!value.is_empty()).then_some(value))
        })
    }
}

fn flag(name: &str, value: Option<&OsString>) -> OsString {
    let mut flag = OsString::from(format!("--{name}"));
    if let Some(value) = value {
        flag.push("=");
        flag.push(value);
    }
    flag
}

/// What a file or the variables say.
#[derive(Debug, Default)]
struct Said {
    entries: Vec<Entry>,
    outputs: Vec<(OsString, Source)>,
    errors: Vec<String>,
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("it has more than 1 MiB"));
    }
    Ok(bytes)
}

/// The files in `folder` whose names end in `.toml`, in the order of their names.
fn toml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map_or(&[][..], OsStr::as_bytes);
        if name.ends_with(b".toml") && !name.starts_with(b".") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", shown(path))
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_bytes()).into_owned()
}
