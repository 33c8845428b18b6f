//! From TOML to entries.

use std::ffi::OsString;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{FILTER, Key, Keys};
use super::{Entry, Said, Source, output};
use crate::schema::escape;

/// What the file called `name` says.
pub(super) fn parse(bytes: &[u8], name: &str, keys: &Keys) -> Said {
    let mut said = Said::default();
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = line_at(bytes, error.valid_up_to());
            said.errors.push(format!("{name}:{line}: it is not UTF-8"));
            return said;
        }
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        said.errors.extend(errors.iter().map(|error| {
            let line = error.span().map_or(1, |span| line_at(bytes, span.start));
            let message = escape(error.message().as_bytes()).into_owned();
            format!("{name}:{line}: {message}")
        }));
        return said;
    }
    let mut reader = Reader {
        bytes,
        name,
        keys,
        said,
    };
    reader.table("", table.get_ref());
    reader.said
}

/// Where in a file it is.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    name: &'a str,
    keys: &'a Keys,
    said: Said,
}

impl Reader<'_> {
    fn table(&mut self, table: &'static str, entries: &DeTable<'_>) {
        for (key, value) in in_order(entries) {
            let source = self.source(key.span().start);
            let name = key.get_ref().as_ref();
            match (table, name, value.get_ref()) {
                ("", "output", value) => self.outputs(value, &source),
                ("", FILTER, DeValue::Table(filters)) => self.table(FILTER, filters),
                ("", FILTER, _) => self.wrong(&source, "filter is a table: [filter]"),
                _ => {
                    if let Some(key) = self.keys.find(table, name).cloned() {
                        self.entry(&key, value.get_ref(), source);
                    } else {
                        let unknown = self.keys.unknown(table, name);
                        self.wrong(&source, &escape(unknown.as_bytes()));
                    }
                }
            }
        }
    }

    fn entry(&mut self, key: &Key, value: &DeValue<'_>, source: Source) {
        let values = match (key.has_value, value) {
            (false, DeValue::Boolean(true)) => Ok(vec![String::new()]),
            (false, DeValue::Boolean(false)) => Ok(Vec::new()),
            (false, _) => Err("it is true or false"),
            (true, DeValue::Array(_)) if !key.is_list => Err("it has one value, not a list"),
            (true, value) => scalars(value),
        };
        match values {
            Ok(values) => self.said.entries.push(Entry {
                flag: key.flag.clone(),
                values: values.into_iter().map(OsString::from).collect(),
                source,
            }),
            Err(reason) => self.wrong(&source, &format!("{}: {reason}", key.name())),
        }
    }

    fn outputs(&mut self, value: &DeValue<'_>, source: &Source) {
        let DeValue::Array(tables) = value else {
            self.wrong(source, "outputs are tables in a list: [[output]]");
            return;
        };
        for value in tables {
            let source = self.source(value.span().start);
            let DeValue::Table(table) = value.get_ref() else {
                self.wrong(&source, "outputs are tables in a list: [[output]]");
                continue;
            };
            match output::url(table) {
                Ok(url) => self.said.outputs.push((url, source)),
                Err((at, reason)) => {
                    let source = at.map_or(source, |at| self.source(at));
                    let reason = escape(reason.as_bytes()).into_owned();
                    self.wrong(&source, &reason);
                }
            }
        }
    }

    fn source(&self, at: usize) -> Source {
        Source::File(self.name.to_owned(), line_at(self.bytes, at))
    }

    fn wrong(&mut self, source: &Source, reason: &str) {
        self.said.errors.push(format!("{source}: {reason}"));
    }
}

/// The entries of a table as they stand in the file.
pub(super) fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(
    &'a Spanned<std::borrow::Cow<'i, str>>,
    &'a Spanned<DeValue<'i>>,
)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// A value, or the values of a list, as text.
pub(super) fn scalars(value: &DeValue<'_>) -> Result<Vec<String>, &'static str> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| scalar(value.get_ref())).collect(),
        value => Ok(vec![scalar(value)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) if text.is_empty() => Err("it is empty; leave it out instead"),
        DeValue::String(text) if text.contains('\0') => Err("it has a NUL"),
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix());
            number
                .map(|number| number.to_string())
                .map_err(|_| "the number is too large")
        }
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Table(_) | DeValue::Array(_) => {
            Err("it is a text, a number, or a list of those")
        }
    }
}

/// The line, from 1, of the byte at `at`.
fn line_at(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at).unwrap_or(bytes);
    before.split(|byte| *byte == b'\n').count()
}
