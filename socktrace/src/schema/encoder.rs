//! One stream of lines.

use std::str::FromStr;

use super::envelope::{Envelope, Label};
use super::ids::Ids;
use super::incident::says_more;
use super::selection::{Selection, Selector, Severity, Traits};
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

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Text, Self::Json, Self::Ocsf, Self::Cef, Self::Otlp];

    /// Its name on the command line and in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Ocsf => "ocsf",
            Self::Cef => "cef",
            Self::Otlp => "otlp",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "ecs" {
            return Ok(Self::Json);
        }
        let mut all = Self::ALL.into_iter();
        all.find(|format| format.name() == text)
            .ok_or_else(|| "the formats are text, json, ecs, ocsf, cef and otlp".to_owned())
    }
}

/// Turns what the core says into the lines of one stream and numbers them.
///
/// Every method appends whole lines, each ended by a newline, to `out`. The number (`event.sequence`)
/// counts the events of this stream from 0 without gaps, so a consumer can see what it has missed:
/// encode an event only if it is going to be written. Events that the stream has not selected are not
/// numbered. An event's name (`event.id`) is the same in all streams that are given the same events.
#[derive(Debug)]
pub struct Encoder {
    lines: Lines,
    host: Host,
    sequence: u64,
    /// How many events there were, selected or not.
    events: u64,
    selector: Selector,
    /// For lines that go to syslog.
    envelope: Option<Envelope>,
    last_process: json::LastProcess,
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

impl Lines {
    fn ids(&mut self) -> Option<&mut Ids> {
        match self {
            Self::Text(_) => None,
            Self::Json(ids) | Self::Ocsf(ids) | Self::Cef(ids) | Self::Otlp(ids) => Some(ids),
        }
    }
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
            events: 0,
            selector: Selector::default(),
            envelope: None,
            last_process: json::LastProcess::default(),
        }
    }

    /// The same, with the events of `selection` only.
    #[must_use]
    pub fn with_selection(mut self, selection: Selection) -> Self {
        self.selector = Selector::new(selection);
        self
    }

    /// The same, beginning where other streams have had `events` events already.
    #[must_use]
    pub fn after(mut self, events: u64) -> Self {
        self.events = events;
        self
    }

    /// How many events there were, selected or not.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
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
        self.last_process = json::LastProcess::default();
    }

    /// A finding: opened, updated or resolved.
    pub fn encode_finding(&mut self, finding: &Finding, out: &mut Vec<u8>) {
        let leak = &finding.leak;
        let severity = match leak.phase {
            Phase::Open => Severity::Warning,
            Phase::Update => Severity::Notice,
            Phase::Resolved(_) => Severity::Informational,
        };
        let traits = Traits {
            action: "socket.leak",
            severity,
            kind: Some(leak.kind),
        };
        self.events += 1;
        if !self.selector.wants_finding(finding, traits) {
            if let Some(ids) = self.lines.ids() {
                // A later line may be wanted, and a leak is named by how it was first told of.
                ids.leak(leak);
            }
            return;
        }
        let more = [("kind", leak.kind.name()), ("phase", leak.phase.name())];
        let sequence = self.number(leak.at, traits, &more, out);
        match &mut self.lines {
            Lines::Text(text) => text.finding(&self.host, finding, out),
            Lines::Json(ids) => json::finding(&self.host, ids, sequence, finding, out),
            Lines::Ocsf(ids) => ocsf::finding(&self.host, ids, sequence, finding, out),
            Lines::Cef(ids) => cef::finding(&self.host, ids, finding, out),
            Lines::Otlp(ids) => otlp::finding(&self.host, ids, sequence, finding, out),
        }
    }

    /// An incident: opened, updated or resolved. As text, nothing where it would repeat the line of its
    /// only finding.
    pub fn encode_incident(&mut self, named: &NamedIncident, out: &mut Vec<u8>) {
        let incident = &named.incident;
        if matches!(self.lines, Lines::Text(_)) && !says_more(incident) {
            self.events += 1;
            return;
        }
        let severity = match incident.phase {
            IncidentPhase::Open | IncidentPhase::Update => Severity::Warning,
            IncidentPhase::Resolved => Severity::Informational,
        };
        let kind = incident.kind;
        let traits = Traits {
            action: "process.leak",
            severity,
            kind: Some(kind),
        };
        let more = [("kind", kind.name()), ("phase", incident.phase.name())];
        let Some(sequence) = self.begin(incident.at, traits, &more, out) else {
            return;
        };
        match &mut self.lines {
            Lines::Text(text) => text.incident(&self.host, named, out),
            Lines::Json(ids) => json::incident(&self.host, ids, sequence, named, out),
            Lines::Ocsf(ids) => ocsf::incident(&self.host, ids, sequence, named, out),
            Lines::Cef(ids) => cef::incident(&self.host, ids, named, out),
            Lines::Otlp(ids) => otlp::incident(&self.host, ids, sequence, named, out),
        }
    }

    /// An event of `trace`. As text, the first one is preceded by a line of headings.
    pub fn encode_lifecycle(&mut self, event: &Lifecycle, out: &mut Vec<u8>) {
        let traits = Traits::new(event.what.action(), Severity::Informational);
        let Some(sequence) = self.begin(event.at, traits, &[], out) else {
            return;
        };
        match &mut self.lines {
            Lines::Text(text) => text.lifecycle(&self.host, event, out),
            Lines::Json(ids) => json::lifecycle(&self.host, ids, sequence, event, out),
            Lines::Ocsf(ids) => ocsf::lifecycle(&self.host, ids, sequence, event, out),
            Lines::Cef(ids) => cef::lifecycle(&self.host, ids, event, out),
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
        let traits = Traits::new("socktrace.status", severity);
        let Some(sequence) = self.begin(status.at, traits, &more, out) else {
            return;
        };
        match &mut self.lines {
            Lines::Text(text) => text.status(&self.host, status, out),
            Lines::Json(ids) => json::status(&self.host, ids, sequence, status, out),
            Lines::Ocsf(ids) => ocsf::status(&self.host, ids, sequence, status, out),
            Lines::Cef(ids) => cef::status(&self.host, ids, status, out),
            Lines::Otlp(ids) => otlp::status(&self.host, ids, sequence, status, out),
        }
    }

    /// A leaked socket seen by `scan`. As text, the first one is preceded by a line of headings.
    pub fn encode_scanned(&mut self, scanned: &Scanned, out: &mut Vec<u8>) {
        let more = [("kind", scanned.kind.name())];
        let traits = Traits {
            kind: Some(scanned.kind),
            ..Traits::new("socket.scan", Severity::Notice)
        };
        let Some(sequence) = self.begin(scanned.at, traits, &more, out) else {
            return;
        };
        match &mut self.lines {
            Lines::Text(text) => text.scanned(scanned, out),
            Lines::Json(ids) => {
                let last = &mut self.last_process;
                json::scanned(&self.host, ids, last, sequence, scanned, out);
            }
            Lines::Ocsf(ids) => ocsf::scanned(&self.host, ids, sequence, scanned, out),
            Lines::Cef(ids) => cef::scanned(&self.host, ids, scanned, out),
            Lines::Otlp(ids) => otlp::scanned(&self.host, ids, sequence, scanned, out),
        }
    }

    /// One line of `scan --by`; `by` names what was grouped by (`process`, `peer` …).
    pub fn encode_group(&mut self, at: BootTime, by: &str, group: &ScanGroup, out: &mut Vec<u8>) {
        let traits = Traits::new("socket.scan", Severity::Notice);
        let Some(sequence) = self.begin(at, traits, &[], out) else {
            return;
        };
        match &mut self.lines {
            Lines::Text(text) => text.group(by, group, out),
            Lines::Json(ids) => json::group(&self.host, ids, sequence, at, by, group, out),
            Lines::Ocsf(ids) => ocsf::group(&self.host, ids, sequence, at, by, group, out),
            Lines::Cef(ids) => cef::group(&self.host, ids, at, by, group, out),
            Lines::Otlp(ids) => otlp::group(&self.host, ids, sequence, at, by, group, out),
        }
    }

    /// The end of a `scan`. As text, lines that sum up what this stream has printed and what is to be said
    /// of the machine; as JSON, one line of the latter. Nothing in the formats of collectors, which have
    /// no class of events for it.
    pub fn finish_scan(&mut self, summary: &ScanSummary, out: &mut Vec<u8>) {
        if !matches!(self.lines, Lines::Text(_) | Lines::Json(_)) {
            self.events += 1;
            return;
        }
        let traits = Traits::new("socket.scan_summary", Severity::Informational);
        let Some(sequence) = self.begin(summary.at, traits, &[], out) else {
            return;
        };
        match &self.lines {
            Lines::Text(text) => text.scan_summary(summary, out),
            Lines::Json(ids) => json::scan_summary(&self.host, ids, sequence, summary, out),
            Lines::Ocsf(_) | Lines::Cef(_) | Lines::Otlp(_) => {}
        }
    }

    /// One line of `doctor`.
    pub fn encode_hook(&mut self, at: BootTime, hook: &HookReport, out: &mut Vec<u8>) {
        let more = [("support", hook.support.name())];
        let traits = Traits::new("socktrace.doctor", Severity::Informational);
        let Some(sequence) = self.begin(at, traits, &more, out) else {
            return;
        };
        match &mut self.lines {
            Lines::Text(text) => text.hook(hook, out),
            Lines::Json(ids) => json::hook(&self.host, ids, sequence, at, hook, out),
            Lines::Ocsf(ids) => ocsf::hook(&self.host, ids, sequence, at, hook, out),
            Lines::Cef(ids) => cef::hook(&self.host, ids, at, hook, out),
            Lines::Otlp(ids) => otlp::hook(&self.host, ids, sequence, at, hook, out),
        }
    }

    /// Begins an event that is not a finding: its number, if it is wanted.
    fn begin(
        &mut self,
        at: BootTime,
        traits: Traits,
        more: &[(&'static str, &'static str)],
        out: &mut Vec<u8>,
    ) -> Option<u64> {
        self.events += 1;
        self.selector
            .wants(traits)
            .then(|| self.number(at, traits, more, out))
    }

    /// Numbers the present event and writes what stands before its line.
    fn number(
        &mut self,
        at: BootTime,
        traits: Traits,
        more: &[(&'static str, &'static str)],
        out: &mut Vec<u8>,
    ) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        if let Some(ids) = self.lines.ids() {
            ids.begin_event(self.events - 1);
        }
        if let Some(envelope) = &self.envelope {
            let label = Label {
                at,
                severity: traits.severity,
                action: traits.action,
                sequence,
                more,
            };
            envelope.begin(&self.host, label, out);
        }
        sequence
    }
}
