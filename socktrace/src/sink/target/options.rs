//! What every URL may say of the lines that go there.

use std::str::FromStr;

use super::address::Address;
use crate::schema::{Format, Selection};

/// What lines look like, and which they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StreamOptions {
    /// What they look like; `None`: as everywhere.
    pub format: Option<Format>,
    /// Which they are.
    pub selection: Selection,
}

impl StreamOptions {
    /// The options `format=ocsf&actions=socket.leak,process.leak&min-severity=notice&kinds=close_wait`.
    pub(super) fn of(address: &mut Address) -> Result<Self, String> {
        Ok(Self {
            format: address.option("format", str::parse)?,
            selection: Selection {
                actions: address.option("actions", list)?.unwrap_or_default(),
                min_severity: address.option("min-severity", str::parse)?,
                kinds: address.option("kinds", list)?.unwrap_or_default(),
            },
        })
    }
}

/// Values separated by commas, at least one.
fn list<T: FromStr<Err = String> + PartialEq>(text: &str) -> Result<Vec<T>, String> {
    let mut values = Vec::new();
    for word in text.split(',') {
        let value = word.trim().parse()?;
        if values.contains(&value) {
            return Err(format!("it has {word} twice"));
        }
        values.push(value);
    }
    Ok(values)
}
