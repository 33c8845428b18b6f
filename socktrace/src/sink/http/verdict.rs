//! What an answer means for the lines of its request.

use std::time::Duration;

use super::client::Answer;
use crate::schema::escape;

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The counterpart has them, but for `lost` lines that it will never take.
    Taken { lost: u64, why: Option<String> },
    /// All of them again, not before `after`.
    Later {
        reason: String,
        after: Option<Duration>,
    },
    /// Those with the numbers `again` once more, in ascending order; of the others `lost` are lost.
    Some {
        again: Vec<usize>,
        lost: u64,
        why: Option<String>,
        /// Why it is busy, where a pause is needed before.
        busy: Option<String>,
        after: Option<Duration>,
    },
    /// It takes them in smaller requests only, if at all: a line that it does not even take alone is lost.
    Smaller {
        reason: String,
        /// Because of their size, so that the next ones should be smaller too.
        for_good: bool,
    },
}

impl Verdict {
    /// The counterpart has all lines.
    pub(super) const TAKEN: Self = Self::Taken { lost: 0, why: None };

    /// Lost, and everything else taken.
    pub(super) fn lost(lost: u64, why: String) -> Self {
        Self::Taken {
            lost,
            why: Some(why),
        }
    }

    /// All lines again, at the courier's pace.
    pub(super) fn later(reason: String) -> Self {
        Self::Later {
            reason,
            after: None,
        }
    }

    /// All lines again, as the answer says.
    pub(super) fn later_as(answer: &Answer, reason: String) -> Self {
        Self::Later {
            reason,
            after: answer.retry_after,
        }
    }

    /// By the status alone (RFC 9110 §15), of a request with `lines` lines: refused for good is what says
    /// that the request itself is wrong. Whatever can be put right at the other end, credentials and
    /// addresses included, is tried until it is.
    pub(super) fn of_status(answer: &Answer, lines: u64) -> Self {
        match answer.status {
            200..=299 => Self::TAKEN,
            400 | 406 | 411 | 415 | 422 => Self::lost(lines, complaint(answer)),
            413 => Self::Smaller {
                reason: complaint(answer),
                for_good: true,
            },
            300..=399 => Self::later(format!(
                "it answered {}, a redirect, and none is followed; give the final URL",
                answer.status
            )),
            _ => Self::later_as(answer, complaint(answer)),
        }
    }
}

/// An answer in a few words: its status, and the beginning of its body where that is meant to be read.
pub(super) fn complaint(answer: &Answer) -> String {
    let reason = ureq::http::StatusCode::from_u16(answer.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("unknown status");
    let mut text = format!("it answered {} {reason}", answer.status);
    let readable = answer.content_type != "text/html";
    let words = excerpt(&answer.body);
    if readable && !words.is_empty() {
        text.push_str(": ");
        text.push_str(&words);
    }
    text
}

/// The beginning of a text that the counterpart wrote, on one line.
pub(super) fn excerpt(text: &[u8]) -> String {
    const MOST: usize = 160;
    let text = text.trim_ascii();
    let head = text.get(..MOST).unwrap_or(text);
    let mut shown = escape(head).into_owned();
    if head.len() < text.len() {
        shown.push('…');
    }
    shown
}
