//! Webhooks: any receiver of JSON.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use super::fake::{Dialect, Event, Fault, Part};
use super::server::{Reply, Request};
use super::{check_survives, check_with};

pub(super) const WEBHOOK: Dialect = Dialect {
    url: "webhook+http://ADDRESS/hook?header-X-Team=storage",
    events: ndjson,
    taken: |_| Reply::status(204),
};

/// An event from its line in the native format.
pub(super) fn of_line(line: &Value) -> Event {
    let time = line["@timestamp"].as_str().expect("a time");
    let at = humantime::parse_rfc3339(time).expect("a time");
    let at = at.duration_since(UNIX_EPOCH).expect("after 1970");
    Event {
        id: line["event"]["id"].as_str().expect("an id").to_owned(),
        at: u64::try_from(at.as_nanos()).expect("before 2554"),
    }
}

fn common(request: &Request, content_type: &str) {
    assert_eq!(request.path, "/hook");
    assert_eq!(request.header("content-type"), Some(content_type));
    assert_eq!(request.header("x-team"), Some("storage"));
    assert!(
        request
            .header("user-agent")
            .is_some_and(|agent| agent.starts_with("socktrace/"))
    );
}

pub(super) fn ndjson(request: &Request) -> Vec<Event> {
    common(request, "application/x-ndjson");
    assert_eq!(request.body.last(), Some(&b'\n'));
    let lines = request.body.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| of_line(&serde_json::from_slice(line).expect("JSON")))
        .collect()
}

fn array(request: &Request) -> Vec<Event> {
    common(request, "application/json");
    let all: Vec<Value> = serde_json::from_slice(&request.body).expect("an array");
    all.iter().map(of_line).collect()
}

fn single(request: &Request) -> Vec<Event> {
    common(request, "application/json");
    vec![of_line(
        &serde_json::from_slice(&request.body).expect("an object"),
    )]
}

#[test]
fn a_receiver_that_is_away_gets_everything_later() {
    check_survives(WEBHOOK);
}

#[test]
fn lines_come_in_three_shapes() {
    let of = |events| Dialect { events, ..WEBHOOK };
    check_with(of(ndjson), "body=ndjson&compress=gzip", vec![], &[]);
    check_with(of(array), "body=array", vec![], &[]);
    let each = check_with(of(single), "body=single", vec![], &[]);
    assert_eq!(each.requests(), super::sent().len());
}

/// It calls the request malformed: that is not tried again.
#[test]
fn what_is_refused_is_lost_and_told_once() {
    let faults = vec![Fault::Lose(Reply::of(
        400,
        "text/plain",
        b"no such\nfield \x1b[31m",
    ))];
    let told = ["400 Bad Request: no such\\nfield \\x1b[31m; lost"];
    check_with(WEBHOOK, "", faults, &told);
}

/// A request that is too large is made smaller until it is not.
#[test]
fn what_is_too_large_comes_in_parts() {
    let part: fn(&[Event]) -> Part = |events| {
        let fits = events.len() == 1;
        Part {
            taken: if fits { events.to_vec() } else { Vec::new() },
            lost: 0,
            reply: Reply::status(if fits { 200 } else { 413 }),
        }
    };
    check_with(WEBHOOK, "", vec![Fault::Part(part); 50], &[]);
    // The one that is too large alone is lost.
    let part: fn(&[Event]) -> Part = |events| Part {
        taken: Vec::new(),
        lost: usize::from(events.len() == 1),
        reply: Reply::status(413),
    };
    check_with(WEBHOOK, "", vec![Fault::Part(part); 50], &["413"]);
}

/// It sends us elsewhere: nothing goes there.
#[test]
fn redirects_are_not_followed() {
    let elsewhere = super::fake::Fake::new(WEBHOOK, vec![]);
    let to = elsewhere.url("").replace("webhook+", "");
    let faults = vec![
        Fault::Refuse(Reply::status(307).with("Location", &to)),
        Fault::Refuse(Reply::status(301).with("Location", &to)),
    ];
    check_with(WEBHOOK, "", faults, &["307, a redirect"]);
    assert_eq!(elsewhere.requests(), 0);
}

/// A token is read from its file, and again when it is refused.
#[test]
fn a_token_that_was_changed_is_taken_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2\n").expect("a file");
    let authorized: fn(&Request) -> Vec<Event> = |request| {
        assert_eq!(request.header("authorization"), Some("Bearer hunter2"));
        ndjson(request)
    };
    let option = format!("token-file={}", file.display());
    let dialect = Dialect {
        events: authorized,
        ..WEBHOOK
    };
    let faults = vec![
        Fault::Refuse(Reply::status(401)),
        Fault::Refuse(Reply::status(403)),
    ];
    check_with(dialect, &option, faults, &["401 Unauthorized"]);
}

#[test]
fn times_are_understood() {
    let line =
        serde_json::json!({"@timestamp": "1970-01-01T00:00:01.000002Z", "event": {"id": "x"}});
    assert_eq!(
        Duration::from_nanos(of_line(&line).at),
        Duration::new(1, 2000)
    );
}
