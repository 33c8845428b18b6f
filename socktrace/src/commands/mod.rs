//! One module a command, and what they share.
//!
//! * `run`, `trace`, `scan`, `doctor`: a live kernel (feature `kernel`).
//! * `look`, `groups`: what `scan` makes of one reading, and how it is counted.
//! * `replay`: a recording. `schema`: what lines look like.
//! * `history`: past findings (feature `history`); `keep`: what is kept for it.
//! * `reload`: what SIGHUP does.
//! * `desk`: from findings to lines; `outputs`: the streams of lines; `reporter`: names, encoding and writing on a thread of their own;
//!   `intake`: recording, account of losses and decoding of what comes in; `recorder`: the raw recording; `live`: loading for the live commands;
//!   `metrics`: who answers when they are asked for; `pace`: how long the ring buffer was not looked at.

mod desk;
#[cfg(feature = "kernel")]
mod doctor;
#[cfg(feature = "kernel")]
mod groups;
#[cfg(feature = "history")]
mod history;
#[cfg(feature = "kernel")]
mod intake;
#[cfg(feature = "history")]
mod keep;
#[cfg(feature = "kernel")]
mod live;
#[cfg(feature = "kernel")]
mod look;
#[cfg(feature = "kernel")]
mod metrics;
mod outputs;
#[cfg(feature = "kernel")]
mod pace;
#[cfg(feature = "kernel")]
mod recorder;
#[cfg(feature = "kernel")]
mod reload;
mod replay;
#[cfg(feature = "kernel")]
mod reporter;
#[cfg(feature = "kernel")]
mod run;
#[cfg(feature = "kernel")]
mod scan;
mod schema;
#[cfg(feature = "kernel")]
mod trace;

use std::io::Write as _;
use std::time::Duration;

use crate::cli::{CheckConfigSettings, Exit, Settings};
use crate::incident::IncidentsConfig;
use crate::tracker::TrackerConfig;

/// How often the truth is read again while anything is tracked. A replay has to count as the run did.
const REPROOF_EVERY: Duration = Duration::from_secs(30);

/// The tracker's settings, the same live and played back.
fn tracker_config(leak_after: Duration, max_sockets: u32) -> TrackerConfig {
    TrackerConfig {
        leak_after,
        reproof_every: REPROOF_EVERY,
        max_tracked: table_size(max_sockets),
    }
}

/// How many incidents are kept: as many processes may leak at once. Some 6 MB when all are used.
const INCIDENTS: usize = 16_384;

/// The settings of incidents, the same live and played back.
fn incidents_config(max_lines: u32, max_sockets: u32) -> IncidentsConfig {
    IncidentsConfig {
        lines_per_process: max_lines,
        max_incidents: INCIDENTS,
        max_findings: table_size(max_sockets),
    }
}

/// `--max-sockets` as the size of a table in memory.
fn table_size(max_sockets: u32) -> usize {
    usize::try_from(max_sockets).unwrap_or(usize::MAX)
}

/// Does what `settings` say. An error is one line for standard error.
pub fn execute(settings: Settings) -> Result<Exit, Failure> {
    match settings {
        Settings::Replay(settings) => replay::execute(&settings),
        #[cfg(feature = "history")]
        Settings::History(settings) => history::execute(&settings),
        #[cfg(not(feature = "history"))]
        Settings::History(_) => Err(Failure::from(anyhow::anyhow!(
            "this build keeps no history; build it with the feature `history`"
        ))),
        Settings::Schema(settings) => schema::execute(settings),
        Settings::CheckConfig(settings) => Ok(check_config(&settings)),
        #[cfg(feature = "kernel")]
        Settings::Run(settings) => run::execute(&settings),
        #[cfg(feature = "kernel")]
        Settings::Trace(settings) => trace::execute(settings),
        #[cfg(feature = "kernel")]
        Settings::Scan(settings) => scan::execute(&settings),
        #[cfg(feature = "kernel")]
        Settings::Doctor(settings) => doctor::execute(&settings),
        #[cfg(not(feature = "kernel"))]
        _ => Err(Failure::from(anyhow::anyhow!(
            "this build has no live kernel source; build it with the feature `kernel`"
        ))),
    }
}

/// `check-config`. Nobody may be there to read it, which is a quiet end.
fn check_config(settings: &CheckConfigSettings) -> Exit {
    let _ = std::io::stdout().write_all(settings.report.as_bytes());
    Exit::Fine
}

/// Why a command failed, and the status to exit with.
#[derive(Debug)]
pub struct Failure {
    /// One line.
    pub reason: String,
    /// The status.
    pub exit: Exit,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            reason: line(&error),
            exit: Exit::Failure,
        }
    }
}

/// An error and its causes in one line. Some errors quote their cause themselves: it is told once.
fn line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || std::io::Error::from_raw_os_error(libc::ENOENT);
        let plain = Err::<(), _>(cause()).context("cannot open a").unwrap_err();
        assert_eq!(line(&plain), format!("cannot open a: {}", cause()));
        let quoted = crate::sink::SinkError::Open {
            name: "a".to_owned(),
            reason: cause(),
        };
        assert_eq!(line(&quoted.into()), format!("cannot open a: {}", cause()));
        assert_eq!(line(&anyhow!("a")), "a");
    }
}
