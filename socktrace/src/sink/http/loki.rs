//! Loki's push (grafana.com/docs/loki, "Ingest logs"): streams of lines under labels of which there are few.

use std::collections::BTreeMap;

use super::client::Answer;
use super::dialect::Dialect;
use super::verdict::{Verdict, complaint};
use crate::clock::{self, Clock as _};
use crate::schema::{Glance, quote};
use crate::sink::courier::lines;
use crate::sink::line::count_lines;

/// A Loki.
pub(super) struct Loki;

/// The labels of a stream, all with values that are few: names of actions, kinds and this host. `None` is left
/// out.
type Labels = (Option<String>, Option<String>, Option<String>);

impl Dialect for Loki {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn body(&mut self, batch: &[u8], out: &mut Vec<u8>) -> u64 {
        let mut streams: BTreeMap<Labels, Vec<(u64, &[u8])>> = BTreeMap::new();
        for line in lines(batch) {
            let glance = Glance::of(line);
            let at = glance.at.unwrap_or_else(now);
            let labels = (glance.action, glance.kind, glance.host);
            streams.entry(labels).or_default().push((at, line));
        }
        out.extend_from_slice(b"{\"streams\":[");
        for (number, (labels, mut entries)) in streams.into_iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            // Of one time they keep their order.
            entries.sort_by_key(|(at, _)| *at);
            stream(labels, &entries, out);
        }
        out.extend_from_slice(b"]}");
        0
    }

    /// A refusal of single entries is a 400 for all, and what was not refused was taken. Where it does not tell
    /// how many those are, smaller requests do: Loki takes what is the same twice as one.
    fn judge(&mut self, answer: &Answer, batch: &[u8]) -> Verdict {
        let all = count_lines(batch);
        match answer.status {
            204 => Verdict::TAKEN,
            200 if answer.body.is_empty() && answer.broken.is_none() => Verdict::TAKEN,
            200..=299 => Verdict::later(
                "its answer to a success is none of Loki's; is the URL right?".to_owned(),
            ),
            400 => match ignored(&answer.body) {
                Some(lost) => Verdict::lost(lost.min(all), complaint(answer)),
                None => Verdict::Smaller {
                    reason: complaint(answer),
                    for_good: false,
                },
            },
            _ => Verdict::of_status(answer, all),
        }
    }
}

fn stream((action, kind, host): Labels, entries: &[(u64, &[u8])], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"stream\":{\"job\":\"socktrace\"");
    for (name, value) in [("action", &action), ("host", &host), ("kind", &kind)] {
        if let Some(value) = value {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            quote(value, out);
        }
    }
    out.extend_from_slice(b"},\"values\":[");
    for (number, (at, line)) in entries.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(format!("[\"{at}\",").as_bytes());
        quote(&String::from_utf8_lossy(line), out);
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
}

/// How many entries an answer says were ignored: `total ignored: 1 out of 3 for stream: {…}`, once a stream.
fn ignored(body: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(body);
    let mut found = None;
    for part in text.split("total ignored: ").skip(1) {
        let number = part.split(' ').next()?.parse::<u64>().ok()?;
        found = Some(found.unwrap_or(0_u64).saturating_add(number));
    }
    found
}

fn now() -> u64 {
    let since = clock::System.wall().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_entries_are_added_up() {
        let check = |text: &str, expected| assert_eq!(ignored(text.as_bytes()), expected, "{text}");
        let one = "entry with timestamp 2026-11-22 ignored, reason: 'entry too far behind', total ignored: 2 out of 3 for stream: {a=\"b\"}\n";
        check(one, Some(2));
        check(&one.repeat(2), Some(4));
        check("error at least one label pair is required per stream", None);
        check("total ignored: many", None);
        check("", None);
    }
}
