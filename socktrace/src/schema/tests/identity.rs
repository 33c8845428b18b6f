//! Which lines share a name, and how they are numbered.

use serde_json::Value;

use super::samples::*;
use crate::model::*;
use crate::schema::{Encoder, Format};

fn values(encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> Vec<Value> {
    let lines = lines(Format::Json, false, encode);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The leak ids that a fresh agent on `host` gives to `findings`.
fn leak_ids_on(host: Host, findings: &[Finding]) -> Vec<String> {
    let mut encoder = Encoder::new(Format::Json, host, false);
    let mut out = Vec::new();
    for finding in findings {
        encoder.encode_finding(finding, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    let id = |line| {
        let value: Value = serde_json::from_str(line).unwrap();
        value["socktrace"]["leak"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    text.lines().map(id).collect()
}

fn leak_id(change: impl FnOnce(&mut Host, &mut Finding)) -> String {
    let (mut host, mut finding) = (host(), finding());
    change(&mut host, &mut finding);
    leak_ids_on(host, &[finding]).remove(0)
}

#[test]
fn lines_are_numbered_without_gaps_and_never_share_an_id() {
    let values = values(|encoder, out| {
        encoder.encode_status(&status(StatusReason::Started), out);
        encoder.encode_finding(&finding(), out);
        encoder.encode_finding(&finding(), out);
        encoder.encode_incident(&incident(IncidentPhase::Open), out);
        encoder.encode_lifecycle(&lifecycle(release(), Role::Accepted), out);
        encoder.encode_scanned(&scanned(Kind::CloseWait), out);
        encoder.encode_group(at(1), "peer", &groups()[0], out);
        encoder.encode_hook(at(1), &hooks()[0], out);
        assert_eq!(encoder.next_sequence(), 8);
    });
    let sequences: Vec<_> = values
        .iter()
        .map(|v| v["event"]["sequence"].as_u64())
        .collect();
    assert_eq!(sequences, (0..8).map(Some).collect::<Vec<_>>());
    let mut ids: Vec<_> = values
        .iter()
        .map(|v| v["event"]["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

#[test]
fn the_same_line_has_the_same_id() {
    let once = || values(|encoder, out| encoder.encode_finding(&finding(), out));
    assert_eq!(once(), once());
}

#[test]
fn another_run_names_its_lines_otherwise_and_the_leak_alike() {
    let line = |started| {
        let mut encoder = Encoder::new(
            Format::Json,
            Host {
                agent_started: started,
                ..host()
            },
            false,
        );
        let mut out = Vec::new();
        encoder.encode_finding(&finding(), &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let (first, second) = (line(at(10)), line(at(11)));
    assert_ne!(first["event"]["id"], second["event"]["id"]);
    assert_eq!(
        first["socktrace"]["leak"]["id"],
        second["socktrace"]["leak"]["id"]
    );
    assert_eq!(
        first["process"]["entity_id"],
        second["process"]["entity_id"]
    );
}

#[test]
fn a_leak_keeps_its_id_whatever_changes_but_its_identity() {
    let id = leak_id(|_, _| {});
    let check = |change: fn(&mut Host, &mut Finding)| assert_eq!(leak_id(change), id);
    check(|_, f| f.leak.phase = Phase::Resolved(Cause::Progress));
    check(|_, f| f.leak.kind = Kind::ClosedHeld);
    check(|_, f| f.leak.since = at(1));
    check(|_, f| f.leak.socket.inode = None);
    check(|h, _| h.agent_started = at(77));
    check(|h, _| h.name = "renamed".into());
}

#[test]
fn another_leak_has_another_id() {
    let id = leak_id(|_, _| {});
    let check = |change: fn(&mut Host, &mut Finding)| assert_ne!(leak_id(change), id);
    check(|_, f| f.leak.socket.cookie = Cookie(4712));
    check(|_, f| f.leak.episode = 1);
    check(|h, _| h.id = "other".into());
    check(|h, _| h.boot_id = "other".into());
    check(|_, f| f.leak.socket.cookie_synthetic = true);
}

fn incident_id(change: impl FnOnce(&mut Host, &mut NamedIncident)) -> String {
    let (mut host, mut named) = (host(), incident(IncidentPhase::Open));
    change(&mut host, &mut named);
    let mut out = Vec::new();
    Encoder::new(Format::Json, host, false).encode_incident(&named, &mut out);
    let value: Value = serde_json::from_slice(&out).unwrap();
    let id = &value["socktrace"]["incident"]["id"];
    id.as_str().unwrap().to_owned()
}

#[test]
fn an_incident_is_named_by_process_kind_and_episode() {
    let id = incident_id(|_, _| {});
    let same = |change: fn(&mut Host, &mut NamedIncident)| assert_eq!(incident_id(change), id);
    same(|h, _| h.agent_started = at(77));
    same(|_, n| n.incident.phase = IncidentPhase::Resolved);
    same(|_, n| n.incident.open = 7);
    same(|_, n| n.process = None);
    let other = |change: fn(&mut Host, &mut NamedIncident)| assert_ne!(incident_id(change), id);
    other(|h, _| h.boot_id = "other".into());
    other(|_, n| n.incident.kind = Kind::ClosedHeld);
    other(|_, n| n.incident.episode = 1);
    other(|_, n| n.incident.culprit = None);
    other(|_, n| n.incident.culprit.as_mut().unwrap().started = at(1));
    other(|_, n| n.incident.culprit.as_mut().unwrap().tgid = Tgid(1));
}

#[test]
fn a_finding_names_its_incident() {
    let values = values(|encoder, out| {
        encoder.encode_finding(&finding(), out);
        encoder.encode_incident(&incident(IncidentPhase::Open), out);
        encoder.encode_finding(&bare_finding(), out);
    });
    let of = |n: usize| &values[n]["socktrace"];
    assert_eq!(of(0)["leak"]["incident"], of(1)["incident"]["id"]);
    assert_eq!(of(2)["leak"]["incident"], Value::Null);
}

#[test]
fn without_a_machine_id_the_name_of_the_host_counts() {
    let id = |name: &str| {
        leak_id(|host, _| {
            host.id.clear();
            host.name = name.into();
        })
    };
    assert_ne!(id("a"), id("b"));
    assert_eq!(id("a"), id("a"));
}

#[test]
fn the_parts_of_a_name_cannot_be_shifted() {
    let id = |id: &str, boot: &str| {
        leak_id(|host, _| {
            host.id = id.into();
            host.boot_id = boot.into();
        })
    };
    assert_ne!(id("ab", "c"), id("a", "bc"));
}

/// A finding with a made-up cookie, told by `inode`.
fn made_up(cookie: u64, inode: Option<u32>, phase: Phase) -> Finding {
    let mut finding = finding();
    finding.leak.phase = phase;
    finding.leak.socket.cookie = Cookie(cookie);
    finding.leak.socket.cookie_synthetic = true;
    finding.leak.socket.inode = inode;
    finding
}

#[test]
fn with_made_up_cookies_the_inode_names_the_leak_in_every_run() {
    let restarted = Host {
        agent_started: at(500),
        ..host()
    };
    let first = leak_ids_on(host(), &[made_up(1, Some(9), Phase::Open)]);
    let again = leak_ids_on(restarted, &[made_up(2, Some(9), Phase::Open)]);
    assert_eq!(first, again);
}

/// Neither a cookie nor an inode: the connection itself tells it from any other, the next one between the
/// same ends included.
#[test]
fn with_made_up_cookies_the_ends_name_a_queued_connection_in_every_run() {
    let restarted = Host {
        agent_started: at(500),
        ..host()
    };
    let id = |host: Host, cookie, change: fn(&mut Finding)| {
        let mut queued = made_up(cookie, None, Phase::Open);
        change(&mut queued);
        leak_ids_on(host, &[queued])
    };
    let first = id(host(), 1, |_| {});
    assert_eq!(id(restarted, 2, |_| {}), first);
    let other = |change: fn(&mut Finding)| assert_ne!(id(host(), 1, change), first);
    other(|f| f.leak.seqs.rcv_nxt += 1);
    other(|f| f.leak.socket.netns += 1);
    other(|f| f.leak.socket.peer.set_port(1));
    other(|f| f.leak.socket.local.set_port(1));
    other(|f| f.leak.episode = 1);
}

#[test]
fn a_name_holds_while_the_inode_comes_and_goes() {
    let resolved = Phase::Resolved(Cause::Closed(None));
    for (first, later) in [(None, Some(9)), (Some(9), None)] {
        let ids = leak_ids_on(
            host(),
            &[
                made_up(1, first, Phase::Open),
                made_up(1, later, Phase::Update),
                made_up(1, later, resolved),
            ],
        );
        assert_eq!(ids[0], ids[1]);
        assert_eq!(ids[0], ids[2]);
    }
}

#[test]
fn a_resolved_leak_is_forgotten() {
    let resolved = Phase::Resolved(Cause::Closed(None));
    let ids = leak_ids_on(
        host(),
        &[
            made_up(1, None, Phase::Open),
            made_up(1, None, resolved),
            made_up(1, Some(9), Phase::Open),
            made_up(2, Some(9), Phase::Open),
        ],
    );
    assert_ne!(ids[0], ids[2]);
    assert_eq!(ids[2], ids[3]);
}

#[test]
fn a_process_is_named_by_pid_and_start() {
    let entity = |change: fn(&mut Process)| {
        let mut finding = finding();
        let process = finding.process.as_mut().unwrap();
        change(process);
        let blame = finding.leak.blame.as_mut().unwrap();
        (blame.tgid, blame.started) = (process.tgid, process.started);
        let values = values(|encoder, out| encoder.encode_finding(&finding, out));
        values[0]["process"]["entity_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let id = entity(|_| {});
    assert_eq!(entity(|p| p.name = b"renamed".to_vec()), id);
    assert_ne!(entity(|p| p.started = at(813)), id);
    assert_ne!(entity(|p| p.tgid = Tgid(813)), id);
}

#[test]
fn a_wall_clock_set_later_counts_from_then_on() {
    let values = values(|encoder, out| {
        encoder.encode_finding(&finding(), out);
        encoder.set_wall_minus_boot_ns(host().wall_minus_boot_ns + 3_600_000_000_000);
        encoder.encode_finding(&finding(), out);
    });
    assert_eq!(values[0]["@timestamp"], "2026-11-22T15:04:05.123456Z");
    assert_eq!(values[1]["@timestamp"], "2026-11-22T16:04:05.123456Z");
}

#[test]
fn facts_of_another_process_are_not_put_on_the_blamed_one() {
    let mut reused = finding();
    let process = reused.process.as_mut().unwrap();
    process.started = at(900);
    process.name = b"newcomer".to_vec();
    let values = values(|encoder, out| encoder.encode_finding(&reused, out));
    assert_eq!(values[0]["process"]["name"], "orders");
    assert_eq!(values[0]["process"]["executable"], Value::Null);
    assert!(
        values[0]["message"]
            .as_str()
            .unwrap()
            .starts_with("orders[812] ")
    );
    assert_eq!(values[0]["container"], Value::Null);
}
