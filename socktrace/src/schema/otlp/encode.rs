//! OTLP's JSON encoding (opentelemetry-proto, "JSON Protobuf Encoding"): 64-bit integers are strings.

use serde::{Serialize, Serializer};

use super::super::values::{Shown, unix_nanos};
use super::record::{Record, Value, resource};
use crate::model::Host;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_logs: [ResourceLogs<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    resource: Resource<'a>,
    scope_logs: [ScopeLogs<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a> {
    scope: Scope,
    log_records: [LogRecord<'a>; 1],
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    time_unix_nano: Shown<u64>,
    observed_time_unix_nano: Shown<u64>,
    severity_number: u32,
    severity_text: &'static str,
    event_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<AnyValue<'a>>,
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'static str,
    value: AnyValue<'a>,
}

#[derive(Serialize)]
enum AnyValue<'a> {
    #[serde(rename = "stringValue")]
    Text(&'a str),
    #[serde(rename = "intValue", serialize_with = "as_text")]
    Number(u64),
    #[serde(rename = "boolValue")]
    Flag(bool),
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

impl<'a> From<&'a Value> for AnyValue<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Number(number) => Self::Number(*number),
            Value::Flag(flag) => Self::Flag(*flag),
        }
    }
}

fn fields<'a>(attributes: &'a [(&'static str, Value)]) -> Vec<KeyValue<'a>> {
    let field = |(key, value): &'a (&'static str, Value)| KeyValue {
        key,
        value: value.into(),
    };
    attributes.iter().map(field).collect()
}

/// Appends the line of a record.
pub(super) fn write(host: &Host, record: &Record, out: &mut Vec<u8>) {
    let resource = resource(host);
    let time = unix_nanos(host, record.at);
    let request = Request {
        resource_logs: [ResourceLogs {
            resource: Resource {
                attributes: fields(&resource),
            },
            scope_logs: [ScopeLogs {
                scope: Scope {
                    name: "socktrace",
                    version: env!("CARGO_PKG_VERSION"),
                },
                log_records: [LogRecord {
                    time_unix_nano: Shown(time),
                    observed_time_unix_nano: Shown(time),
                    severity_number: record.severity as u32,
                    severity_text: record.severity.name(),
                    event_name: record.event_name,
                    body: (!record.body.is_empty()).then(|| AnyValue::Text(&record.body)),
                    attributes: fields(&record.attributes),
                }],
            }],
        }],
    };
    let written = serde_json::to_writer(&mut *out, &request);
    // A Vec takes everything, and no map here has keys that are no strings.
    debug_assert!(written.is_ok(), "{written:?}");
    out.push(b'\n');
}
