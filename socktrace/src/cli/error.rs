//! What can be wrong with a command line.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use clap::error::ErrorKind;

use super::Exit;
use crate::model::Kind;
use crate::schema::{Format, escape};
use crate::sink::TargetError;

/// See [`super::parse`].
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// What the parser of flags says; help and the version are among it.
    #[error("{}", one_line(.0))]
    Flags(#[from] clap::Error),
    /// The configuration is wrong: a line for each mistake.
    #[error("{}", .0.join("\n"))]
    Config(Vec<String>),
    /// The flags are well-formed and make no sense.
    #[error(transparent)]
    Usage(#[from] UsageError),
}

/// Flags that are well-formed one by one and cannot be meant.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant is its message, each field what is printed"
)]
pub enum UsageError {
    #[error("--output: {0}")]
    Output(#[from] TargetError),
    #[error("--output {name} is given twice: its lines would be doubled")]
    OutputTwice { name: String },
    #[error(
        "{name} cannot have --format {}: {reason}; or give it a format of its own in its URL (?format=json)",
        .format.name()
    )]
    FormatNotTaken {
        name: String,
        format: Format,
        reason: String,
    },
    #[error(
        "--metrics-listen {address}: other machines could read the names of processes there; give 127.0.0.1 \
         or [::1], or add --metrics-listen-anywhere"
    )]
    MetricsAnywhere { address: SocketAddr },
    #[error("--metrics-listen: this socktrace was built without the feature `metrics`")]
    MetricsNotBuilt,
    #[error("this build keeps no history; build it with the feature `history`")]
    WithoutHistory,
    #[error("--history-size {given}: the least is 8MiB")]
    HistoryTooSmall { given: u64 },
    #[error(
        "--by minute counts by process, kind and state only, and cannot be combined with {flag}"
    )]
    NotByMinute { flag: &'static str },
    #[error("--record needs the path of a file: a recording is not for reading along")]
    RecordToStdout,
    #[error("--record {name} is also an --output: lines and records in one file serve nobody")]
    RecordIsOutput { name: String },
    #[error(
        "--netns {path}: {reason}; give an inode, /proc/PID/ns/net or a name that `ip netns` lists"
    )]
    Netns {
        path: String,
        #[source]
        reason: io::Error,
    },
    #[error(
        "no socket can match --kind {kind} with --state {states}: {kind} is found in state {found}"
    )]
    KindWithState {
        kind: Kind,
        states: String,
        found: &'static str,
    },
    #[error(
        "no leak can match --state {states}: leaks are found in the states CLOSE_WAIT, CLOSE and \
         FIN_WAIT2; `socktrace trace` shows the others"
    )]
    StateWithoutLeaks { states: String },
    #[error(
        "--ring-size {bytes}: the kernel wants a power of two from {page} (a page) to {max} bytes; the \
         nearest is {nearest}"
    )]
    RingSize {
        bytes: u64,
        page: u32,
        max: u32,
        nearest: u32,
    },
    #[error(
        "--leak-after {given:?} is too short: the least is {least:?}, because a healthy close takes \
             milliseconds and each would be looked at as a leak"
    )]
    LeakAfterTooShort { given: Duration, least: Duration },
    #[error("--leak-after {given:?} is too long: the most is {} days", .most.as_secs() / 86_400)]
    LeakAfterTooLong { given: Duration, most: Duration },
}

impl CliError {
    /// Prints what the user has to be told, and says how to end.
    ///
    /// Help and the version go to standard output, everything else is one line on standard error.
    #[must_use]
    pub fn print(&self) -> Exit {
        if let Self::Flags(error) = self
            && !is_mistake(error)
        {
            // Nothing can be done about a reader that has gone away.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Fine
            };
        }
        if let Self::Config(lines) = self {
            for line in lines {
                let _ = writeln!(io::stderr(), "socktrace: {line}");
            }
            return Exit::BadConfig;
        }
        let _ = writeln!(io::stderr(), "socktrace: {self}");
        Exit::Usage
    }
}

/// Whether it is about something typed wrongly, and not a wish for help.
fn is_mistake(error: &clap::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// What clap says over several lines, on one: the mistake and the tip, without the usage.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut line = String::new();
    for part in text.lines().map(str::trim) {
        if part.starts_with("Usage: ") || part.starts_with("For more information") {
            break;
        }
        if part.is_empty() {
            continue;
        }
        if !line.is_empty() {
            let list = line.ends_with(':') || part.starts_with('[');
            line.push_str(if list { " " } else { "; " });
        }
        line.push_str(part.strip_prefix("error: ").unwrap_or(part));
    }
    // What was typed is repeated in it.
    escape(line.as_bytes()).into_owned()
}
