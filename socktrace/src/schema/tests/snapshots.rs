//! One of each in each format.

use insta::assert_snapshot;

use super::samples::*;
use crate::schema::examples::sets::*;
use crate::schema::{Encoder, Format};

/// Lines of JSON, indented for the reader of the snapshot.
pub(super) fn json(encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> String {
    indented(Format::Json, encode)
}

/// Lines of a format whose lines are JSON, indented likewise.
pub(super) fn indented(format: Format, encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> String {
    let lines = lines(format, false, encode);
    let pretty = |line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    lines.lines().map(pretty).collect::<Vec<_>>().join("\n")
}

fn text(encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> String {
    lines(Format::Text, false, encode)
}

#[test]
fn findings_as_text() {
    assert_snapshot!(text(findings));
}

#[test]
fn findings_as_json() {
    assert_snapshot!(json(findings));
}

#[test]
fn incidents_as_text() {
    assert_snapshot!(text(incidents));
}

#[test]
fn incidents_as_json() {
    assert_snapshot!(json(incidents));
}

/// The order of members and the numbers as they are really written.
#[test]
fn a_finding_as_it_is_written() {
    assert_snapshot!(lines(Format::Json, false, |encoder, out| {
        encoder.encode_finding(&finding(), out);
    }));
}

#[test]
fn threads_that_used_a_socket_as_json() {
    let line = json(|encoder, out| encoder.encode_finding(&used(), out));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let start = |at| {
        let mut at_start = finding();
        at_start.leak.since = at;
        let line = json(|encoder, out| encoder.encode_finding(&at_start, out));
        serde_json::from_str::<serde_json::Value>(&line).unwrap()["event"]["start"].clone()
    };
    let expected = serde_json::json!([
        {"pid": 812, "tid": 815, "name": "worker-2", "op": "recv", "at": start(at(5138))},
        {"pid": 812, "tid": 812, "op": "accept"},
    ]);
    assert_eq!(line["socktrace"]["leak"]["threads"], expected);
}

#[test]
fn a_life_as_text() {
    assert_snapshot!(text(life));
}

#[test]
fn a_life_as_json() {
    assert_snapshot!(json(life));
}

#[test]
fn statuses_as_text() {
    assert_snapshot!(text(statuses));
}

#[test]
fn statuses_as_json() {
    assert_snapshot!(json(statuses));
}

#[test]
fn a_scan_as_text() {
    assert_snapshot!(text(scan));
}

#[test]
fn a_scan_as_json() {
    assert_snapshot!(json(scan));
}

#[test]
fn an_empty_scan_says_so() {
    let text = text(|encoder, out| encoder.finish_scan(&bare_summary(), out));
    assert_eq!(
        text,
        "no leaked sockets\nclosed and still held, or never connected: 7\n"
    );
}

#[test]
fn what_collectors_have_no_class_for_is_left_out() {
    for format in [Format::Ocsf, Format::Cef, Format::Otlp] {
        let written = lines(format, false, |encoder, out| {
            encoder.finish_scan(&summary(), out);
        });
        assert_eq!(written, "", "{format:?}");
    }
}

#[test]
fn groups_as_text() {
    assert_snapshot!(text(scan_groups));
}

#[test]
fn groups_as_json() {
    assert_snapshot!(json(scan_groups));
}

#[test]
fn doctor_as_text() {
    assert_snapshot!(text(doctor));
}

#[test]
fn doctor_as_json() {
    assert_snapshot!(json(doctor));
}

#[test]
fn colour_only_where_asked_for() {
    let coloured = lines(Format::Text, true, |encoder, out| {
        findings(encoder, out);
        statuses(encoder, out);
        doctor(encoder, out);
    });
    for code in [
        "\x1b[1;31mLEAK\x1b[0m",
        "\x1b[33mUPDATE\x1b[0m",
        "\x1b[32mRESOLVED\x1b[0m",
    ] {
        assert!(coloured.contains(code), "{coloured}");
    }
    let plain = text(|encoder, out| {
        findings(encoder, out);
        statuses(encoder, out);
        doctor(encoder, out);
    });
    let codes = ["\x1b[1;31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"];
    let stripped = codes
        .iter()
        .fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(stripped, plain);
    assert!(!lines(Format::Json, true, findings).contains('\x1b'));
}
