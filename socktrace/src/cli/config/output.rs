//! From an `[[output]]` to the URL that says the same.

use std::ffi::OsString;
use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use super::file::{in_order, scalars};
use crate::sink::{Destination, TargetError};

/// Where in the file something is wrong, if that is known, and what.
type Wrong = (Option<usize>, String);

/// The URL. Each key but `url` and `path` is an option of it.
pub(super) fn url(table: &DeTable<'_>) -> Result<OsString, Wrong> {
    let mut place = None;
    let mut options = Vec::new();
    for (key, value) in in_order(table) {
        let (name, at) = (key.get_ref().as_ref(), key.span().start);
        let wrong = |reason: &str| (Some(at), format!("{name}: {reason}"));
        let values = scalars(value.get_ref()).map_err(wrong)?;
        if !matches!(name, "url" | "path") {
            options.push((name, at, values.join(",")));
            continue;
        }
        if place.is_some() {
            return Err(wrong("an output has a url or a path, not both"));
        }
        if !matches!(value.get_ref(), DeValue::String(_)) {
            return Err(wrong("it is a text"));
        }
        place = Some(if name == "url" {
            values.concat()
        } else {
            of_path(&values.concat()).map_err(|reason| wrong(&reason))?
        });
    }
    let mut url = place.ok_or((None, "an output needs a url or a path".to_owned()))?;
    if !options.is_empty() && !url.contains("://") {
        let reason = "only a URL has options: file:///PATH, stdout://";
        return Err((None, reason.to_owned()));
    }
    let mut separator = if url.contains('?') { '&' } else { '?' };
    for (name, _, value) in &options {
        url.push(separator);
        url.push_str(&encoded(name, ""));
        url.push('=');
        url.push_str(&encoded(value, "/:,"));
        separator = '&';
    }
    match Destination::parse(url.as_ref()) {
        Ok(_) => Ok(url.into()),
        Err(TargetError::Url { reason, .. }) => {
            let about = |name: &str| {
                reason
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([' ', '=']))
            };
            let at = options.iter().find(|(name, _, _)| about(name));
            Err((at.map(|(_, at, _)| *at), reason))
        }
        Err(error) => Err((None, error.to_string())),
    }
}

/// A path as a URL.
fn of_path(path: &str) -> Result<String, String> {
    if path == "-" {
        return Ok("stdout://".to_owned());
    }
    if !path.starts_with('/') {
        return Err("it is an absolute path, or - for standard output".to_owned());
    }
    Ok(format!("file://{}", encoded(path, "/")))
}

/// Percent-encoded (RFC 3986 §2.1), but for letters, digits, `-._~` and `more`.
fn encoded(text: &str, more: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let letter = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-._~".contains(letter) || more.contains(letter) {
            encoded.push(letter);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
