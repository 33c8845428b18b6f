//! Splunk's HTTP Event Collector: one envelope an event, and answers with codes of its own.

use super::client::Answer;
use super::dialect::Dialect;
use super::verdict::{Verdict, complaint, excerpt};
use crate::schema::{Glance, hec_answer, quote};
use crate::sink::courier::lines;
use crate::sink::line::count_lines;
use crate::sink::target::SplunkTarget;

/// An indexer or forwarder.
pub(super) struct Splunk {
    /// What envelopes have in common: `"source":"socktrace",…`.
    common: Vec<u8>,
}

impl Splunk {
    pub(super) fn new(options: &SplunkTarget) -> Self {
        let mut common = Vec::new();
        let fields = [
            ("source", Some("socktrace")),
            ("sourcetype", Some(options.sourcetype.as_str())),
            ("index", options.index.as_deref()),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                field(name, value, &mut common);
            }
        }
        Self { common }
    }
}

impl Dialect for Splunk {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn body(&mut self, batch: &[u8], out: &mut Vec<u8>) -> u64 {
        for line in lines(batch) {
            let glance = Glance::of(line);
            out.push(b'{');
            if let Some(at) = glance.at {
                let (seconds, micros) = (at / 1_000_000_000, at % 1_000_000_000 / 1000);
                out.extend_from_slice(format!("\"time\":{seconds}.{micros:06},").as_bytes());
            }
            if let Some(host) = &glance.host {
                field("host", host, out);
            }
            out.extend_from_slice(&self.common);
            out.extend_from_slice(b"\"event\":");
            out.extend_from_slice(line);
            out.extend_from_slice(b"}\n");
        }
        0
    }

    /// What is wrong with an event is its loss; what is wrong with the collector, the token or the index can
    /// be put right.
    fn judge(&mut self, answer: &Answer, batch: &[u8]) -> Verdict {
        let all = count_lines(batch);
        let Some(told) = hec_answer(&answer.body) else {
            return match Verdict::of_status(answer, all) {
                Verdict::Taken { lost: 0, .. } => {
                    let reason = answer.broken.clone();
                    Verdict::later(reason.unwrap_or_else(|| {
                        "its answer to a success is none of an event collector's; is the URL right?"
                            .to_owned()
                    }))
                }
                other => other,
            };
        };
        let words = format!(
            "it answered {} with code {}, {}",
            answer.status,
            told.code,
            excerpt(told.text.as_bytes())
        );
        match (answer.status, told.code) {
            (200, 0) => Verdict::TAKEN,
            // No data, invalid format, event missing or blank, indexed fields.
            (_, 5 | 6 | 12 | 13 | 15) => without(told.invalid, all, words),
            (413, _) => Verdict::Smaller {
                reason: complaint(answer),
                for_good: true,
            },
            // Tokens, indexes and channels (1–4, 7, 10, 11, 14, 16), and what it is too busy for.
            _ => Verdict::later_as(answer, words),
        }
    }
}

/// All but the event that is at fault, if it is told which.
fn without(invalid: Option<usize>, all: u64, words: String) -> Verdict {
    let count = usize::try_from(all).unwrap_or(usize::MAX);
    match invalid.filter(|number| *number < count) {
        None => Verdict::lost(all, words),
        Some(number) => Verdict::Some {
            again: (0..count).filter(|other| *other != number).collect(),
            lost: 1,
            why: Some(words),
            busy: None,
            after: None,
        },
    }
}

/// Appends `"name":"value",`.
fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    for (text, end) in [(name, b':'), (value, b',')] {
        quote(text, out);
        out.push(end);
    }
}
