//! Where findings become lines: filtered, rolled up into incidents, named and encoded.

use super::outputs::Outputs;
use crate::cli::FindingGate;
use crate::enrich::Enricher;
use crate::incident::Incidents;
use crate::metrics::Tally;
#[cfg(feature = "kernel")]
use crate::metrics::Vitals;
use crate::model::{
    BootTime, Descriptors, Finding, Incident, IncidentPhase, Leak, NamedIncident, Phase, Process,
    Status, Thread,
};
use crate::sink::Class;

/// Who adds names.
pub(super) trait Names {
    /// A leak with its blamed process.
    fn finding(&mut self, leak: Leak) -> Finding;
    /// Adds the threads to a finding that is going to be told.
    fn name_threads(&mut self, finding: &mut Finding);
    /// An incident with its process and its descriptors.
    fn incident(&mut self, incident: Incident) -> NamedIncident;
}

/// The desk and what it needs.
pub(super) struct Desk<N> {
    pub(super) names: N,
    pub(super) gate: FindingGate,
    pub(super) incidents: Incidents,
    pub(super) outputs: Outputs,
    /// Counts for metrics, if there are any.
    pub(super) tally: Option<Tally>,
    /// Where findings are kept, those held back too.
    #[cfg(feature = "history")]
    pub(super) keeper: Option<super::keep::Keeper>,
}

impl<N: Names> Desk<N> {
    /// Takes a line of a finding: tells it or holds it back, and tells of incidents that are due.
    pub(super) fn leak(&mut self, leak: Leak) {
        let mut finding = self.names.finding(leak);
        if !self.gate.admits(&finding) {
            return;
        }
        if let Some(tally) = &mut self.tally {
            tally.leak(&finding.leak);
        }
        let verdict = self.incidents.handle_leak(&finding.leak);
        finding.membership = verdict.membership;
        #[cfg(feature = "history")]
        let kept = self.keeper.is_some();
        #[cfg(not(feature = "history"))]
        let kept = false;
        if verdict.tell || kept {
            self.names.name_threads(&mut finding);
        }
        #[cfg(feature = "history")]
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(&finding);
        }
        if verdict.tell {
            let class = match finding.leak.phase {
                Phase::Open | Phase::Resolved(_) => Class::Finding,
                Phase::Update => Class::Update,
            };
            self.outputs.encode(class, |encoder, out| {
                encoder.encode_finding(&finding, out);
            });
        }
        self.tell();
    }

    /// Time has come to `now`: tells of incidents that are due.
    pub(super) fn time(&mut self, now: BootTime) {
        self.incidents.handle_timeout(now);
        self.tell();
    }

    /// The end has come: tells what incidents have not told yet.
    pub(super) fn end(&mut self, now: BootTime) {
        self.incidents.handle_end(now);
        self.tell();
    }

    /// Takes a status, and adds what is known here.
    pub(super) fn status(&mut self, mut status: Status) {
        status.held_back = self.incidents.held_back();
        status.without_incident = self.incidents.overflowed();
        self.outputs.encode(Class::Update, |encoder, out| {
            encoder.encode_status(&status, out);
        });
    }

    /// Hands over what has been counted, if anything has since the last time.
    #[cfg(feature = "kernel")]
    pub(super) fn publish(&mut self, vitals: &Vitals) {
        let (held_back, overflowed) = (self.incidents.held_back(), self.incidents.overflowed());
        let tally = self.tally.as_mut();
        if let Some(leaks) = tally.and_then(|tally| tally.news(held_back, overflowed)) {
            vitals.set_leaks(leaks);
        }
    }

    fn tell(&mut self) {
        while let Some(incident) = self.incidents.poll_report() {
            let class = match incident.phase {
                IncidentPhase::Open | IncidentPhase::Resolved => Class::Finding,
                IncidentPhase::Update => Class::Update,
            };
            let named = self.names.incident(incident);
            if let Some(tally) = &mut self.tally {
                tally.incident(&named);
            }
            self.outputs.encode(class, |encoder, out| {
                encoder.encode_incident(&named, out);
            });
        }
    }
}

impl Names for Enricher {
    fn finding(&mut self, leak: Leak) -> Finding {
        Self::finding(self, leak)
    }

    fn name_threads(&mut self, finding: &mut Finding) {
        Self::name_threads(self, finding);
    }

    fn incident(&mut self, incident: Incident) -> NamedIncident {
        Self::incident(self, incident)
    }
}

/// The names the kernel told, where the recorded machine's /proc is not at hand.
pub(super) struct AsTold;

impl Names for AsTold {
    fn finding(&mut self, leak: Leak) -> Finding {
        let process = leak
            .blame
            .map(|blame| Process::as_told(blame.tgid, blame.started, blame.comm));
        Finding {
            leak,
            process,
            thread: None,
            user_names: Vec::new(),
            netns_name: None,
            membership: None,
        }
    }

    fn name_threads(&mut self, finding: &mut Finding) {
        let tid = finding.leak.blame.and_then(|blame| blame.tid);
        finding.thread = tid.map(|tid| Thread { tid, name: None });
    }

    fn incident(&mut self, incident: Incident) -> NamedIncident {
        let process = incident
            .culprit
            .map(|culprit| Process::as_told(culprit.tgid, culprit.started, culprit.comm));
        NamedIncident {
            incident,
            process,
            descriptors: Descriptors::default(),
        }
    }
}
