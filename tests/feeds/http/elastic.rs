//! A fake of `_bulk`. Elasticsearch itself is not to be had for tests.

use serde_json::{Value, json};

use super::fake::{Dialect, Event, Fault, Part};
use super::server::{Reply, Request};
use super::webhook::of_line;
use super::{check_survives, check_with};

pub(super) const ELASTIC: Dialect = Dialect {
    url: "elasticsearch+http://ADDRESS/logs-socktrace.leaks-default",
    events: bulk,
    taken: |events| answer(&vec![201; events.len()]),
};

fn bulk(request: &Request) -> Vec<Event> {
    let (path, query) = request.path.split_once('?').expect("a query");
    assert_eq!(path, "/logs-socktrace.leaks-default/_bulk");
    assert!(
        query.starts_with("filter_path=errors,items.*.status"),
        "{query}"
    );
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(
        request.body.last(),
        Some(&b'\n'),
        "a bulk body ends with a newline"
    );
    let mut lines = request.body.split(|byte| *byte == b'\n').peekable();
    let mut events = Vec::new();
    while let Some(action) = lines.next().filter(|line| !line.is_empty()) {
        let action: Value = serde_json::from_slice(action).expect("an action");
        let source = lines.next().expect("a source");
        let event = of_line(&serde_json::from_slice(source).expect("a document"));
        assert_eq!(action, json!({"create": {"_id": event.id}}));
        events.push(event);
    }
    assert_eq!(lines.next(), None);
    events
}

fn answer(statuses: &[u16]) -> Reply {
    let item = |status: &u16| match status {
        200..=299 => json!({"create": {"status": status}}),
        _ => {
            json!({"create": {"status": status, "error": {"type": "some_exception", "reason": "of the test"}}})
        }
    };
    let items: Vec<Value> = statuses.iter().map(item).collect();
    let errors = statuses.iter().any(|status| *status >= 300);
    Reply::json(200, &json!({"errors": errors, "items": items}).to_string())
}

#[test]
fn a_cluster_that_is_away_gets_everything_later() {
    check_survives(ELASTIC);
}

/// Some are refused for now, some for ever, and some were there before.
#[test]
fn items_are_answered_one_by_one() {
    let part: fn(&[Event]) -> Part = |events| {
        let statuses = [429, 400, 409, 503, 201, 500, 200];
        let answered: Vec<(&Event, u16)> = events.iter().zip(statuses).collect();
        let with = |wanted: fn(u16) -> bool| {
            let found = answered.iter().filter(move |(_, status)| wanted(*status));
            found.map(|(event, _)| (*event).clone()).collect::<Vec<_>>()
        };
        Part {
            taken: with(|status| status < 300 || status == 409),
            lost: with(|status| status == 400).len(),
            reply: answer(&statuses[..events.len()]),
        }
    };
    let told = [
        "an item was answered with 429, some_exception: of the test; trying again",
        "an item was answered with 400, some_exception: of the test; lost",
    ];
    // What comes again is answered in the same way, until it is alone and busy.
    let busy: fn(&[Event]) -> Part = |events| Part {
        taken: Vec::new(),
        lost: 0,
        reply: answer(&vec![503; events.len()]),
    };
    let fake = check_with(
        ELASTIC,
        "",
        vec![Fault::Part(part), Fault::Part(busy)],
        &told,
    );
    let mut ids = fake.ids();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "what was taken came again");
}

/// 200, and not what a cluster says: it is not believed.
#[test]
fn lies_are_not_believed() {
    let faults = vec![
        Fault::Refuse(Reply::of(200, "text/html", b"<html>Please log in</html>")),
        Fault::Refuse(Reply::json(200, "{\"errors\":false,\"items\":[]}")),
        Fault::Refuse(Reply::json(200, "{}")),
        Fault::Refuse(Reply::status(201)),
    ];
    check_with(ELASTIC, "", faults, &["is none to a bulk request"]);
}

#[test]
fn a_user_has_a_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "open sesame").expect("a file");
    let authorized: fn(&Request) -> Vec<Event> = |request| {
        let expected = "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(request.header("authorization"), Some(expected));
        bulk(request)
    };
    let option = format!("user=aladdin&password-file={}", file.display());
    let dialect = Dialect {
        events: authorized,
        ..ELASTIC
    };
    check_with(dialect, &option, vec![], &[]);
}
