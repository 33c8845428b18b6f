//! Looking into JSON lines.

use serde_json::Value;

/// What stands at a dotted path, `Null` if nothing does.
#[must_use]
pub fn field<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |at, key| &at[key])
}

/// The text at a path, empty if there is none.
#[must_use]
pub fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    field(value, path).as_str().unwrap_or_default()
}

/// The number at a path.
///
/// # Panics
///
/// If there is none.
#[must_use]
#[track_caller]
pub fn number(value: &Value, path: &str) -> u64 {
    let found = field(value, path);
    found
        .as_u64()
        .unwrap_or_else(|| panic!("{path} should be a number, is {found}, in {value}"))
}

/// Whether there is something at a path; an explicit null is nothing.
#[must_use]
pub fn has(value: &Value, path: &str) -> bool {
    !field(value, path).is_null()
}

/// Asserts what stands at some paths; `Null` means that nothing may.
///
/// # Panics
///
/// If anything differs, naming all that does.
#[track_caller]
pub fn check(value: &Value, expected: &[(&str, Value)]) {
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(path, wanted)| field(value, path) != wanted)
        .map(|(path, wanted)| format!("  {path}: {}, expected {wanted}", field(value, path)))
        .collect();
    assert!(
        wrong.is_empty(),
        "wrong line:\n{}\nin {value}",
        wrong.join("\n")
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_into_objects() {
        let line = json!({"process": {"thread": {"id": 7}}, "cause": null});
        assert_eq!(field(&line, "process.thread.id"), &json!(7));
        assert_eq!(number(&line, "process.thread.id"), 7);
        assert!(!has(&line, "cause") && !has(&line, "process.name") && has(&line, "process"));
        assert_eq!(text(&line, "process.thread.id"), "");
        check(
            &line,
            &[
                ("process.thread.id", json!(7)),
                ("process.thread.name", Value::Null),
            ],
        );
    }

    #[test]
    #[should_panic(expected = "a.b: 1, expected 2")]
    fn a_difference_is_named() {
        check(&json!({"a": {"b": 1}}), &[("a.b", json!(2))]);
    }
}
