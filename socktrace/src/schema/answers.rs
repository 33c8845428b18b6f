//! What counterparts answer in JSON, and how text is quoted for them.

use serde::Deserialize;

/// What became of one line in Elasticsearch's `_bulk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkItem {
    /// A status of HTTP.
    pub status: u16,
    /// What was wrong.
    pub error: String,
}

/// What Splunk's HTTP Event Collector answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HecAnswer {
    /// 0 is success.
    pub code: u32,
    /// The same in words.
    #[serde(default)]
    pub text: String,
    /// The number of the event that is at fault, from 0.
    #[serde(rename = "invalid-event-number")]
    pub invalid: Option<usize>,
}

#[derive(Deserialize)]
struct Bulk {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    status: u16,
    error: Option<Failure>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure {
    #[serde(rename = "type")]
    kind: String,
    reason: String,
}

/// What an answer to `_bulk` says of each line, in their order; `None` if it is no such answer.
#[must_use]
pub fn bulk_items(answer: &[u8]) -> Option<Vec<BulkItem>> {
    let bulk: Bulk = serde_json::from_slice(answer).ok()?;
    let item = |Item { create }| {
        let Created { status, error } = create;
        let Failure { kind, reason } = error.unwrap_or_default();
        BulkItem {
            status,
            error: format!("{kind}: {reason}"),
        }
    };
    Some(bulk.items.into_iter().map(item).collect())
}

/// The answer of an event collector; `None` if it is none.
#[must_use]
pub fn hec_answer(answer: &[u8]) -> Option<HecAnswer> {
    serde_json::from_slice(answer).ok()
}

/// Appends `text` as a string of JSON.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, text);
    // A Vec takes everything.
    debug_assert!(written.is_ok(), "{written:?}");
}
