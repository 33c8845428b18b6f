//! What is kept of a finding, and what is printed of it later.

use std::collections::HashSet;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value;

use super::samples::*;
use crate::model::*;
use crate::schema::examples::sets::used;
use crate::schema::{Chronicle, Encoder, Format, HistoryFormat, HistoryPrinter};

fn kept(finding: &Finding) -> Past {
    Chronicle::new(host()).past(finding)
}

/// Every phase, with all that may be known and with as little as may be.
fn all() -> Vec<Past> {
    let mut over = finding();
    over.leak.phase = Phase::Resolved(Cause::Closed(Some(task(816, "worker-3"))));
    over.leak.at = at(12_600);
    let mut unseen = kept(&unaccepted());
    unseen.phase = Word::Borrowed("resolved");
    unseen.end = Some(PastEnd {
        at: unseen.updated,
        cause: Word::Borrowed(ENDED_UNSEEN),
        by: None,
    });
    vec![kept(&used()), kept(&over), unseen, kept(&bare_finding())]
}

fn print(format: HistoryFormat) -> String {
    let mut out = Vec::new();
    let mut printer = HistoryPrinter::new(format, host());
    for past in all() {
        printer.finding(&past, &mut out);
    }
    let losses = PastLosses {
        expired: 3,
        displaced: 0,
        unwritten: 12,
    };
    printer.finish(1_795_359_840_000_000, 4, &losses, &mut out);
    let minute = PastMinute {
        begin: 1_795_359_840_000_000,
        process: Some((812, b"orders".to_vec())),
        cgroup: None,
        kind: Kind::CloseWait,
        state: TcpState::CloseWait,
        open: 200,
        opened: 12,
        resolved: 3,
    };
    HistoryPrinter::new(format, host()).minute(&minute, &mut out);
    let group = PastGroup {
        key: b"orders[812]".to_vec(),
        count: 203,
        open: 200,
        first: 1_795_359_840_000_000,
        last: 1_795_363_440_000_000,
    };
    HistoryPrinter::new(format, host()).group("process", &group, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_past_as_text() {
    assert_snapshot!(print(HistoryFormat::Text));
}

#[test]
fn the_past_as_json() {
    assert_snapshot!(print(HistoryFormat::Json));
}

#[test]
fn no_two_lines_of_an_answer_have_the_same_name() {
    let mut out = Vec::new();
    let mut printer = HistoryPrinter::new(HistoryFormat::Json, host());
    for past in all() {
        printer.finding(&past, &mut out);
    }
    printer.finish(1_795_359_840_000_000, 4, &PastLosses::default(), &mut out);
    let lines = out.split_inclusive(|byte| *byte == b'\n');
    let id = |line| serde_json::from_slice::<Value>(line).unwrap()["event"]["id"].to_string();
    let ids: HashSet<_> = lines.map(id).collect();
    assert_eq!(ids.len(), 5);
}

#[test]
fn the_past_as_csv() {
    let text = print(HistoryFormat::Csv);
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert_snapshot!(text.replace("\r\n", "\n"));
}

#[test]
fn an_empty_past_has_headings_for_programs_alone() {
    let print = |format| {
        let mut out = Vec::new();
        HistoryPrinter::new(format, host()).finish(0, 0, &PastLosses::default(), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(print(HistoryFormat::Text), "0 findings\n");
    assert!(print(HistoryFormat::Csv).starts_with("id,phase,kind,"));
}

/// The names and times of the finding's own line.
#[test]
fn what_is_kept_is_what_was_told() {
    let value = |line: &[u8]| serde_json::from_slice::<Value>(line).unwrap();
    let mut line = Vec::new();
    Encoder::new(Format::Json, host(), false).encode_finding(&used(), &mut line);
    let told = value(&line);
    let mut line = Vec::new();
    HistoryPrinter::new(HistoryFormat::Json, host()).finding(&kept(&used()), &mut line);
    let kept = value(&line);
    for same in [
        "/@timestamp",
        "/event/start",
        "/event/duration",
        "/process",
        "/container",
        "/orchestrator",
        "/source",
        "/destination",
        "/network",
        "/socktrace/leak/id",
        "/socktrace/leak/kind",
        "/socktrace/leak/diagnosis",
        "/socktrace/leak/holders",
        "/socktrace/leak/owner_via",
        "/socktrace/leak/fd",
        "/socktrace/socket",
        "/socktrace/local",
        "/socktrace/place",
    ] {
        assert!(told.pointer(same).is_some(), "{same}");
        assert_eq!(told.pointer(same), kept.pointer(same), "{same}");
    }
}

fn hostile(bytes: &[u8]) -> Past {
    let comm = Comm::from_bytes(bytes);
    let mut past = kept(&used());
    let process = past.process.as_mut().unwrap();
    process.name = bytes.to_vec();
    process.executable = Some(bytes.to_vec());
    process.command_line = Some(bytes.to_vec());
    process.cgroup = Some(bytes.to_vec());
    process.unit = Some(bytes.to_vec());
    let text = String::from_utf8_lossy(bytes).into_owned();
    process.container = None;
    process.pod = None;
    past.thread = Some((1, Some(bytes.to_vec())));
    past.socket.netns_name = Some(bytes.to_vec());
    past.holders = vec![(1, 2, comm)];
    past.end = Some(PastEnd {
        at: past.updated,
        cause: Word::Owned(text),
        by: Some((1, 2, comm)),
    });
    past
}

/// Splits a record as RFC 4180 says.
fn fields(record: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = record.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    assert!(!quoted, "{record}");
    fields
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let past = hostile(bytes);
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    for format in [HistoryFormat::Text, HistoryFormat::Json, HistoryFormat::Csv] {
        let mut out = Vec::new();
        let mut printer = HistoryPrinter::new(format, host());
        printer.finding(&past, &mut out);
        let group = PastGroup {
            key: bytes.to_vec(),
            count: 1,
            open: 0,
            first: 0,
            last: 0,
        };
        printer.group("process", &group, &mut out);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let expected = if format == HistoryFormat::Json { 2 } else { 3 };
        prop_assert_eq!(lines.len(), expected, "{:?}", text);
        prop_assert!(!lines.iter().any(|line| line.contains(acts)), "{:?}", text);
        match format {
            HistoryFormat::Text => {}
            HistoryFormat::Json => {
                for line in lines {
                    prop_assert!(serde_json::from_str::<Value>(line).is_ok(), "{}", line);
                }
            }
            HistoryFormat::Csv => {
                let (names, values) = (fields(lines[0]), fields(lines[1]));
                prop_assert_eq!(names.len(), values.len());
                for value in values {
                    let formula = value.trim_start().starts_with(['=', '+', '-', '@']);
                    prop_assert!(!formula, "{}", value);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn names_that_forge_lines_codes_or_formulas() {
    for bytes in [
        b"=cmd|' /C calc'!A0".as_slice(),
        b"+1+1",
        b"-2",
        b"@SUM(A1)",
        b" =1+1",
        b"\t=1+1",
        b"a,b\"c\r\nd",
        b"\"",
        b"\x1b[2K\x07",
        b"\xff\xfe",
        b"",
        b" ",
    ] {
        check(bytes).unwrap();
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        check(&bytes)?;
    }
}
