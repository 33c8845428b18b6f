//! One of each in the formats of other people's collectors.

use insta::assert_snapshot;
use syslog_rfc5424::message::ProcId;
use syslog_rfc5424::{SyslogFacility, parse_message};

use super::samples::*;
use super::snapshots::indented;
use crate::schema::examples::sets::*;
use crate::schema::{Encoder, Envelope, Format};

/// Whatever is neither a finding nor an event of `trace`.
fn others(encoder: &mut Encoder, out: &mut Vec<u8>) {
    incidents(encoder, out);
    statuses(encoder, out);
    scan(encoder, out);
    scan_groups(encoder, out);
    doctor(encoder, out);
}

#[test]
fn findings_as_ocsf() {
    assert_snapshot!(indented(Format::Ocsf, findings));
}

#[test]
fn a_life_as_ocsf() {
    assert_snapshot!(indented(Format::Ocsf, life));
}

#[test]
fn others_as_ocsf() {
    assert_snapshot!(indented(Format::Ocsf, others));
}

#[test]
fn findings_as_otlp() {
    assert_snapshot!(indented(Format::Otlp, findings));
}

#[test]
fn a_life_as_otlp() {
    assert_snapshot!(indented(Format::Otlp, life));
}

#[test]
fn others_as_otlp() {
    assert_snapshot!(indented(Format::Otlp, others));
}

#[test]
fn all_as_cef() {
    assert_snapshot!(lines(Format::Cef, false, |encoder, out| {
        findings(encoder, out);
        life(encoder, out);
        others(encoder, out);
    }));
}

/// The process id is this test's.
#[test]
fn all_in_envelopes_for_syslog() {
    let mut encoder =
        Encoder::new(Format::Cef, host(), false).with_envelope(Some(Envelope::default()));
    let mut out = Vec::new();
    findings(&mut encoder, &mut out);
    life(&mut encoder, &mut out);
    others(&mut encoder, &mut out);
    let pid = format!(" {} ", std::process::id());
    let headers: Vec<_> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| {
            let (header, message) = line.split_once("] ").unwrap();
            assert!(message.starts_with("CEF:0|"), "{line}");
            header.replacen(&pid, " PID ", 1)
        })
        .collect();
    assert_snapshot!(headers.join("]\n"));
}

/// A parser of somebody else's finds in every header what the event says, and in the message the plain line.
#[test]
fn envelopes_are_read_by_a_parser_of_syslog() {
    for format in [Format::Json, Format::Ocsf, Format::Cef, Format::Otlp] {
        let mut encoder =
            Encoder::new(format, host(), false).with_envelope(Some(Envelope::default()));
        let mut out = Vec::new();
        everything(&mut encoder, &mut out);
        let plain = lines(format, false, everything);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), plain.lines().count());
        for (n, (line, plain)) in text.lines().zip(plain.lines()).enumerate() {
            let message = parse_message(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(message.msg, plain);
            assert_eq!(message.facility, SyslogFacility::LOG_DAEMON);
            assert_eq!(message.hostname.as_deref(), Some("db-7"));
            assert_eq!(message.appname.as_deref(), Some("socktrace"));
            assert_eq!(
                message.procid,
                Some(ProcId::PID(std::process::id().cast_signed()))
            );
            let parameter = |name| message.sd.find_tuple("socktrace@32473", name);
            assert_eq!(parameter("sequence"), Some(&n.to_string()));
            if format == Format::Json {
                let value: serde_json::Value = serde_json::from_str(plain).unwrap();
                assert_eq!(message.msgid.as_deref(), value["event"]["action"].as_str());
                let phase = value["socktrace"]["leak"]["phase"].as_str();
                let phase = phase.or(value["socktrace"]["incident"]["phase"].as_str());
                assert_eq!(parameter("phase").map(String::as_str), phase);
            }
        }
    }
}
