//! A fake of Splunk's HTTP Event Collector. Splunk itself is not to be had for tests.

use std::time::Duration;

use serde_json::Value;

use super::fake::{Dialect, Event, Fault, Part};
use super::server::{Reply, Request};
use super::webhook::of_line;
use super::{check_survives, check_with};

pub(super) const SPLUNK: Dialect = Dialect {
    url: "splunk+http://ADDRESS?index=leaks&sourcetype=socktrace",
    events: envelopes,
    taken: |_| told(200, 0, "Success"),
};

fn told(status: u16, code: u32, text: &str) -> Reply {
    Reply::json(status, &format!("{{\"text\":\"{text}\",\"code\":{code}}}"))
}

pub(super) fn envelopes(request: &Request) -> Vec<Event> {
    assert_eq!(request.path, "/services/collector/event");
    assert_eq!(request.header("content-type"), Some("application/json"));
    let stream = serde_json::Deserializer::from_slice(&request.body).into_iter::<Value>();
    stream
        .map(|envelope| {
            let envelope = envelope.expect("JSON");
            let fields: Vec<&String> = envelope.as_object().expect("an object").keys().collect();
            assert_eq!(
                fields,
                ["event", "host", "index", "source", "sourcetype", "time"]
            );
            assert_eq!(envelope["host"], envelope["event"]["host"]["name"]);
            assert_eq!(envelope["index"], "leaks");
            assert_eq!(envelope["sourcetype"], "socktrace");
            let event = of_line(&envelope["event"]);
            // Six digits behind the point are what a float of 64 bits still tells.
            let time = Duration::from_secs_f64(envelope["time"].as_f64().expect("a number"));
            let differs = time.abs_diff(Duration::from_nanos(event.at));
            assert!(differs < Duration::from_micros(1), "{envelope}");
            event
        })
        .collect()
}

#[test]
fn a_collector_that_is_away_gets_everything_later() {
    check_survives(SPLUNK);
}

#[test]
fn what_can_be_put_right_is_tried_until_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "00000000-0000-0000-0000-000000000000").expect("a file");
    let authorized: fn(&Request) -> Vec<Event> = |request| {
        let expected = "Splunk 00000000-0000-0000-0000-000000000000";
        assert_eq!(request.header("authorization"), Some(expected));
        envelopes(request)
    };
    let faults = [
        told(403, 4, "Invalid token"),
        told(503, 9, "Server is busy"),
        told(400, 7, "Incorrect index"),
        Reply::of(200, "text/html", b"<html>Welcome</html>"),
    ];
    let expected = ["403 with code 4, Invalid token; trying again"];
    let dialect = Dialect {
        events: authorized,
        ..SPLUNK
    };
    let option = format!("token-file={}", file.display());
    let faults = faults.map(Fault::Refuse).to_vec();
    check_with(dialect, &option, faults, &expected);
}

/// One event is at fault: it is left out, and all others are taken.
#[test]
fn an_event_that_is_at_fault_is_left_out() {
    let part: fn(&[Event]) -> Part = |events| {
        let number = events.len() - 1;
        let answer = format!(
            "{{\"text\":\"Invalid data format\",\"code\":6,\"invalid-event-number\":{number}}}"
        );
        Part {
            taken: Vec::new(),
            lost: 1,
            reply: Reply::json(400, &answer),
        }
    };
    let told = ["400 with code 6, Invalid data format; lost 1 lines"];
    check_with(SPLUNK, "compress=gzip", vec![Fault::Part(part)], &told);
    let whole = vec![Fault::Lose(told_of_no_data())];
    check_with(SPLUNK, "", whole, &["code 5, No data; lost"]);
}

fn told_of_no_data() -> Reply {
    told(400, 5, "No data")
}
