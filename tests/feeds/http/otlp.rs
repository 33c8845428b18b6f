//! A fake of an OTLP collector.

use prost::Message;
use socktrace_tests::child::{Outcome, Running};
use socktrace_tests::wait::SOON;

use super::fake::{Dialect, Event, Fake, Fault, Part};
use super::server::{Reply, Request};
use super::{check_survives, check_with, replay, sent};
use crate::stored;

pub(super) const OTLP: Dialect = Dialect {
    url: "otlp+http://ADDRESS",
    events: export,
    taken: |_| Reply::of(200, "application/x-protobuf", b""),
};

/// The messages of opentelemetry-proto, as far as they matter here.
#[derive(Clone, PartialEq, Message)]
struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeLogs {
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    severity_number: i32,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(string, tag = "12")]
    event_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    message: String,
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.as_ref());
    let text = value.and_then(|value| value.text.as_deref());
    text.unwrap_or_else(|| panic!("no {key}"))
}

fn export(request: &Request) -> Vec<Event> {
    assert_eq!(request.path, "/v1/logs");
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    let resources = decode(request).resource_logs.len();
    assert_eq!(resources, 1, "one is enough");
    records(request)
}

fn decode(request: &Request) -> ExportRequest {
    ExportRequest::decode(&*request.body).expect("protobuf")
}

/// The events of a request, each with what it has to have.
pub(super) fn records(request: &Request) -> Vec<Event> {
    assert_eq!(
        request.header("content-type"),
        Some("application/x-protobuf")
    );
    let all = decode(request).resource_logs;
    for logs in &all {
        let resource = logs.resource.as_ref().expect("a resource");
        assert_eq!(text(&resource.attributes, "service.name"), "socktrace");
        assert_eq!(text(&resource.attributes, "host.name"), "web-1");
    }
    let scopes = all.iter().flat_map(|logs| &logs.scope_logs);
    scopes
        .flat_map(|scope| &scope.log_records)
        .map(|record| {
            assert!(!record.event_name.is_empty());
            assert!([9, 13].contains(&record.severity_number));
            Event {
                id: text(&record.attributes, "log.record.uid").to_owned(),
                at: record.time_unix_nano,
            }
        })
        .collect()
}

#[test]
fn a_collector_that_is_away_gets_everything_later() {
    check_survives(OTLP);
}

/// A partial success is a success: what was rejected is lost, and nothing is sent again.
#[test]
fn rejected_records_are_lost_and_counted() {
    let part: fn(&[Event]) -> Part = |events| {
        let response = ExportResponse {
            partial_success: Some(PartialSuccess {
                rejected: 1,
                message: "quota".to_owned(),
            }),
        };
        let body = response.encode_to_vec();
        Part {
            taken: events[1..].to_vec(),
            lost: 1,
            reply: Reply::of(200, "application/x-protobuf", &body),
        }
    };
    let told = ["the collector rejected log records: quota; lost 1 lines"];
    check_with(OTLP, "", vec![Fault::Part(part)], &told);
}

/// Only what the specification calls retryable is tried again.
#[test]
fn other_refusals_are_final() {
    for status in [400, 401, 404, 500, 307] {
        let faults = vec![Fault::Lose(Reply::status(status))];
        let told = format!("it answered {status} ");
        check_with(OTLP, "", faults, &[&told]);
    }
    let retryable = [502, 503, 504, 429];
    let faults = retryable.map(|status| Fault::Refuse(Reply::status(status)));
    check_with(OTLP, "", faults.to_vec(), &["502"]);
}

#[test]
fn lies_are_not_believed() {
    let faults = vec![Fault::Refuse(Reply::of(
        200,
        "text/html",
        b"<html>Welcome</html>",
    ))];
    check_with(OTLP, "", faults, &["none of an OTLP collector's"]);
}

/// `otlp://`: all comes from the environment.
#[test]
fn the_environment_names_the_collector() {
    let exact: fn(&Request) -> Vec<Event> = |request| {
        assert_eq!(request.path, "/own/path");
        assert_eq!(request.header("api-key"), Some("hunter 2"));
        assert_eq!(request.header("content-encoding"), None);
        records(request)
    };
    let dialect = Dialect {
        events: exact,
        ..OTLP
    };
    let fake = Fake::new(dialect, vec![]);
    let base = fake.url("").replace("otlp+", "");
    let mut command = replay(&stored("closed_held.strec"), "otlp://");
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env(
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            format!("{base}/own/path"),
        )
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter%202")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "5000");
    let outcome = Outcome::of(&mut command, SOON);
    outcome.check_code(0);
    assert_eq!(outcome.stderr, "");
    fake.wait_all(sent().len());
    fake.check(&sent());
}

#[test]
fn an_environment_that_makes_no_sense_is_said() {
    let ended = |name: &str, value: &str| {
        let mut command = replay(&stored("closed_held.strec"), "otlp://");
        let outcome = Outcome::of(command.env(name, value), SOON);
        outcome.check_code(2);
        outcome.one_error_line().to_owned()
    };
    let check = |name: &str, value: &str, hint: &str| {
        let told = ended(name, value);
        assert!(told.contains(name) && told.contains(hint), "{told}");
    };
    check("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf");
    check("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "milliseconds");
    check("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://");
    let told = ended("OTEL_EXPORTER_OTLP_HEADERS", "hunter2");
    assert!(
        told.contains("NAME=VALUE") && !told.contains("hunter2"),
        "{told}"
    );
}

/// A name that has no address is a collector that is away.
#[test]
fn a_name_without_an_address_is_told() {
    let mut command = replay(
        &stored("closed_held.strec"),
        "otlp+http://no-such-host.invalid",
    );
    let mut running = Running::spawn(&mut command).expect("socktrace");
    let status = running.wait(SOON * 2).expect("it ends");
    assert!(status.success());
    let told = running.stderr();
    assert!(
        told.contains("otlp+http://no-such-host.invalid:4318: "),
        "{told}"
    );
    assert!(told.contains("did not take the last 7 lines"), "{told}");
}
