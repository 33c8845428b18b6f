//! One of each in the formats of other people's collectors.

use insta::assert_snapshot;

use super::samples::*;
use super::snapshots::{doctor, findings, incidents, indented, life, scan, scan_groups, statuses};
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
