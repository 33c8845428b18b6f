//! What counts in the end, printed as a configuration that says the same.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

use super::Layers;
use super::keys::{FILTER, Key, Keys};
use crate::schema::escape;
use crate::sink::redacted;

/// All keys that have a value, and who says so.
pub(in super::super) fn effective(layers: &Layers) -> String {
    let keys = Keys::new();
    let mut text = "# What counts for `socktrace run` without flags, and who says so.\n".to_owned();
    let of_table = |table: &'static str| keys.0.iter().filter(move |key| key.table == table);
    for key in of_table("") {
        push(&mut text, layers, key);
    }
    text.push_str("\n[filter]\n");
    for key in of_table(FILTER) {
        push(&mut text, layers, key);
    }
    if layers.outputs.is_empty() {
        text.push_str("\n[[output]]\npath = \"-\"  # default\n");
    }
    for (url, source) in &layers.outputs {
        let (key, shown) = if url.as_bytes().windows(3).any(|window| window == b"://") {
            ("url", redacted(url.as_bytes()))
        } else {
            ("path", escape(url.as_bytes()).into_owned())
        };
        let line = format_args!("\n[[output]]\n{key} = {}  # {source}\n", quoted(&shown));
        // Writing to a string cannot fail.
        let _ = text.write_fmt(line);
    }
    text
}

fn push(text: &mut String, layers: &Layers, key: &Key) {
    let (values, source) = match (layers.entries.get(&key.flag), &key.default) {
        (Some(entry), _) => {
            let values: Vec<_> = entry.values.iter().map(|value| shown(value)).collect();
            (values, entry.source.to_string())
        }
        (None, Some(default)) => (vec![default.clone()], "default".to_owned()),
        (None, None) if !key.has_value => (Vec::new(), "default".to_owned()),
        (None, None) => return,
    };
    let value = if !key.has_value {
        (!values.is_empty()).to_string()
    } else if key.is_list {
        let values: Vec<_> = values.iter().map(|value| quoted(value)).collect();
        format!("[{}]", values.join(", "))
    } else {
        quoted(&values.concat())
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} = {value}  # {source}", key.flag);
}

fn shown(value: &OsStr) -> String {
    escape(value.as_bytes()).into_owned()
}

/// As a text of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
