//! `_bulk` of Elasticsearch and OpenSearch: one `create` a line, under the event's own name, so that a line
//! that arrives twice is there once.

use super::client::Answer;
use super::dialect::Dialect;
use super::verdict::{Verdict, complaint, excerpt};
use crate::schema::{BulkItem, Glance, bulk_items, quote};
use crate::sink::courier::lines;
use crate::sink::line::count_lines;

/// A cluster.
pub(super) struct Elastic;

impl Dialect for Elastic {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn body(&mut self, batch: &[u8], out: &mut Vec<u8>) -> u64 {
        for line in lines(batch) {
            out.extend_from_slice(b"{\"create\":{");
            if let Some(id) = Glance::of(line).id {
                out.extend_from_slice(b"\"_id\":");
                quote(&id, out);
            }
            out.extend_from_slice(b"}}\n");
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        0
    }

    fn most_answer(&self) -> usize {
        1 << 20
    }

    fn judge(&mut self, answer: &Answer, batch: &[u8]) -> Verdict {
        let all = count_lines(batch);
        if answer.status != 200 {
            return match Verdict::of_status(answer, all) {
                // Another success than 200 is none of Elasticsearch's.
                Verdict::Taken { lost: 0, .. } => Verdict::later(complaint(answer)),
                other => other,
            };
        }
        if let Some(reason) = &answer.broken {
            return Verdict::later(reason.clone());
        }
        match bulk_items(&answer.body).filter(|items| items.len() as u64 == all) {
            Some(items) => item_by_item(&items, answer),
            None => Verdict::later(
                "its answer to a success is none to a bulk request; is the URL right?".to_owned(),
            ),
        }
    }
}

fn item_by_item(items: &[BulkItem], answer: &Answer) -> Verdict {
    let (mut again, mut lost) = (Vec::new(), 0);
    let (mut reason, mut why) = (None, None);
    for (number, BulkItem { status, error }) in items.iter().enumerate() {
        let explain = || {
            let words = excerpt(error.as_bytes());
            format!("an item was answered with {status}, {words}")
        };
        match status {
            // A conflict: it was there already.
            200..=299 | 409 => {}
            429 | 500..=599 => {
                again.push(number);
                reason.get_or_insert_with(explain);
            }
            _ => {
                lost += 1;
                why.get_or_insert_with(explain);
            }
        }
    }
    Verdict::Some {
        again,
        lost,
        why,
        busy: reason,
        after: answer.retry_after,
    }
}
