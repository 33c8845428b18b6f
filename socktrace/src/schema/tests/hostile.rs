//! Names chosen to forge lines, fields or terminal codes.

use proptest::prelude::*;
use serde_json::Value;

use super::samples::*;
use crate::model::*;
use crate::schema::{Encoder, Format, escape};

/// Everything that holds bytes chosen by others, holding `bytes`.
fn encode_all(bytes: &[u8], encoder: &mut Encoder, out: &mut Vec<u8>) {
    let comm = Comm::from_bytes(bytes);
    let hostile_task = Task {
        comm,
        ..task(815, "")
    };

    let mut hostile = finding();
    let process = hostile.process.as_mut().unwrap();
    process.name = bytes.to_vec();
    process.executable = Some(bytes.to_vec());
    process.command_line = Some(bytes.to_vec());
    process.cgroup = Some(bytes.to_vec());
    hostile.thread.as_mut().unwrap().name = Some(bytes.to_vec());
    hostile.leak.blame.as_mut().unwrap().comm = comm;
    hostile.leak.uses = uses();
    hostile.user_names = vec![Some(bytes.to_vec()); 2];
    hostile.leak.holders = vec![
        Holder {
            comm,
            ..holder(812, 37)
        };
        2
    ];
    encoder.encode_finding(&hostile, out);
    let mut rollup = incident(IncidentPhase::Update);
    rollup.process.clone_from(&hostile.process);
    rollup.incident.culprit = rollup.incident.culprit.map(|c| Culprit { comm, ..c });
    encoder.encode_incident(&rollup, out);
    rollup.process = None;
    encoder.encode_incident(&rollup, out);
    hostile.process = None;
    hostile.leak.phase = Phase::Resolved(Cause::Closed(Some(hostile_task)));
    encoder.encode_finding(&hostile, out);

    let mut event = lifecycle(release(), Role::Accepted);
    event.owner = Some(hostile_task);
    encoder.encode_lifecycle(&event, out);

    let mut seen = scanned(Kind::CloseWait);
    seen.process = hostile.process.map(std::sync::Arc::new);
    seen.holders = hostile.leak.holders;
    encoder.encode_scanned(&seen, out);
    encoder.encode_group(
        at(1),
        "process",
        &ScanGroup {
            key: bytes.to_vec(),
            count: 1,
        },
        out,
    );

    let mut hook = hooks().remove(1);
    let text = String::from_utf8_lossy(bytes).into_owned();
    (hook.used, hook.lost, hook.cure) = (text.clone(), text.clone(), text);
    encoder.encode_hook(at(1), &hook, out);
    let mut started = status(StatusReason::Started);
    started.hooks = vec![hook];
    encoder.encode_status(&started, out);
}

/// Lines written by [`encode_all`].
const LINES: usize = 9;

fn written(format: Format, bytes: &[u8]) -> String {
    let name = String::from_utf8_lossy(bytes).into_owned();
    let mut encoder = Encoder::new(format, Host { name, ..host() }, false);
    let mut out = Vec::new();
    encode_all(bytes, &mut encoder, &mut out);
    String::from_utf8(out).unwrap()
}

/// What a terminal or a reader of lines would act on.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check_lines(text: &str, expected: usize) -> Result<(), TestCaseError> {
    prop_assert!(text.ends_with('\n'));
    prop_assert_eq!(text.matches('\n').count(), expected);
    prop_assert!(!text.chars().any(|c| c != '\n' && acts(c)), "{:?}", text);
    Ok(())
}

fn check_all(bytes: &[u8]) -> Result<(), TestCaseError> {
    // The headings of `trace` are two lines of their own with those of `scan`: only the first are
    // written, as no stream has both.
    check_lines(&written(Format::Text, bytes), LINES + 1)?;
    check_lines(&written(Format::Cef, bytes), LINES)?;
    for format in [Format::Json, Format::Ocsf, Format::Otlp] {
        let lines = written(format, bytes);
        check_lines(&lines, LINES)?;
        for line in lines.lines() {
            let value: Value = serde_json::from_str(line)
                .map_err(|error| TestCaseError::fail(format!("{error}: {line}")))?;
            check_strings(&value)?;
        }
    }
    let json = written(Format::Json, bytes);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let command_line = first["process"]["command_line"].as_str();
    prop_assert_eq!(command_line, Some(&*escape(bytes)));
    Ok(())
}

/// No string of a value acts on the terminal of whoever prints it.
fn check_strings(value: &Value) -> Result<(), TestCaseError> {
    match value {
        Value::String(text) => prop_assert!(!text.chars().any(acts), "{:?}", text),
        Value::Array(values) => values.iter().try_for_each(check_strings)?,
        Value::Object(members) => members.values().try_for_each(check_strings)?,
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

#[test]
fn the_usual_suspects() {
    for bytes in [
        b"\n{\"event\":1}\n".as_slice(),
        b"\r\x1b[2K15:04:05Z  LEAK",
        b"\"}},\"x\":{\"",
        b"\\\"\\\\",
        b"\xff\xfe\x9b31m",
        "\u{9b}31m\u{85}\u{2028}\u{202e}".as_bytes(),
        b"\0\0",
        b"",
        b"\x7f\x08\x08\x08",
    ] {
        check_all(bytes).unwrap();
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..48)) {
        check_all(&bytes)?;
    }

    #[test]
    fn any_text(text in "\\PC{0,4}[\u{0}-\u{a0}\u{2020}-\u{2070}\\\\\"]{0,12}\\PC{0,4}") {
        check_all(text.as_bytes())?;
    }
}
