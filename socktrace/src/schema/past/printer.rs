//! One answer of `history`.

use super::super::ids::Ids;
use super::super::json;
use super::super::words::count;
use super::{csv, text};
use crate::model::{Host, Past, PastGroup, PastLosses, PastMinute, WallMicros};

/// What an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HistoryFormat {
    /// Columns for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values.
    Csv,
}

/// Appends lines to `out`, the first of them preceded by headings where the format has some.
#[derive(Debug)]
pub struct HistoryPrinter {
    format: HistoryFormat,
    /// This host, as if it had been booted in 1970: past findings have wall times.
    host: Host,
    ids: Ids,
    sequence: u64,
}

impl HistoryPrinter {
    /// An answer that begins, on `host`.
    #[must_use]
    pub fn new(format: HistoryFormat, host: Host) -> Self {
        Self {
            format,
            ids: Ids::new(&host),
            host: Host {
                wall_minus_boot_ns: 0,
                ..host
            },
            sequence: 0,
        }
    }

    /// A finding.
    pub fn finding(&mut self, past: &Past, out: &mut Vec<u8>) {
        self.head(text::heading, || csv::FINDING.to_owned(), out);
        match self.format {
            HistoryFormat::Text => self.end(&text::finding(&self.host, past), out),
            HistoryFormat::Csv => self.end(&csv::finding(&self.host, past), out),
            HistoryFormat::Json => json::past(&self.host, &self.ids, self.sequence, past, out),
        }
        self.go_on();
    }

    /// The counts of a minute.
    pub fn minute(&mut self, minute: &PastMinute, out: &mut Vec<u8>) {
        self.head(text::minute_heading, || csv::MINUTE.to_owned(), out);
        match self.format {
            HistoryFormat::Text => self.end(&text::minute(&self.host, minute), out),
            HistoryFormat::Csv => self.end(&csv::minute(&self.host, minute), out),
            HistoryFormat::Json => {
                json::past_minute(&self.host, &self.ids, self.sequence, minute, out);
            }
        }
        self.go_on();
    }

    /// Findings that were counted together, by what `by` names.
    pub fn group(&mut self, by: &str, group: &PastGroup, out: &mut Vec<u8>) {
        self.head(|| text::group_heading(by), || csv::group_heading(by), out);
        match self.format {
            HistoryFormat::Text => self.end(&text::group(&self.host, group), out),
            HistoryFormat::Csv => self.end(&csv::group(&self.host, group), out),
            HistoryFormat::Json => {
                json::past_group(&self.host, &self.ids, self.sequence, by, group, out);
            }
        }
        self.go_on();
    }

    /// The end: how many findings that was, and what was not kept. CSV has no place for it, and only the
    /// headings where there was nothing.
    pub fn finish(
        &mut self,
        now: WallMicros,
        findings: u64,
        losses: &PastLosses,
        out: &mut Vec<u8>,
    ) {
        match self.format {
            HistoryFormat::Text => {
                let mut line = count(findings, "finding", "findings");
                let lost = text::losses(losses);
                if !lost.is_empty() {
                    line.push_str("; ");
                    line.push_str(&lost);
                }
                self.end(&line, out);
            }
            HistoryFormat::Csv => {
                self.head(String::new, || csv::FINDING.to_owned(), out);
            }
            HistoryFormat::Json => {
                let shown = (now, findings);
                json::past_summary(&self.host, &self.ids, self.sequence, shown, losses, out);
            }
        }
        self.go_on();
    }

    /// The next line has another number, and so another name.
    fn go_on(&mut self) {
        self.sequence += 1;
        self.ids.begin_event(self.sequence);
    }

    fn head(&self, text: impl FnOnce() -> String, csv: impl FnOnce() -> String, out: &mut Vec<u8>) {
        if self.sequence > 0 {
            return;
        }
        match self.format {
            HistoryFormat::Text => self.end(&text(), out),
            HistoryFormat::Csv => self.end(&csv(), out),
            HistoryFormat::Json => {}
        }
    }

    fn end(&self, line: &str, out: &mut Vec<u8>) {
        if self.format == HistoryFormat::Csv {
            out.extend_from_slice(line.as_bytes());
            // RFC 4180 §2.1
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(line.trim_end().as_bytes());
            out.push(b'\n');
        }
    }
}
