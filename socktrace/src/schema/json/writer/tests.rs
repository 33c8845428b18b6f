//! What is written, held against what others write.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

#[track_caller]
fn check(value: &(impl Serialize + ?Sized)) {
    let mut out = Vec::new();
    write(&mut out, value).unwrap();
    let expected = serde_json::to_string(value).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[derive(Serialize)]
struct Made<'a> {
    #[serde(rename = "@timestamp")]
    text: &'a str,
    some: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    none: Option<u16>,
    tuple: (i8, bool, char),
    unit: (),
    inner: Inner,
    choice: Choice,
}

#[derive(Serialize)]
struct Flat<'a> {
    more: f32,
    #[serde(flatten)]
    made: Made<'a>,
}

#[derive(Serialize)]
struct Inner(u64);

#[derive(Serialize)]
enum Choice {
    First,
}

#[test]
fn everything_is_written_as_by_others() {
    for number in [0, 1, 9, 10, 99, 12_345, u64::MAX] {
        check(&number);
    }
    for number in [0, -1, i64::MIN, i64::MAX] {
        check(&number);
    }
    let made = Made {
        text: "a \"b\" \\ \u{7f}\u{1}\n\r\t\u{8}\u{c}\u{1f} ü \u{2028}",
        some: Some(3),
        none: None,
        tuple: (-4, true, '"'),
        unit: (),
        inner: Inner(5),
        choice: Choice::First,
    };
    check(&made);
    check(&Flat { more: 0.5, made });
    check(&BTreeMap::from([("a\"", 1), ("b", 2)]));
    check(&json!({"list": [], "object": {}, "nested": [[1], {"a": null}], "float": 0.1}));
    let long = "x".repeat(100);
    let mut out = Vec::new();
    Writer::to(&mut out)
        .collect_str(&format_args!("{long}\""))
        .unwrap();
    assert_eq!(out, format!("\"{long}\\\"\"").into_bytes());
}

#[test]
fn what_was_written_is_copied() {
    let written = Written::new(&json!({"a": "\""})).unwrap();
    let mut out = Vec::new();
    write(&mut out, &[written.clone(), written]).unwrap();
    assert_eq!(out, br#"[{"a":"\""},{"a":"\""}]"#);
}

#[test]
fn what_is_no_object_is_refused() {
    let mut out = Vec::new();
    assert!(write(&mut out, &BTreeMap::from([(1, 2)])).is_err());
    assert!(write(&mut out, &Ok::<u8, u8>(1)).is_err());
}

proptest! {
    #[test]
    fn any_text_is_written_as_by_others(text in any::<String>(), bytes in prop::collection::vec(0_u8..0x80, 0..40)) {
        check(&text);
        check(str::from_utf8(&bytes).unwrap());
        let object: Map<String, Value> = [(text.clone(), text.into())].into_iter().collect();
        check(&object);
    }
}
