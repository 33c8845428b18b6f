//! `history`: what was kept of past findings.

use std::collections::HashMap;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::Failure;
use crate::cli::{AnswerFormat, Exit, HistoryBy, HistorySettings, Moment};
use crate::clock::{self, Clock as _};
use crate::enrich::{MACHINE_ID, ProcFs, host_facts};
use crate::history::Reader;
use crate::model::{Host, Past, PastGroup, WallMicros};
use crate::schema::{HistoryFormat, HistoryPrinter};

/// Bytes that are written at once.
const BATCH: usize = 64 * 1024;

/// Answers.
pub(super) fn execute(settings: &HistorySettings) -> Result<Exit, Failure> {
    let reader = Reader::open(&settings.file).map_err(anyhow::Error::from)?;
    let format = match settings.format {
        AnswerFormat::Text => HistoryFormat::Text,
        AnswerFormat::Json => HistoryFormat::Json,
        AnswerFormat::Csv => HistoryFormat::Csv,
    };
    let now = clock::System.wall();
    let mut answer = Answer {
        printer: HistoryPrinter::new(format, this_host()),
        out: BufWriter::with_capacity(BATCH, io::stdout().lock()),
        line: Vec::new(),
        failed: None,
    };
    let since = micros(moment(settings.since, now));
    let until = micros(settings.until.map_or(now, |until| moment(until, now)));
    let shown = answer
        .print(&reader, settings, (since, until))
        .map_err(anyhow::Error::from)?;
    let losses = reader.losses().map_err(anyhow::Error::from)?;
    answer.write(|printer, out| printer.finish(micros(now), shown, &losses, out));
    answer.end()
}

fn this_host() -> Host {
    let clock = clock::System;
    host_facts(
        &ProcFs::new("/proc"),
        Path::new(MACHINE_ID),
        clock.wall_minus_boot_ns(),
        clock.boot(),
    )
}

struct Answer<W: Write> {
    printer: HistoryPrinter,
    out: W,
    line: Vec<u8>,
    failed: Option<io::Error>,
}

impl<W: Write> Answer<W> {
    /// Prints what is asked for; says how many findings that is, or minutes' counts.
    fn print(
        &mut self,
        reader: &Reader,
        settings: &HistorySettings,
        (since, until): (WallMicros, WallMicros),
    ) -> Result<u64, crate::history::HistoryError> {
        let filter = &settings.filter;
        let mut shown = 0;
        match settings.by {
            None => reader.findings(since, until, |past| {
                if filter.matches_past(&past) {
                    shown += 1;
                    self.write(|printer, out| printer.finding(&past, out));
                }
            })?,
            Some(HistoryBy::Minute) => reader.minutes(since, until, |minute| {
                if filter.matches_minute(&minute) {
                    shown += minute.opened;
                    self.write(|printer, out| printer.minute(&minute, out));
                }
            })?,
            Some(by) => {
                let mut groups: HashMap<Vec<u8>, PastGroup> = HashMap::new();
                reader.findings(since, until, |past| {
                    if filter.matches_past(&past) {
                        shown += 1;
                        count(&mut groups, key(by, &past), &past);
                    }
                })?;
                let mut groups: Vec<_> = groups.into_values().collect();
                groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
                for group in groups {
                    self.write(|printer, out| printer.group(by.name(), &group, out));
                }
            }
        }
        Ok(shown)
    }

    fn write(&mut self, print: impl FnOnce(&mut HistoryPrinter, &mut Vec<u8>)) {
        if self.failed.is_some() {
            return;
        }
        print(&mut self.printer, &mut self.line);
        self.failed = self.out.write_all(&self.line).err();
        self.line.clear();
    }

    fn end(mut self) -> Result<Exit, Failure> {
        let result = match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        };
        match result {
            // A reader that has seen enough is no failure.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Fine),
            result => {
                result.context("cannot write to standard output")?;
                Ok(Exit::Fine)
            }
        }
    }
}

fn count(groups: &mut HashMap<Vec<u8>, PastGroup>, key: Vec<u8>, past: &Past) {
    let group = groups.entry(key.clone()).or_insert(PastGroup {
        key,
        count: 0,
        open: 0,
        first: past.started,
        last: past.started,
    });
    group.count += 1;
    group.open += u64::from(past.end.is_none());
    group.first = group.first.min(past.started);
    group.last = group.last.max(past.started);
}

fn key(by: HistoryBy, past: &Past) -> Vec<u8> {
    match (by, &past.process) {
        (HistoryBy::Process, Some(process)) => {
            let mut key = process.name.clone();
            key.extend_from_slice(format!("[{}]", process.pid).as_bytes());
            key
        }
        (HistoryBy::Process, None) => b"(nobody)".to_vec(),
        (HistoryBy::Peer, _) => past.socket.peer.ip().to_string().into_bytes(),
        (HistoryBy::Kind | HistoryBy::Minute, _) => past.kind.name().into(),
    }
}

fn moment(moment: Moment, now: SystemTime) -> SystemTime {
    match moment {
        Moment::At(at) => at,
        Moment::Ago(ago) => now.checked_sub(ago).unwrap_or(UNIX_EPOCH),
    }
}

fn micros(at: SystemTime) -> WallMicros {
    let since = at.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        WallMicros::try_from(since.as_micros()).unwrap_or(WallMicros::MAX)
    })
}
