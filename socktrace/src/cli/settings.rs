//! Validated settings.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::args::{
    Args, ColorWhen, Command, DoctorArgs, FormatArg, GroupBy, KernelArgs, OutputArgs, ReplayArgs,
    RunArgs, ScanArgs, SchemaArgs, TraceArgs,
};
use super::environment::Environment;
use super::error::UsageError;
use super::filter::Filter;
use super::history::{HistorySettings, Keep};
use super::metrics;
use crate::schema::{Envelope, Format, Selection, escape};
use crate::sink::{Destination, Target};
use crate::source::faults::FaultRates;
use crate::source::hooks::HookOverrides;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `run`.
    Run(RunSettings),
    /// `trace`.
    Trace(TraceSettings),
    /// `scan`.
    Scan(ScanSettings),
    /// `doctor`.
    Doctor(DoctorSettings),
    /// `check-config`.
    CheckConfig(CheckConfigSettings),
    /// `replay`.
    Replay(ReplaySettings),
    /// `history`.
    History(HistorySettings),
    /// `schema`.
    Schema(SchemaSettings),
}

/// A stream of lines, and the destinations that get them. There are two where the terminal gets text and
/// files JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What lines look like.
    pub format: Format,
    /// Whether text is coloured.
    pub colour: bool,
    /// What stands before each line.
    pub envelope: Option<Envelope>,
    /// Which events they are.
    pub selection: Selection,
    /// Where they go, at least one.
    pub targets: Vec<Target>,
}

/// What `run` and `trace` need to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelSettings {
    /// Where to record to.
    pub record: Option<PathBuf>,
    /// Hooks to use instead of trying.
    pub hooks: HookOverrides,
    /// Bytes of the ring buffer: a power of two, at least a page.
    pub ring_size: u32,
    /// Sockets to keep track of at once, at least 1.
    pub max_sockets: u32,
    /// Whether to give up privileges once attached.
    pub sandbox: bool,
    /// For tests.
    pub rehearsal: Rehearsal,
}

/// What makes losses likely, so that tests can see them heal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Room in the kernel's table of suspects, if not for `max_sockets`.
    pub max_suspects: Option<u32>,
    /// Room in the kernel's table of owners, if not for `max_sockets`.
    pub max_owners: Option<u32>,
    /// How often the truth is read again while anything is tracked, if not at the usual intervals.
    pub sweep_every: Option<Duration>,
    /// Losses on purpose.
    pub faults: FaultRates,
}

/// See [`Settings::Run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSettings {
    /// How long without progress makes a leak: 10 ms to a year.
    pub leak_after: Duration,
    /// Lines of single findings a minute and process.
    pub max_lines_per_process: u32,
    /// What is kept; `None`: nothing.
    pub keep: Option<Keep>,
    /// Which sockets.
    pub filter: Filter,
    /// At least one.
    pub outputs: Vec<Output>,
    /// Where to serve metrics.
    pub metrics: Option<SocketAddr>,
    /// What to attach.
    pub kernel: KernelSettings,
}

/// See [`Settings::Trace`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSettings {
    /// Which sockets.
    pub filter: Filter,
    /// At least one.
    pub outputs: Vec<Output>,
    /// What to attach.
    pub kernel: KernelSettings,
}

/// See [`Settings::Scan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanSettings {
    /// Group and count by these; none: list.
    pub by: Vec<GroupBy>,
    /// Which sockets.
    pub filter: Filter,
    /// At least one.
    pub outputs: Vec<Output>,
}

/// See [`Settings::CheckConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckConfigSettings {
    /// What to print.
    pub report: String,
}

/// See [`Settings::Doctor`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctorSettings {
    /// At least one.
    pub outputs: Vec<Output>,
}

/// See [`Settings::Replay`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplaySettings {
    /// The recording.
    pub file: PathBuf,
    /// How long without progress makes a leak: 10 ms to a year; `None`: as it was recorded.
    pub leak_after: Option<Duration>,
    /// Sockets to keep track of at once, at least 1.
    pub max_sockets: u32,
    /// Lines of single findings a minute and process.
    pub max_lines_per_process: u32,
    /// What is kept; `None`: nothing.
    pub keep: Option<Keep>,
    /// Which sockets.
    pub filter: Filter,
    /// At least one.
    pub outputs: Vec<Output>,
}

/// See [`Settings::Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaSettings {
    /// Of what.
    pub format: Format,
    /// Whether examples are wanted where there is a schema.
    pub examples: bool,
}

impl Settings {
    /// The settings that `args` mean in `environment`.
    pub(super) fn new(args: Args, environment: &Environment<'_>) -> Result<Self, UsageError> {
        Ok(match args.command {
            Command::Run(args) => Self::Run(RunSettings::new(args, environment)?),
            Command::Trace(args) => Self::Trace(TraceSettings::new(args, environment)?),
            Command::Scan(args) => Self::Scan(ScanSettings::new(args, environment)?),
            Command::Doctor(DoctorArgs { output }) => Self::Doctor(DoctorSettings {
                outputs: outputs(&output, environment)?,
            }),
            Command::Replay(args) => Self::Replay(ReplaySettings::new(args, environment)?),
            // What is to be printed is known to whoever has read the configuration.
            Command::CheckConfig(_) => Self::CheckConfig(CheckConfigSettings {
                report: String::new(),
            }),
            Command::History(args) => Self::History(HistorySettings::new(args, environment)?),
            Command::Schema(SchemaArgs { format, examples }) => {
                Self::Schema(SchemaSettings { format, examples })
            }
        })
    }
}

impl RunSettings {
    fn new(args: RunArgs, environment: &Environment<'_>) -> Result<Self, UsageError> {
        let outputs = outputs(&args.output, environment)?;
        Ok(Self {
            leak_after: leak_after(args.leak_after)?,
            max_lines_per_process: args.lines.max_lines_per_process,
            keep: Keep::new(args.keep)?,
            filter: Filter::for_leaks(args.filter, environment)?,
            metrics: metrics::listen(&args.metrics)?,
            kernel: KernelSettings::new(args.kernel, RUN_RING, &outputs, environment)?,
            outputs,
        })
    }
}

impl TraceSettings {
    fn new(args: TraceArgs, environment: &Environment<'_>) -> Result<Self, UsageError> {
        let outputs = outputs(&args.output, environment)?;
        Ok(Self {
            filter: Filter::for_events(args.filter, environment)?,
            kernel: KernelSettings::new(args.kernel, TRACE_RING, &outputs, environment)?,
            outputs,
        })
    }
}

impl ScanSettings {
    fn new(args: ScanArgs, environment: &Environment<'_>) -> Result<Self, UsageError> {
        let filter = Filter::for_leaks(args.filter, environment)?;
        Ok(Self {
            by: args.by,
            filter,
            outputs: outputs(&args.output, environment)?,
        })
    }
}

impl ReplaySettings {
    fn new(args: ReplayArgs, environment: &Environment<'_>) -> Result<Self, UsageError> {
        Ok(Self {
            file: args.file,
            leak_after: args.leak_after.map(leak_after).transpose()?,
            max_sockets: args.max_sockets,
            max_lines_per_process: args.lines.max_lines_per_process,
            keep: Keep::new(args.keep)?,
            filter: Filter::for_leaks(args.filter, environment)?,
            outputs: outputs(&args.output, environment)?,
        })
    }
}

/// Only what concerns leaks is streamed: room for all the releases of a process that dies with 25,000.
const RUN_RING: u32 = 4 << 20;

/// Everything is streamed: room for a second of 10,000 connections.
const TRACE_RING: u32 = 8 << 20;

impl KernelSettings {
    fn new(
        args: KernelArgs,
        default_ring: u32,
        outputs: &[Output],
        environment: &Environment<'_>,
    ) -> Result<Self, UsageError> {
        if let Some(path) = &args.record {
            let name = || escape(path.as_os_str().as_bytes()).into_owned();
            if path.as_os_str() == "-" {
                return Err(UsageError::RecordToStdout);
            }
            let same = |target: &Target| target.is_file(path);
            if outputs.iter().flat_map(|output| &output.targets).any(same) {
                return Err(UsageError::RecordIsOutput { name: name() });
            }
        }
        let ring_size = match args.ring_size {
            Some(bytes) => ring_size(bytes, environment.page_size)?,
            None => default_ring.max(environment.page_size),
        };
        let hooks = args.hooks.unwrap_or_default();
        Ok(Self {
            record: args.record,
            hooks,
            ring_size,
            max_sockets: args.max_sockets,
            sandbox: !args.no_sandbox,
            rehearsal: Rehearsal {
                max_suspects: args.max_suspects,
                max_owners: args.max_owners,
                sweep_every: args.sweep_every,
                faults: args.drop_events.unwrap_or_default(),
            },
        })
    }
}

/// What the kernel takes as `max_entries` of a ring buffer (kernel/bpf/ringbuf.c): a power of two of
/// whole pages. A gigabyte is more than anybody needs and fits the 32 bits.
fn ring_size(bytes: u64, page: u32) -> Result<u32, UsageError> {
    const MAX: u32 = 1 << 30;
    match u32::try_from(bytes) {
        Ok(size) if size.is_power_of_two() && (page..=MAX).contains(&size) => Ok(size),
        _ => {
            let clamped = bytes
                .clamp(u64::from(page), u64::from(MAX))
                .next_power_of_two();
            let nearest = u32::try_from(clamped).unwrap_or(MAX);
            Err(UsageError::RingSize {
                bytes,
                page,
                max: MAX,
                nearest,
            })
        }
    }
}

fn leak_after(given: Duration) -> Result<Duration, UsageError> {
    let least = Duration::from_millis(10);
    let most = Duration::from_hours(365 * 24);
    if given < least {
        Err(UsageError::LeakAfterTooShort { given, least })
    } else if given > most {
        Err(UsageError::LeakAfterTooLong { given, most })
    } else {
        Ok(given)
    }
}

fn outputs(args: &OutputArgs, environment: &Environment<'_>) -> Result<Vec<Output>, UsageError> {
    let mut destinations: Vec<Destination> = Vec::new();
    for spec in &args.output {
        let destination = Destination::parse(spec.as_os_str())?;
        let known = |known: &Destination| known.target == destination.target;
        if destinations.iter().any(known) {
            return Err(UsageError::OutputTwice {
                name: destination.target.name(),
            });
        }
        destinations.push(destination);
    }
    if destinations.is_empty() {
        destinations.push(Destination::parse("-".as_ref())?);
    }
    let mut outputs: Vec<Output> = Vec::new();
    for Destination { target, options } in destinations {
        let (format, colour) = encoding(args, &target, options.format, environment);
        target
            .takes(format)
            .map_err(|reason| UsageError::FormatNotTaken {
                name: target.name(),
                format,
                reason,
            })?;
        let mut output = Output {
            format,
            colour,
            envelope: target.envelope().cloned(),
            selection: options.selection,
            targets: vec![target],
        };
        match outputs.iter_mut().find(|known| known.is_same(&output)) {
            Some(known) => known.targets.append(&mut output.targets),
            None => outputs.push(output),
        }
    }
    Ok(outputs)
}

impl Output {
    /// Whether its lines are those of `other`, wherever they go.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let lines = |output: &Self| (output.format, output.colour);
        lines(self) == lines(other)
            && self.envelope == other.envelope
            && self.selection == other.selection
    }
}

/// The format of a target, and whether it is coloured.
fn encoding(
    args: &OutputArgs,
    target: &Target,
    own: Option<Format>,
    environment: &Environment<'_>,
) -> (Format, bool) {
    let terminal = *target == Target::Stdout && environment.stdout_is_terminal;
    let usual = || {
        if terminal {
            Format::Text
        } else {
            target.default_format().unwrap_or(Format::Json)
        }
    };
    let format = own
        .or_else(|| args.format.map(FormatArg::format))
        .unwrap_or_else(usual);
    let colour = match args.color {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => terminal && !environment.no_color,
    };
    (format, colour && format == Format::Text)
}
