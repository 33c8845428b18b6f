//! Any receiver of JSON: what counts is the status.

use super::client::Answer;
use super::dialect::Dialect;
use super::verdict::Verdict;
use crate::sink::courier::lines;
use crate::sink::line::count_lines;
use crate::sink::target::BodyShape;

/// A receiver.
pub(super) struct Webhook(pub(super) BodyShape);

impl Dialect for Webhook {
    fn content_type(&self) -> &'static str {
        match self.0 {
            BodyShape::Ndjson => "application/x-ndjson",
            BodyShape::Array | BodyShape::Single => "application/json",
        }
    }

    fn most_bytes(&self) -> usize {
        match self.0 {
            BodyShape::Single => 1,
            BodyShape::Ndjson | BodyShape::Array => usize::MAX,
        }
    }

    fn body(&mut self, batch: &[u8], out: &mut Vec<u8>) -> u64 {
        match self.0 {
            BodyShape::Ndjson | BodyShape::Single => out.extend_from_slice(batch),
            BodyShape::Array => {
                out.push(b'[');
                for (number, line) in lines(batch).enumerate() {
                    if number > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(line);
                }
                out.push(b']');
            }
        }
        0
    }

    fn judge(&mut self, answer: &Answer, lines: &[u8]) -> Verdict {
        Verdict::of_status(answer, count_lines(lines))
    }
}
