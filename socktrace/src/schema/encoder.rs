//! One stream of lines.

use super::envelope::{Envelope, Label, Severity};
use super::ids::Ids;
use super::incident::says_more;
use super::{cef, json, ocsf, otlp, text};
use crate::model::{
    BootTime, Finding, HookReport, Host, IncidentPhase, Lifecycle, NamedIncident, Phase, ScanGroup,
    ScanSummary, Scanned, Status,
};

/// What lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Columns for people.
    Text,
    /// One JSON object a line, in the shape of the Elastic Common Schema 9.4.
    Json,
    /// One object a line, in the classes of the Open Cybersecurity Schema Framework 1.8.
    Ocsf,
    /// The Common Event Format, a line an event.
    Cef,
    /// One OTLP request with one log record a line, as JSON.
    Otlp,
}

/// Turns what the core says into the lines of one stream and numbers them.
///
/// Every method appends whole lines, each ended by a newline, to `out`. The number (`event.sequence`)
/// counts the events of this stream from 0 without gaps, so a consumer can see what it has missed:
/// encode an event only if it is going to be written.
#[derive(Debug)]
pub struct Encoder {
    lines: Lines,
    host: Host,
    sequence: u64,
    /// For lines that go to syslog.
    envelope: Option<Envelope>,
}

/// What a format keeps between two lines.
#[derive(Debug)]
enum Lines {
    Text(text::Printer),
    Json(Ids),
    Ocsf(Ids),
    Cef(Ids),
    Otlp(Ids),
}

impl Encoder {
    /// A stream that begins. `colour` has a meaning in [`Format::Text`] only.
    #[must_use]
    pub fn new(format: Format, host: Host, colour: bool) -> Self {
        let lines = match format {
            Format::Text => Lines::Text(text::Printer::new(colour)),
            Format::Json => Lines::Json(Ids::new(&host)),
            Format::Ocsf => Lines::Ocsf(Ids::new(&host)),
            Format::Cef => Lines::Cef(Ids::new(&host)),
            Format::Otlp => Lines::Otlp(Ids::new(&host)),
        };
        Self {
            lines,
            host,
            sequence: 0,
            envelope: None,
        }
    }

    /// The same, each line with a header for syslog.
    #[must_use]
    pub fn with_envelope(mut self, envelope: Option<Envelope>) -> Self {
        self.envelope = envelope;
        self
    }

    /// The number that the next event will have.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.sequence
    }

    /// Takes over a wall clock that was set after the start: nanoseconds to add to the boot clock.
    pub fn set_wall_minus_boot_ns(&mut self, offset: i128) {
        self.host.wall_minus_boot_ns = offset;
    }

    /// A finding: opened, updated or resolved.
    pub fn encode_finding(&mut self, finding: &Finding, out: &mut Vec<u8>) {
        let leak = &finding.leak;
        let severity = match leak.phase {
            Phase::Open => Severity::Warning,
            Phase::Update => Severity::Notice,
            Phase::Resolved(_) => Severity::Informational,
        };
        let more = [("kind", leak.kind.name()), ("phase", leak.phase.name())];
        let sequence = self.begin(leak.at, severity, "socket.leak", &more, out);
        match &mut self.lines {
            Lines::Text(text) => text.finding(&self.host, finding, out),
            Lines::Json(ids) => json::finding(&self.host, ids, sequence, finding, out),
            Lines::Ocsf(ids) => ocsf::finding(&self.host, ids, sequence, finding, out),
            Lines::Cef(ids) => cef::finding(&self.host, ids, sequence, finding, out),
            Lines::Otlp(ids) => otlp::finding(&self.host, ids, sequence, finding, out),
        }
    }

    /// An incident: opened, updated or resolved. As text, nothing where it would repeat the line of its
    /// only finding.
    pub fn encode_incident(&mut self, named: &NamedIncident, out: &mut Vec<u8>) {
        let incident = &named.incident;
        if matches!(self.lines, Lines::Text(_)) && !says_more(incident) {
            return;
        }
        let severity = match incident.phase {
            IncidentPhase::Open | IncidentPhase::Update => Severity::Warning,
            IncidentPhase::Resolved => Severity::Informational,
        };
        let (kind, phase) = (incident.kind.name(), incident.phase.name());
        let more = [("kind", kind), ("phase", phase)];
        let sequence = self.begin(incident.at, severity, "process.leak", &more, out);
        match &mut self.lines {
            Lines::Text(text) => text.incident(&self.host, named, out),
            Lines::Json(ids) => json::incident(&self.host, ids, sequence, named, out),
            Lines::Ocsf(ids) => ocsf::incident(&self.host, ids, sequence, named, out),
            Lines::Cef(ids) => cef::incident(&self.host, ids, sequence, named, out),
            Lines::Otlp(ids) => otlp::incident(&self.host, ids, sequence, named, out),
        }
    }

    /// An event of `trace`. As text, the first one is preceded by a line of headings.
    pub fn encode_lifecycle(&mut self, event: &Lifecycle, out: &mut Vec<u8>) {
        let severity = Severity::Informational;
        let sequence = self.begin(event.at, severity, event.what.action(), &[], out);
        match &mut self.lines {
            Lines::Text(text) => text.lifecycle(&self.host, event, out),
            Lines::Json(ids) => json::lifecycle(&self.host, ids, sequence, event, out),
            Lines::Ocsf(ids) => ocsf::lifecycle(&self.host, ids, sequence, event, out),
            Lines::Cef(ids) => cef::lifecycle(&self.host, ids, sequence, event, out),
            Lines::Otlp(ids) => otlp::lifecycle(&self.host, ids, sequence, event, out),
        }
    }

    /// The agent's own health.
    pub fn encode_status(&mut self, status: &Status, out: &mut Vec<u8>) {
        let lost = status.lost.values().any(|lost| *lost > 0);
        let severity = if lost {
            Severity::Warning
        } else {
            Severity::Informational
        };
        let more = [("reason", status.reason.name())];
        let sequence = self.begin(status.at, severity, "socktrace.status", &more, out);
        match &mut self.lines {
            Lines::Text(text) => text.status(&self.host, status, out),
            Lines::Json(ids) => json::status(&self.host, ids, sequence, status, out),
            Lines::Ocsf(ids) => ocsf::status(&self.host, ids, sequence, status, out),
            Lines::Cef(ids) => cef::status(&self.host, ids, sequence, status, out),
            Lines::Otlp(ids) => otlp::status(&self.host, ids, sequence, status, out),
        }
    }

    /// A leaked socket seen by `scan`. As text, the first one is preceded by a line of headings.
    pub fn encode_scanned(&mut self, scanned: &Scanned, out: &mut Vec<u8>) {
        let more = [("kind", scanned.kind.name())];
        let severity = Severity::Notice;
        let sequence = self.begin(scanned.at, severity, "socket.scan", &more, out);
        match &mut self.lines {
            Lines::Text(text) => text.scanned(scanned, out),
            Lines::Json(ids) => json::scanned(&self.host, ids, sequence, scanned, out),
            Lines::Ocsf(ids) => ocsf::scanned(&self.host, ids, sequence, scanned, out),
            Lines::Cef(ids) => cef::scanned(&self.host, ids, sequence, scanned, out),
            Lines::Otlp(ids) => otlp::scanned(&self.host, ids, sequence, scanned, out),
        }
    }

    /// One line of `scan --by`; `by` names what was grouped by (`process`, `peer` …).
    pub fn encode_group(&mut self, at: BootTime, by: &str, group: &ScanGroup, out: &mut Vec<u8>) {
        let sequence = self.begin(at, Severity::Notice, "socket.scan", &[], out);
        match &mut self.lines {
            Lines::Text(text) => text.group(by, group, out),
            Lines::Json(ids) => json::group(&self.host, ids, sequence, at, by, group, out),
            Lines::Ocsf(ids) => ocsf::group(&self.host, ids, sequence, at, by, group, out),
            Lines::Cef(ids) => cef::group(&self.host, ids, sequence, at, by, group, out),
            Lines::Otlp(ids) => otlp::group(&self.host, ids, sequence, at, by, group, out),
        }
    }

    /// The end of a `scan`. As text, lines that sum up what this stream has printed and what is to be said
    /// of the machine; as JSON, one line of the latter. Nothing in the formats of collectors, which have
    /// no class of events for it.
    pub fn finish_scan(&mut self, summary: &ScanSummary, out: &mut Vec<u8>) {
        if let Lines::Text(text) = &self.lines {
            text.scan_summary(summary, out);
        } else if let Lines::Json(_) = &self.lines {
            let severity = Severity::Informational;
            let sequence = self.begin(summary.at, severity, "socket.scan_summary", &[], out);
            if let Lines::Json(ids) = &self.lines {
                json::scan_summary(&self.host, ids, sequence, summary, out);
            }
        }
    }

    /// One line of `doctor`.
    pub fn encode_hook(&mut self, at: BootTime, hook: &HookReport, out: &mut Vec<u8>) {
        let more = [("support", hook.support.name())];
        let severity = Severity::Informational;
        let sequence = self.begin(at, severity, "socktrace.doctor", &more, out);
        match &mut self.lines {
            Lines::Text(text) => text.hook(hook, out),
            Lines::Json(ids) => json::hook(&self.host, ids, sequence, at, hook, out),
            Lines::Ocsf(ids) => ocsf::hook(&self.host, ids, sequence, at, hook, out),
            Lines::Cef(ids) => cef::hook(&self.host, ids, sequence, at, hook, out),
            Lines::Otlp(ids) => otlp::hook(&self.host, ids, sequence, at, hook, out),
        }
    }

    /// Numbers an event and writes what stands before its line.
    fn begin(
        &mut self,
        at: BootTime,
        severity: Severity,
        action: &'static str,
        more: &[(&'static str, &'static str)],
        out: &mut Vec<u8>,
    ) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        if let Some(envelope) = &self.envelope {
            let label = Label {
                at,
                severity,
                action,
                sequence,
                more,
            };
            envelope.begin(&self.host, label, out);
        }
        sequence
    }
}
