//! Many lines as one request in protobuf, and what the answer to it says.

use prost::Message as _;

use super::proto::{Request, ResourceLogs, Response};

/// What became of the lines of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Log records in the request.
    pub records: u64,
    /// Lines that are no lines of [`crate::schema::Format::Otlp`], and are not in it.
    pub unreadable: u64,
}

/// Log records that a collector has taken a request without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub records: u64,
    /// Why, in the collector's words.
    pub message: String,
}

/// Appends lines of [`crate::schema::Format::Otlp`] to `out` as one `ExportLogsServiceRequest`.
///
/// All lines of an agent have the same resource and scope, which the request then has once.
pub fn pack(lines: &[u8], out: &mut Vec<u8>) -> Packed {
    let mut packed = Packed::default();
    let mut request = Request::default();
    let lines = lines.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        let Ok(single) = serde_json::from_slice::<Request>(line) else {
            packed.unreadable += 1;
            continue;
        };
        for logs in single.resource_logs {
            let records: usize = logs.scope_logs.iter().map(|s| s.log_records.len()).sum();
            packed.records += records as u64;
            join(&mut request, logs);
        }
    }
    let encoded = request.encode(out);
    // A Vec has room for everything.
    debug_assert!(encoded.is_ok(), "{encoded:?}");
    packed
}

fn join(request: &mut Request, logs: ResourceLogs) {
    match request.resource_logs.last_mut() {
        Some(last) if last.resource == logs.resource => {
            for scope in logs.scope_logs {
                match last.scope_logs.last_mut() {
                    Some(known) if known.scope == scope.scope => {
                        known.log_records.extend(scope.log_records);
                    }
                    _ => last.scope_logs.push(scope),
                }
            }
        }
        _ => request.resource_logs.push(logs),
    }
}

/// What an `ExportLogsServiceResponse` says, in protobuf or JSON; `None` if it is none.
#[must_use]
pub fn rejected(answer: &[u8], is_json: bool) -> Option<Rejected> {
    let response = if is_json {
        serde_json::from_slice::<Response>(answer).ok()?
    } else {
        Response::decode(answer).ok()?
    };
    let partial = response.partial_success.unwrap_or_default();
    Some(Rejected {
        records: u64::try_from(partial.rejected_log_records).unwrap_or(0),
        message: partial.error_message,
    })
}

#[cfg(test)]
mod tests {
    use super::super::proto::{LogRecord, PartialSuccess, Value};
    use super::*;

    const LINE: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"socktrace"}}]},"scopeLogs":[{"scope":{"name":"socktrace","version":"1"},"logRecords":[{"timeUnixNano":"1795360915123456789","observedTimeUnixNano":"1795360915123456789","severityNumber":13,"severityText":"WARN","eventName":"socket.leak","body":{"stringValue":"leaked"},"attributes":[{"key":"a","value":{"intValue":"18446744073709551615"}},{"key":"b","value":{"boolValue":true}}]}]}]}]}"#;

    fn records(request: &Request) -> Vec<&LogRecord> {
        let scopes = request.resource_logs.iter().flat_map(|r| &r.scope_logs);
        scopes.flat_map(|s| &s.log_records).collect()
    }

    #[test]
    fn lines_of_one_resource_become_one_request() {
        let other = LINE.replace("socktrace\"}", "other\"}");
        let lines = format!("{LINE}\n{LINE}\nno line of ours\n{other}\n");
        let mut out = Vec::new();
        let packed = pack(lines.as_bytes(), &mut out);
        let expected = Packed {
            records: 3,
            unreadable: 1,
        };
        assert_eq!(packed, expected);
        let request = Request::decode(&*out).unwrap();
        assert_eq!(request.resource_logs.len(), 2);
        let records = records(&request);
        assert_eq!(records.len(), 3);
        for record in records {
            assert_eq!(record.time_unix_nano, 1_795_360_915_123_456_789);
            assert_eq!(record.severity_number, 13);
            assert_eq!(record.event_name, "socket.leak");
            let body = record.body.clone().unwrap().value;
            assert_eq!(body, Some(Value::Text("leaked".to_owned())));
            let values: Vec<_> = record.attributes.iter().map(|a| a.value.clone()).collect();
            let value = |at: usize| values[at].clone().unwrap().value;
            assert_eq!(value(0), Some(Value::Number(i64::MAX)));
            assert_eq!(value(1), Some(Value::Flag(true)));
        }
    }

    #[test]
    fn an_answer_says_what_was_rejected() {
        let check = |answer: &[u8], is_json, expected: Option<(u64, &str)>| {
            let found = rejected(answer, is_json).map(|r| (r.records, r.message));
            let expected = expected.map(|(records, message)| (records, message.to_owned()));
            assert_eq!(found, expected);
        };
        check(b"", false, Some((0, "")));
        check(b"{}", true, Some((0, "")));
        check(
            br#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}"#,
            true,
            Some((3, "too old")),
        );
        check(
            br#"{"partialSuccess":{"rejectedLogRecords":3}}"#,
            true,
            Some((3, "")),
        );
        let partial = Response {
            partial_success: Some(PartialSuccess {
                rejected_log_records: 2,
                error_message: "quota".to_owned(),
            }),
        };
        check(&partial.encode_to_vec(), false, Some((2, "quota")));
        check(b"<html>hello</html>", false, None);
        check(b"<html>hello</html>", true, None);
    }
}
