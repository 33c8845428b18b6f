//! An [`Incidents`] with a tracker's reports to feed it, and what came out.

use std::collections::BTreeMap;

use crate::incident::{Incidents, IncidentsConfig};
use crate::model::{
    BootTime, Cause, Comm, Incident, IncidentPhase, Kind, Leak, Phase, Task, Tgid, Tid, samples,
};

/// A moment, in milliseconds.
pub(super) fn ms(n: u64) -> BootTime {
    BootTime(n * 1_000_000)
}

/// A line of the finding of socket `cookie`, put down to process `pid`; to nobody if that is 0.
pub(super) fn leak(at: u64, cookie: u64, pid: u32, phase: Phase) -> Leak {
    let started = ms(u64::from(pid));
    Leak {
        blame: (pid != 0).then(|| samples::blame(pid, started, b"orders")),
        ..samples::leak(ms(at), ms(at.saturating_sub(1000)), cookie, phase)
    }
}

/// The end of process `pid`.
pub(super) fn exited(pid: u32) -> Phase {
    Phase::Resolved(Cause::Exited(Some(Task {
        tgid: Tgid(pid),
        tid: Tid(pid),
        comm: Comm::default(),
    })))
}

pub(super) const CLOSED: Phase = Phase::Resolved(Cause::Closed(None));

#[derive(Debug)]
pub(super) struct World {
    pub(super) incidents: Incidents,
    /// Cookies and phases of the lines told.
    pub(super) told: Vec<(u64, &'static str)>,
    /// How many lines were held back.
    pub(super) held_back: u64,
    pub(super) reports: Vec<Incident>,
}

impl World {
    pub(super) fn new(lines_per_process: u32) -> Self {
        Self::with(IncidentsConfig {
            lines_per_process,
            max_incidents: 1000,
            max_findings: 1_000_000,
        })
    }

    pub(super) fn with(config: IncidentsConfig) -> Self {
        Self {
            incidents: Incidents::new(config),
            told: Vec::new(),
            held_back: 0,
            reports: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, leak: &Leak) -> bool {
        let verdict = self.incidents.handle_leak(leak);
        if verdict.tell {
            self.told.push((leak.socket.cookie.0, leak.phase.name()));
        } else {
            self.held_back += 1;
        }
        self.drain();
        verdict.tell
    }

    /// The sockets `cookies` of process `pid` in `phase`.
    pub(super) fn all(
        &mut self,
        at: u64,
        cookies: std::ops::Range<u64>,
        pid: u32,
        phase: Phase,
    ) -> usize {
        let told = self.told.len();
        for cookie in cookies {
            self.take(&leak(at, cookie, pid, phase));
        }
        self.told.len() - told
    }

    pub(super) fn time(&mut self, at: u64) {
        self.incidents.handle_timeout(ms(at));
        self.drain();
    }

    /// Time passes, with each wake-up that was asked for.
    pub(super) fn pass_until(&mut self, at: u64) {
        while let Some(due) = self.incidents.poll_timeout().filter(|due| *due <= ms(at)) {
            self.incidents.handle_timeout(due);
            self.drain();
        }
        self.time(at);
    }

    pub(super) fn end(&mut self, at: u64) {
        self.incidents.handle_end(ms(at));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(report) = self.incidents.poll_report() {
            self.reports.push(report);
        }
    }

    /// The reports since the last call, in short: `phase open/opened/resolved/suppressed`.
    pub(super) fn news(&mut self) -> Vec<String> {
        self.reports
            .drain(..)
            .map(|report| {
                assert_eq!(report.open, report.opened_total - report.resolved_total);
                format!(
                    "{} {} {}/{}/{}/{}",
                    report.culprit.map_or(0, |culprit| culprit.tgid.0),
                    report.phase.name(),
                    report.open,
                    report.opened_total,
                    report.resolved_total,
                    report.suppressed,
                )
            })
            .collect()
    }

    /// The last state that was reported of every incident.
    pub(super) fn last_states(&self) -> BTreeMap<(u32, Kind, u32), Incident> {
        let mut last = BTreeMap::new();
        for report in &self.reports {
            let pid = report.culprit.map_or(0, |culprit| culprit.tgid.0);
            let key = (pid, report.kind, report.episode);
            let before: Option<Incident> = last.insert(key, report.clone());
            match (before.map(|before| before.phase), report.phase) {
                (None, IncidentPhase::Open)
                | (
                    Some(IncidentPhase::Open | IncidentPhase::Update),
                    IncidentPhase::Update | IncidentPhase::Resolved,
                ) => {}
                wrong => panic!("{key:?}: {wrong:?}"),
            }
        }
        last
    }
}
