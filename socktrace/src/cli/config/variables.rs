//! What the environment says.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::keys::{Key, Keys};
use super::{Entry, Said, Source};
use crate::spelling::{distance, nearest};

const PREFIX: &str = "SOCKTRACE_";
/// The file instead of those of the machine.
const CONFIG: &str = "SOCKTRACE_CONFIG";
/// URLs and paths, separated by spaces.
const OUTPUT: &str = "SOCKTRACE_OUTPUT";

/// Variables whose names begin as ours do, and that say something.
pub(super) fn ours(variables: Vec<(OsString, OsString)>) -> Vec<(String, OsString)> {
    let mut ours: Vec<_> = variables
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    ours.sort();
    ours
}

/// The file that is named instead of those of the machine.
pub(super) fn config(variables: &[(String, OsString)]) -> Option<PathBuf> {
    let named = variables.iter().find(|(name, _)| name == CONFIG);
    named.map(|(_, path)| PathBuf::from(path))
}

/// What they say. Names that are far from any of ours are not for us: Kubernetes makes some from the names of
/// services.
pub(super) fn parse(variables: &[(String, OsString)], keys: &Keys) -> Said {
    let mut said = Said::default();
    let names: Vec<(String, &Key)> = keys.0.iter().map(|key| (key.variable(), key)).collect();
    for (name, value) in variables {
        let source = Source::Variable(name.clone());
        if name == OUTPUT {
            let words = value.as_bytes().split(u8::is_ascii_whitespace);
            let words = words.filter(|word| !word.is_empty());
            let outputs = words.map(|word| (OsString::from_vec(word.to_vec()), source.clone()));
            said.outputs.extend(outputs);
            continue;
        }
        let Some((_, key)) = names.iter().find(|(known, _)| known == name) else {
            let known = names.iter().map(|(known, _)| known.as_str());
            if name != CONFIG
                && !is_of_kubernetes(name)
                && let Some(near) = nearest_variable(name, known.chain([CONFIG, OUTPUT]))
            {
                let reason =
                    format!("{name}: there is no such variable; did you mean {PREFIX}{near}?");
                said.errors.push(reason);
            }
            continue;
        };
        let values = if key.has_value {
            Ok(vec![value.clone()])
        } else {
            match value.to_str() {
                Some("1" | "true" | "yes") => Ok(vec![OsString::new()]),
                Some("0" | "false" | "no") => Ok(Vec::new()),
                _ => Err(format!("{name}: it is true or false")),
            }
        };
        match values {
            Ok(values) => said.entries.push(Entry {
                flag: key.flag.clone(),
                values,
                source,
            }),
            Err(reason) => said.errors.push(reason),
        }
    }
    said
}

/// Two letters may be wrong: more, and it is another word.
fn nearest_variable<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let stem = name.strip_prefix(PREFIX)?;
    let most = if stem.len() < 6 { 1 } else { 2 };
    let stems = known.filter_map(|known| known.strip_prefix(PREFIX));
    let near = nearest(stem, stems)?;
    (distance(stem, near) <= most).then_some(near)
}

/// Made from the name of a service in the same namespace: `SOCKTRACE_SERVICE_HOST`, `SOCKTRACE_PORT_80_TCP`.
fn is_of_kubernetes(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}
