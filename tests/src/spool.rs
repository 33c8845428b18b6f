//! What is in the spool of an agent that is gone.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Every line in the files of a spool, those of each class by themselves: a record is length, checksum, number,
/// lines. What is behind the last whole record of a file was not taken by the agent.
///
/// # Panics
///
/// If it cannot be read, or a line is no JSON.
#[must_use]
pub fn lines(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the spool") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "spool") {
            continue;
        }
        let bytes = fs::read(path).expect("a segment");
        let mut rest = bytes.as_slice();
        while let Some((length, others)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some(record) = others.get(12..12 + length) else {
                break;
            };
            let text = str::from_utf8(record).expect("UTF-8");
            found.extend(text.lines().map(line));
            rest = &others[12 + length..];
        }
    }
    found
}

/// A line of JSON. Before it there may be a header, which has no brace.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn line(text: &str) -> Value {
    let json = &text[text.find('{').unwrap_or(0)..];
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {text}"))
}
