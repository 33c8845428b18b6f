//! What counterparts differ in.

use super::client::Answer;
use super::elastic::Elastic;
use super::loki::Loki;
use super::otlp::Otlp;
use super::splunk::Splunk;
use super::verdict::Verdict;
use super::webhook::Webhook;
use crate::sink::target::{HttpDialect, HttpTarget};

/// How lines become a request, and what an answer says of them.
pub(super) trait Dialect: Send {
    /// Of the request's body.
    fn content_type(&self) -> &'static str;

    /// Appends the body of a request with `lines` to `out`; how many lines could not be put into it.
    fn body(&mut self, lines: &[u8], out: &mut Vec<u8>) -> u64;

    /// Why lines could not be put into it.
    fn unusable(&self) -> String {
        String::new()
    }

    /// Most bytes of lines in a request, unless one line has more.
    fn most_bytes(&self) -> usize {
        usize::MAX
    }

    /// Most bytes of an answer that are read.
    fn most_answer(&self) -> usize {
        64 * 1024
    }

    /// What `answer` means for `lines`.
    fn judge(&mut self, answer: &Answer, lines: &[u8]) -> Verdict;
}

/// The dialect of a target.
pub(super) fn of(target: &HttpTarget) -> Box<dyn Dialect> {
    match &target.dialect {
        HttpDialect::Otlp => Box::new(Otlp),
        HttpDialect::Webhook(shape) => Box::new(Webhook(*shape)),
        HttpDialect::Elastic => Box::new(Elastic),
        HttpDialect::Splunk(options) => Box::new(Splunk::new(options)),
        HttpDialect::Loki => Box::new(Loki),
    }
}
