//! Which keys there are: the flags of `run` that are not for one call only.

use clap::{ArgAction, CommandFactory as _};

use super::super::args::Args;
use crate::spelling::nearest;

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The table it is in; empty: none.
    pub(super) table: &'static str,
    /// Its flag, without the dashes. Its name in the table is the same.
    pub(super) flag: String,
    /// Whether it has a value: the others are true or false.
    pub(super) has_value: bool,
    /// Whether it may have several.
    pub(super) is_list: bool,
    /// What counts if nobody says anything.
    pub(super) default: Option<String>,
}

/// All keys.
#[derive(Debug)]
pub(super) struct Keys(pub(super) Vec<Key>);

/// The table of filters.
pub(super) const FILTER: &str = "filter";

impl Keys {
    pub(super) fn new() -> Self {
        let program = Args::command();
        let run = program.find_subcommand("run");
        let arguments = run.into_iter().flat_map(clap::Command::get_arguments);
        let mut keys = Vec::new();
        for argument in arguments {
            let Some(flag) = argument.get_long() else {
                continue;
            };
            let not_here = ["help", "version", "config", "no-config", "output"];
            if argument.is_hide_set() || not_here.contains(&flag) {
                continue;
            }
            let heading = argument.get_help_heading().unwrap_or_default();
            let has_value = argument.get_action().takes_values();
            let default = argument
                .get_default_values()
                .first()
                .map(|value| value.to_string_lossy().into_owned());
            keys.push(Key {
                table: if heading.starts_with("Filters") {
                    FILTER
                } else {
                    ""
                },
                flag: flag.to_owned(),
                has_value,
                is_list: matches!(argument.get_action(), ArgAction::Append),
                default: default.filter(|_| has_value),
            });
        }
        Self(keys)
    }

    /// The key of that name in a table.
    pub(super) fn find(&self, table: &str, name: &str) -> Option<&Key> {
        self.0
            .iter()
            .find(|key| key.table == table && key.flag == name)
    }

    /// What to say of a name that there is not.
    pub(super) fn unknown(&self, table: &str, name: &str) -> String {
        let mut names: Vec<String> = self.0.iter().map(Key::name).collect();
        names.extend(["output".to_owned(), FILTER.to_owned()]);
        let full = if table.is_empty() {
            name.to_owned()
        } else {
            format!("{table}.{name}")
        };
        // Whoever knows the flag may not know that it has a table.
        let moved = self.0.iter().find(|key| key.flag == name);
        let near = moved
            .map(Key::name)
            .or_else(|| nearest(&full, names.iter().map(String::as_str)).map(str::to_owned));
        match near {
            Some(near) => format!("there is no key {full}; did you mean {near}?"),
            None => format!("there is no key {full}; the keys are {}", names.join(", ")),
        }
    }
}

impl Key {
    /// Its name, behind that of its table.
    pub(super) fn name(&self) -> String {
        if self.table.is_empty() {
            self.flag.clone()
        } else {
            format!("{}.{}", self.table, self.flag)
        }
    }

    /// The variable that stands for it.
    pub(super) fn variable(&self) -> String {
        let name = self.name().to_ascii_uppercase().replace(['-', '.'], "_");
        format!("SOCKTRACE_{name}")
    }
}
