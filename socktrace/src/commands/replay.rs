//! `replay`: a recording through the same decoder and tracker as the live agent.

use std::fs::File;

use anyhow::Context as _;

use super::desk::{AsTold, Desk};
use super::outputs::{Outputs, warn};
use super::{Failure, incidents_config, table_size, tracker_config};
use crate::cli::{Exit, FindingGate, ReplaySettings};
use crate::incident::Incidents;
use crate::model::{BootTime, Event, Gap, GapPlace, Record, Status, StatusReason};
use crate::sink::{Class, WhenFull};
use crate::source::recording::{ReadError, Reader};
use crate::tracker::{Action, Timeline, Tracker};

/// Plays it back.
pub(super) fn execute(settings: &ReplaySettings) -> Result<Exit, Failure> {
    let path = settings.file.display();
    let file = File::open(&settings.file).with_context(|| format!("cannot open {path}"))?;
    let reader = Reader::new(file).with_context(|| path.to_string())?;
    let header = reader.header().clone();
    let outputs = Outputs::open(&settings.outputs, &header.host, WhenFull::Wait)?;
    let mut player = Player {
        tracker: Tracker::new(tracker_config(
            settings.leak_after.unwrap_or(header.leak_after),
            settings.max_sockets,
        )),
        timeline: None,
        lost: Status {
            at: header.host.agent_started,
            reason: StatusReason::Gap,
            hooks: Vec::new(),
            lost: std::collections::BTreeMap::new(),
            tracked: 0,
            open: 0,
            untracked: 0,
            unproven: 0,
            held_back: 0,
            without_incident: 0,
        },
        desk: Desk {
            names: AsTold,
            gate: FindingGate::new(settings.filter.clone()),
            incidents: Incidents::new(incidents_config(
                settings.max_lines_per_process,
                settings.max_sockets,
            )),
            outputs,
            tally: None,
            #[cfg(feature = "history")]
            keeper: super::keep::Keeper::played_back(settings.keep.as_ref(), &header.host)?,
        },
        now: BootTime::default(),
        settings,
        begun: false,
    };
    let result = player.play(reader);
    // Where a recording breaks off the agent went on: nothing has come to its end.
    if result.is_ok() {
        player.desk.end(player.now);
    }
    player.desk.outputs.finish();
    #[cfg(feature = "history")]
    if let Some(keeper) = player.desk.keeper {
        keeper.finish();
    }
    result.with_context(|| path.to_string())?;
    Ok(Exit::Fine)
}

struct Player<'a> {
    tracker: Tracker,
    /// Set if the recording is one of `trace`: it begins with an event, one of `run` with a mark.
    timeline: Option<Timeline>,
    lost: Status,
    desk: Desk<AsTold>,
    /// The latest time of any record.
    now: BootTime,
    settings: &'a ReplaySettings,
    begun: bool,
}

impl Player<'_> {
    /// Everything before the first unreadable place is played, whatever comes there.
    fn play(&mut self, reader: Reader<File>) -> Result<(), ReadError> {
        for record in reader {
            match record {
                Ok(record) => self.take(&record),
                Err(error) if error.is_last() => return Err(error),
                Err(error) => warn(&format!("{}: {error}", self.settings.file.display())),
            }
            self.desk.outputs.write();
            if self.desk.outputs.all_closed() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn take(&mut self, record: &Record) {
        if !self.begun {
            self.begun = true;
            let of_run = matches!(record.event, Event::Mark(_));
            self.timeline = (!of_run).then(|| Timeline::new(table_size(self.settings.max_sockets)));
        }
        if let Event::Gap(gap) = record.event
            && gap.place != GapPlace::Tracker
        {
            self.lost(record.at, gap);
        }
        if let Some(timeline) = &mut self.timeline {
            if let Some(event) = timeline.observe(record)
                && self.settings.filter.matches_lifecycle(&event, None)
            {
                self.desk
                    .outputs
                    .encode(Class::StateChange, |encoder, out| {
                        encoder.encode_lifecycle(&event, out);
                    });
            }
            return;
        }
        self.now = self.now.max(record.at);
        self.desk.time(self.now);
        self.tracker.handle_event(record);
        while let Some(action) = self.tracker.poll_action() {
            match action {
                Action::Report(leak) => self.desk.leak(leak),
                Action::Gap(gap) => self.lost(record.at, gap),
                // They are in the recording where they happened.
                Action::Walk | Action::Prove(_) => {}
            }
        }
    }

    /// Tells of a loss. What did not fit into a table of the agent's own is recorded as well; here this
    /// player's table counts, which loses the same if it is as large.
    fn lost(&mut self, at: BootTime, gap: Gap) {
        self.lost.at = at;
        let lost = self.lost.lost.entry(gap.place).or_default();
        *lost = lost.saturating_add(gap.lost);
        self.desk.status(self.lost.clone());
    }
}
