//! One of each in each format.

use insta::assert_snapshot;

use super::incidents::*;
use super::samples::*;
use crate::model::*;
use crate::schema::{Encoder, Format};

/// Every phase and kind of finding.
pub(super) fn findings(encoder: &mut Encoder, out: &mut Vec<u8>) {
    let mut encode = |change: &dyn Fn(&mut Finding)| {
        let mut finding = finding();
        change(&mut finding);
        encoder.encode_finding(&finding, out);
    };
    encode(&|_| {});
    encode(&|finding| {
        finding.leak.phase = Phase::Update;
        finding.leak.kind = Kind::ClosedHeld;
        finding.leak.diagnosis = Some(Diagnosis::Reset);
        finding.leak.socket.state = TcpState::Close;
        finding.leak.at = at(5500);
        finding.leak.holders = (812..823).map(|pid| holder(pid, 37)).collect();
    });
    encode(&|finding| {
        let cause = Cause::Closed(Some(task(816, "worker-3")));
        finding.leak.phase = Phase::Resolved(cause);
        finding.leak.at = at(12_600);
    });
    encode(&|finding| {
        finding.leak.phase = Phase::Resolved(Cause::Exited(Some(task(812, "orders"))));
        finding.process = None;
        finding.thread = None;
    });
    encode(&|finding| finding.leak.phase = Phase::Resolved(Cause::Progress));
    encode(&|finding| {
        finding.leak.phase = Phase::Resolved(Cause::Closed(None));
        finding.leak.blame = finding.leak.blame.map(|blame| Blame { tid: None, ..blame });
    });
    encode(&|finding| {
        finding.leak.kind = Kind::HalfClosed;
        finding.leak.diagnosis = None;
        finding.leak.role = Role::Connected;
        finding.leak.socket.state = TcpState::FinWait2;
        finding.leak.socket.local = addr("[2001:db8::5]:40312");
        finding.leak.socket.peer = addr("[2001:db8::9]:443");
        finding.leak.socket.family = Family::V6;
    });
    encoder.encode_finding(&unaccepted(), out);
    encoder.encode_finding(&bare_finding(), out);
}

/// An incident in every phase, and what may be in it.
pub(super) fn incidents(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for named in [
        first_incident(),
        incident(IncidentPhase::Open),
        incident(IncidentPhase::Update),
        half_closed_incident(),
        nobodys_incident(),
        incident(IncidentPhase::Resolved),
    ] {
        encoder.encode_incident(&named, out);
    }
}

/// A life from connect to release, and a connect that failed.
pub(super) fn life(encoder: &mut Encoder, out: &mut Vec<u8>) {
    use TcpState::{Close, CloseWait, Established, LastAck, SynRecv};
    let mut encode = |what, role| encoder.encode_lifecycle(&lifecycle(what, role), out);
    encode(connect(Established), Role::Connected);
    encode(connect(Close), Role::Connected);
    let accept = Accept {
        socket: socket(Established),
        task: task(815, "worker-2"),
    };
    encode(LifecycleEvent::Accept(accept), Role::Accepted);
    encode(change(Established, CloseWait, None), Role::Accepted);
    encode(change(LastAck, Close, None), Role::Connected);
    encode(change(Established, Close, Some(104)), Role::Accepted);
    encode(release(), Role::Accepted);
    let mut early = lifecycle(change(TcpState::Listen, SynRecv, None), Role::Unknown);
    early.owner = None;
    early.in_state = None;
    encoder.encode_lifecycle(&early, out);
}

pub(super) fn statuses(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for reason in [
        StatusReason::Started,
        StatusReason::Gap,
        StatusReason::Unproven,
        StatusReason::Stopped,
    ] {
        encoder.encode_status(&status(reason), out);
    }
}

pub(super) fn scan(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for kind in [Kind::CloseWait, Kind::Unaccepted] {
        encoder.encode_scanned(&scanned(kind), out);
    }
    let mut bare = scanned(Kind::ClosedHeld);
    bare.socket.state = TcpState::Close;
    bare.diagnosis = None;
    bare.idle = None;
    bare.holders.clear();
    bare.process = None;
    encoder.encode_scanned(&bare, out);
    encoder.finish_scan(&summary(), out);
}

pub(super) fn scan_groups(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for group in groups() {
        encoder.encode_group(at(5200), "process", &group, out);
    }
    encoder.finish_scan(&summary(), out);
}

pub(super) fn doctor(encoder: &mut Encoder, out: &mut Vec<u8>) {
    for hook in hooks() {
        encoder.encode_hook(at(5200), &hook, out);
    }
}

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
    let mut used = finding();
    used.leak.uses = uses();
    used.user_names = vec![Some(b"worker-2".to_vec()), None];
    let line = json(|encoder, out| encoder.encode_finding(&used, out));
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
