//! OTLP over HTTP (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP"): one `ExportLogsServiceRequest` a request.

use super::client::Answer;
use super::dialect::Dialect;
use super::verdict::{Verdict, complaint, excerpt};
use crate::schema;
use crate::sink::line::count_lines;

/// A collector.
pub(super) struct Otlp;

impl Dialect for Otlp {
    fn content_type(&self) -> &'static str {
        "application/x-protobuf"
    }

    fn body(&mut self, lines: &[u8], out: &mut Vec<u8>) -> u64 {
        schema::pack(lines, out).unreadable
    }

    fn unusable(&self) -> String {
        "these lines are no log records (was the spool written with another format?)".to_owned()
    }

    /// Only the statuses that the specification calls retryable are; a partial success is a success.
    fn judge(&mut self, answer: &Answer, lines: &[u8]) -> Verdict {
        let all = count_lines(lines);
        match answer.status {
            200..=299 => taken(answer, all),
            429 | 502 | 503 | 504 => Verdict::later_as(answer, complaint(answer)),
            _ => Verdict::lost(all, complaint(answer)),
        }
    }
}

fn taken(answer: &Answer, all: u64) -> Verdict {
    if let Some(reason) = &answer.broken {
        return Verdict::later(reason.clone());
    }
    let is_json = answer.content_type == "application/json";
    let Some(rejected) = schema::rejected(&answer.body, is_json) else {
        let kind = excerpt(answer.content_type.as_bytes());
        return Verdict::later(format!(
            "its answer to a success ({kind}) is none of an OTLP collector's; is the URL right?"
        ));
    };
    if rejected.records == 0 {
        return Verdict::TAKEN;
    }
    let words = excerpt(rejected.message.as_bytes());
    Verdict::lost(
        rejected.records.min(all),
        format!("the collector rejected log records: {words}"),
    )
}
