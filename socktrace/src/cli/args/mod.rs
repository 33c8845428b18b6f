//! Flags as typed. What a flag's value means by itself is checked here, what flags mean together in
//! [`super::settings`].
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the program's help, plain text"
)]

mod common;
mod history;
mod metrics;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

pub(super) use common::{ColorWhen, ConfigArgs, FilterArgs, FormatArg, OutputArgs};
pub use history::HistoryBy;
pub(super) use history::{HistoryArgs, HistoryFormatArg, KeepArgs};

pub(super) use metrics::MetricsArgs;

use super::values;
use crate::schema::Format;
use crate::source::faults::FaultRates;
use crate::source::hooks::HookOverrides;

/// Find leaked TCP sockets: which, who, why and since when
///
/// A leaked socket is one whose peer is gone and whose owner never called close(): it sits in CLOSE_WAIT,
/// or its connection is over and the file descriptor is still held, until the process runs out of
/// descriptors. socktrace watches the kernel with eBPF and names the process, the thread and the
/// descriptor, at a cost low enough to be left on.
#[derive(Debug, Parser)]
#[command(
    name = "socktrace",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(after_long_help = "\
Exit status:
  0   all went well
  1   something failed on the way
  2   the command line is wrong
  10  `scan` found leaked sockets
  77  a privilege is missing: run it as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN
  78  the configuration is bad

Environment:
  NO_COLOR          no colours, unless --color always is given
  SOCKTRACE_CONFIG  a configuration to read instead of /etc/socktrace
  SOCKTRACE_…       any key of it: SOCKTRACE_LEAK_AFTER, SOCKTRACE_FILTER_PORT, SOCKTRACE_OUTPUT")]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Watch until stopped and report leaked sockets
    ///
    /// A socket whose peer is gone, or whose connection is over, and on which nothing has moved for
    /// --leak-after, is read again from the kernel; if somebody still holds it, it is reported as a LEAK.
    /// Changes are reported as UPDATE, and its end, with who closed it, as RESOLVED. Connections that
    /// are opened, used and closed in time cost next to nothing and are never mentioned.
    ///
    /// Stop it with Ctrl-C or SIGTERM.
    #[command(after_long_help = "\
Examples:
  Report what has been leaked for a minute, in every process:
      socktrace run

  Watch one service, and keep a log for machines next to the lines on the terminal:
      socktrace run --comm orders --output - --output /var/log/socktrace.json

  Be told sooner, of sockets in CLOSE_WAIT only:
      socktrace run --leak-after 10s --kind close_wait")]
    Run(RunArgs),

    /// Print every event in the life of TCP sockets
    ///
    /// One line for each connect, accept, change of state (with the time spent in the last one) and
    /// release, with the process and thread that opened or released the socket. A thread is never
    /// guessed: most changes of state happen in the kernel's own time, and are put down to whoever
    /// connected or accepted the socket, if that was seen.
    ///
    /// Stop it with Ctrl-C or SIGTERM.
    #[command(after_long_help = "\
Examples:
  Follow the connections of one service:
      socktrace trace --port 8080

  See how long connections stay in CLOSE_WAIT before they are closed:
      socktrace trace --state CLOSE_WAIT")]
    Trace(TraceArgs),

    /// Print the sockets that are leaked now, and end
    ///
    /// One line a socket, whatever its age: how long a state has lasted cannot be seen in one look, so
    /// a healthy socket that is about to be closed may be among them. IDLE is a lower bound of how long
    /// nothing has moved.
    ///
    /// The last lines are about the whole machine, whatever the filters: sockets that are closed and still
    /// held, next to what `ss -s` makes of them, and FIN_WAIT2 by remote address where the kernel itself
    /// waits for a peer that does not close. As JSON they are one line with the action
    /// socket.scan_summary.
    ///
    /// Without the privilege to load eBPF programs it reads sock_diag and /proc instead, and says on standard
    /// error what cannot be seen that way.
    ///
    /// Ends with status 10 if there was any, with 0 if there was none.
    #[command(after_long_help = "\
Examples:
  Who holds how many?
      socktrace scan --by process

  Which peers do the sockets of process 812 come from?
      socktrace scan --pid 812 --by peer

  Which processes hold how many in which state?
      socktrace scan --by process,state

  In a script:
      socktrace scan --kind close_wait --format json || notify-the-operator")]
    Scan(ScanArgs),

    /// Print what this kernel offers, and what is lost without the rest
    ///
    /// One line for each hook and capability: `ok`, `fallback` (another way is used; the line says what
    /// is lost or costs more) or `missing`, and what to do about it.
    Doctor(DoctorArgs),

    /// Print the configuration that counts for `run`, and who says so
    ///
    /// What is printed is a configuration itself; the comments tell the file and line, or the variable, that a
    /// value is from. Secrets are not printed. Ends with status 78 if something is wrong, a line each.
    CheckConfig(CheckConfigArgs),

    /// Print past findings that `run --history` has kept
    ///
    /// What was open at some time since --since, by its begin: also what is open now. It can be asked while
    /// the agent writes, after its end, and after the machine was started anew. Findings that were open when
    /// the agent ended, and that it did not find again, have `ended unseen`.
    #[command(after_long_help = "\
Examples:
  What was leaked before the emergency restart?
      socktrace history --since 2h

  Who has leaked most in the last week?
      socktrace history --since 7d --by process

  How did it grow?
      socktrace history --by minute --comm orders --format csv >orders.csv")]
    History(HistoryArgs),

    /// Play a recording back
    ///
    /// Reads what `run --record` has written and goes through the same steps with it, without the
    /// kernel and without privileges. The same recording gives the same lines.
    #[command(after_long_help = "\
Examples:
  What did the agent see in there?
      socktrace replay leak.rec

  Would a shorter threshold have found more?
      socktrace replay --leak-after 20s leak.rec")]
    Replay(ReplayArgs),

    /// Print what lines look like
    ///
    /// The JSON Schema (draft 2020-12) of every line of the native format, `json`. The schemas of ocsf, cef
    /// and otlp are other people's: of these, examples are printed.
    #[command(after_long_help = "\
Examples:
  Check a file of events:
      socktrace schema >lines.schema.json
      jq -c . events.json | jsonschema-cli validate lines.schema.json -

  One event of every sort, to try a pipeline with:
      socktrace schema --examples --format json")]
    Schema(SchemaArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// How long a socket may stay without progress before it is a leak
    ///
    /// A duration with its unit: 500ms, 10s, 5m, 1h30m. Not less than 10ms: a healthy close takes
    /// milliseconds, and each would be looked at as a leak.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::duration)]
    pub(super) leak_after: Duration,
    #[command(flatten)]
    pub(super) lines: LinesArgs,
    #[command(flatten)]
    pub(super) keep: KeepArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) metrics: MetricsArgs,
    #[command(flatten)]
    pub(super) kernel: KernelArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct TraceArgs {
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) kernel: KernelArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ScanArgs {
    /// Count sockets instead of listing them, the largest group first
    ///
    /// With several, separated by commas, each combination is a group.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(super) by: Vec<GroupBy>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckConfigArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReplayArgs {
    /// The recording
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// How long a socket may stay without progress before it is a leak [default: as it was recorded]
    ///
    /// A duration with its unit: 500ms, 10s, 5m, 1h30m. What was too young to be recorded stays unknown.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(super) leak_after: Option<Duration>,
    /// How many sockets to keep track of at once
    #[arg(long, value_name = "N", default_value_t = MAX_SOCKETS, value_parser = max_sockets())]
    pub(super) max_sockets: u32,
    #[command(flatten)]
    pub(super) lines: LinesArgs,
    #[command(flatten)]
    pub(super) keep: KeepArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct SchemaArgs {
    /// Of which format
    #[arg(long, value_name = "FORMAT", default_value = "json", value_parser = values::schema_format())]
    pub(super) format: Format,
    /// Print example events, also of the native format: made up, and encoded as real ones are
    #[arg(long)]
    pub(super) examples: bool,
}

/// How much is told of each process.
#[derive(Debug, clap::Args)]
pub(super) struct LinesArgs {
    /// Report at most this many single leaks a minute for each process
    ///
    /// Those beyond are counted in the process's incident, which is always reported, and `scan` lists all
    /// of them. 0 reports incidents only. Of a leak that was reported the end is, too, and does not count.
    #[arg(long, value_name = "N", default_value_t = MAX_LINES)]
    pub(super) max_lines_per_process: u32,
}

/// Enough to see what a leak looks like, and little enough to be read.
const MAX_LINES: u32 = 20;

/// Flags of the commands that attach to the kernel and stay.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Kernel")]
pub(super) struct KernelArgs {
    /// Also write everything the kernel tells to a file, for `socktrace replay`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(super) record: Option<PathBuf>,
    /// Size of the buffer between kernel and agent [default: 4MiB for run, 8MiB for trace]
    ///
    /// A power of two of bytes, at least a page: 512KiB, 16MiB. When it overflows the loss is reported
    /// and the kernel is read anew.
    #[arg(long, value_name = "BYTES", value_parser = values::bytes)]
    pub(super) ring_size: Option<u64>,
    /// How many sockets to keep track of at once
    ///
    /// Kernel and agent keep room for as many. Those beyond are counted and reported as lost.
    #[arg(long, value_name = "N", default_value_t = MAX_SOCKETS, value_parser = max_sockets())]
    pub(super) max_sockets: u32,
    /// Keep all privileges after attaching
    ///
    /// Otherwise capabilities that watching does not need are given up then, and system calls that socktrace
    /// has no use for (to start programs, to look into other processes, to mount, to load modules or
    /// programs) are refused.
    #[arg(long)]
    pub(super) no_sandbox: bool,
    /// Choose hooks instead of trying which are there, for tests
    #[arg(long, value_name = "PURPOSE=HOOK,…", hide = true)]
    pub(super) hooks: Option<HookOverrides>,
    /// Room in the kernel's table of suspects, for tests
    #[arg(long, value_name = "N", hide = true, value_parser = max_sockets())]
    pub(super) max_suspects: Option<u32>,
    /// Room in the kernel's table of owners, for tests
    #[arg(long, value_name = "N", hide = true, value_parser = max_sockets())]
    pub(super) max_owners: Option<u32>,
    /// How often the kernel is read anew while anything is tracked, for tests
    #[arg(long, value_name = "DURATION", hide = true, value_parser = values::duration)]
    pub(super) sweep_every: Option<Duration>,
    /// Lose records on purpose, for tests: percentages of those in the ring buffer and of those of walks
    #[arg(long, value_name = "ring=N,walk=N,seed=N", hide = true)]
    pub(super) drop_events: Option<FaultRates>,
}

/// Sockets that are open at once on a busy host; the tables for so many take some 40 MB of kernel memory
/// when they are full.
const MAX_SOCKETS: u32 = 131_072;

fn max_sockets() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=16_777_216)
}

/// What `scan --by` groups by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum GroupBy {
    /// The process that holds them
    Process,
    /// The peer's address
    Peer,
    /// The TCP state
    State,
    /// The kind of leak
    Kind,
    /// The local address and port, which is the listener's for accepted connections
    Listener,
    /// The container of the oldest holder
    Container,
}

impl GroupBy {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Peer => "peer",
            Self::State => "state",
            Self::Kind => "kind",
            Self::Listener => "listener",
            Self::Container => "container",
        }
    }
}
