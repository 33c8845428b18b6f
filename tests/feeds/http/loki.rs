//! A fake of Loki's push. Loki itself is not to be had for tests.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fake::{Dialect, Event, Fault, Part};
use super::server::{Reply, Request};
use super::webhook::of_line;
use super::{check_survives, check_with};

pub(super) const LOKI: Dialect = Dialect {
    url: "loki+http://ADDRESS?tenant=storage",
    events: push,
    taken: |_| Reply::status(204),
};

fn push(request: &Request) -> Vec<Event> {
    assert_eq!(request.path, "/loki/api/v1/push");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(request.header("x-scope-orgid"), Some("storage"));
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    let mut events = Vec::new();
    let mut seen = BTreeSet::new();
    for stream in body["streams"].as_array().expect("streams") {
        let labels = stream["stream"].as_object().expect("labels");
        assert!(seen.insert(stream["stream"].to_string()), "a stream twice");
        let mut last = 0;
        for entry in stream["values"].as_array().expect("entries") {
            let [at, line] = entry.as_array().expect("an entry").as_slice() else {
                panic!("{entry}");
            };
            let at: u64 = at.as_str().expect("text").parse().expect("nanoseconds");
            assert!(at >= last, "entries are in the order of their times");
            last = at;
            let line: Value = serde_json::from_str(line.as_str().expect("text")).expect("JSON");
            for (name, value) in labels {
                let expected = match name.as_str() {
                    "job" => &Value::from("socktrace"),
                    "host" => &line["host"]["name"],
                    "action" => &line["event"]["action"],
                    "kind" if line["event"]["action"] == "process.leak" => {
                        &line["socktrace"]["incident"]["kind"]
                    }
                    "kind" => &line["socktrace"]["leak"]["kind"],
                    other => panic!("the label {other}"),
                };
                assert_eq!(value, expected, "{name}");
            }
            events.push(Event {
                at,
                ..of_line(&line)
            });
        }
    }
    events
}

#[test]
fn a_loki_that_is_away_gets_everything_later() {
    check_survives(LOKI);
}

/// What is too old is told by number; the others were taken.
#[test]
fn entries_too_far_behind_are_lost_and_counted() {
    let part: fn(&[Event]) -> Part = |events| {
        let text = "entry with timestamp 2026-11-22 ignored, reason: 'entry too far behind',\nuser 'storage', total ignored: 1 out of 7 for stream: {job=\"socktrace\"}";
        Part {
            taken: events[1..].to_vec(),
            lost: 1,
            reply: Reply::of(400, "text/plain", text.as_bytes()),
        }
    };
    check_with(LOKI, "", vec![Fault::Part(part)], &["too far behind"]);
}

/// Where it does not tell the number, lines come in smaller and smaller requests, so that only what is refused by
/// itself is lost. What Loki had taken already is the same to it when it comes again.
#[test]
fn a_refusal_without_a_number_costs_nothing_else() {
    let part: fn(&[Event]) -> Part = |events| {
        let is_bad = |event: &&Event| event.id.as_bytes()[0] < b'8';
        let taken: Vec<Event> = events.iter().filter(|e| !is_bad(e)).cloned().collect();
        let all_taken = taken.len() == events.len();
        Part {
            taken,
            lost: usize::from(!all_taken && events.len() == 1),
            reply: if all_taken {
                Reply::status(204)
            } else {
                Reply::of(400, "text/plain", b"entry has timestamp too old")
            },
        }
    };
    let faults = vec![Fault::Part(part); 50];
    let fake = check_with(LOKI, "", faults, &["timestamp too old"]);
    assert!((1..7).contains(&fake.lost()), "{}", fake.lost());
}

#[test]
fn lies_are_not_believed() {
    let faults = vec![
        Fault::Refuse(Reply::of(200, "text/html", b"<html>Welcome</html>")),
        Fault::Refuse(Reply::status(202).with("X", "y")),
    ];
    check_with(LOKI, "", faults, &["none of Loki's"]);
}
