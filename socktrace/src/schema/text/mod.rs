//! Lines for people: aligned, coloured only if told so.

mod column;
mod finding;
mod incident;
mod paint;
mod scan;
mod status;
mod trace;

use std::collections::BTreeMap;

use super::moments::wall;
use crate::model::{
    BootTime, Finding, HookReport, Host, Kind, Lifecycle, NamedIncident, ScanGroup, ScanSummary,
    Scanned, Status,
};
use paint::Paint;

/// Prints lines and remembers what headings and sums need.
#[derive(Debug)]
pub(super) struct Printer {
    paint: Paint,
    headed: bool,
    scanned: BTreeMap<Kind, u64>,
    groups: u64,
    grouped: u64,
    /// The line in the making, to use its room again.
    line: String,
}

impl Printer {
    /// With terminal colours if `colour`.
    pub(super) fn new(colour: bool) -> Self {
        let scanned = BTreeMap::new();
        Self {
            paint: Paint::new(colour),
            headed: false,
            scanned,
            groups: 0,
            grouped: 0,
            line: String::new(),
        }
    }

    /// See [`finding::line`].
    pub(super) fn finding(&self, host: &Host, finding: &Finding, out: &mut Vec<u8>) {
        end(
            &finding::line(self.paint, &time(host, finding.leak.at), finding),
            out,
        );
    }

    /// See [`incident::line`].
    pub(super) fn incident(&self, host: &Host, named: &NamedIncident, out: &mut Vec<u8>) {
        let time = time(host, named.incident.at);
        end(&incident::line(self.paint, &time, named), out);
    }

    /// See [`trace::push_line`].
    pub(super) fn lifecycle(&mut self, host: &Host, event: &Lifecycle, out: &mut Vec<u8>) {
        self.head(trace::heading, out);
        self.line.clear();
        trace::push_line(&mut self.line, host, event);
        end(&self.line, out);
    }

    /// See [`status::line`].
    pub(super) fn status(&self, host: &Host, status: &Status, out: &mut Vec<u8>) {
        end(
            &status::line(self.paint, &time(host, status.at), status),
            out,
        );
    }

    /// See [`status::hook`].
    pub(super) fn hook(&self, hook: &HookReport, out: &mut Vec<u8>) {
        end(&status::hook(self.paint, hook), out);
    }

    /// See [`scan::push_line`].
    pub(super) fn scanned(&mut self, scanned: &Scanned, out: &mut Vec<u8>) {
        *self.scanned.entry(scanned.kind).or_default() += 1;
        self.head(scan::heading, out);
        self.line.clear();
        scan::push_line(&mut self.line, scanned);
        end(&self.line, out);
    }

    /// See [`scan::group`].
    pub(super) fn group(&mut self, by: &str, group: &ScanGroup, out: &mut Vec<u8>) {
        self.groups += 1;
        self.grouped = self.grouped.saturating_add(group.count);
        self.head(|| scan::group_heading(by), out);
        end(&scan::group(group), out);
    }

    /// See [`scan::summary`], [`scan::group_summary`] and [`scan::machine`].
    pub(super) fn scan_summary(&self, summary: &ScanSummary, out: &mut Vec<u8>) {
        let line = match self.groups {
            0 => scan::summary(&self.scanned),
            groups => scan::group_summary(groups, self.grouped),
        };
        end(&line, out);
        for line in scan::machine(summary) {
            end(&line, out);
        }
    }

    /// Writes a line of headings once.
    fn head(&mut self, heading: impl FnOnce() -> String, out: &mut Vec<u8>) {
        if !self.headed {
            self.headed = true;
            end(&heading(), out);
        }
    }
}

/// Appends a line and its newline, without the blanks that padded its last column.
fn end(line: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(line.trim_end().as_bytes());
    out.push(b'\n');
}

/// `15:04:05Z`: UTC, and it says so.
fn time(host: &Host, at: BootTime) -> String {
    let full = humantime::format_rfc3339_seconds(wall(host, at)).to_string();
    after_date(&full).to_owned()
}

fn after_date(rfc3339: &str) -> &str {
    rfc3339.split_once('T').map_or(rfc3339, |(_, time)| time)
}
