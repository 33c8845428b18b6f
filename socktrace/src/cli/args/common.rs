//! Flags that several commands share.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};

use super::super::netns::{self, Netns};
use super::super::values;
use crate::model::{Comm, Family, Kind, TcpState};
use crate::schema::Format;

/// Where the configuration is.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct ConfigArgs {
    /// Read this file instead of /etc/socktrace/socktrace.toml and /etc/socktrace/conf.d/*.toml
    ///
    /// The variable SOCKTRACE_CONFIG names one, too. `trace` and `scan` read only a file that is named: what
    /// is in /etc is for the agent. Variables go before files (SOCKTRACE_LEAK_AFTER=10s), flags before
    /// variables. `socktrace check-config` shows what counts, and who says so.
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub(crate) config: Option<PathBuf>,
    /// Read no file
    #[arg(long)]
    pub(crate) no_config: bool,
}

/// Which sockets.
#[derive(Debug, Default, clap::Args)]
#[command(
    next_help_heading = "Filters (repeat a flag or separate by commas for any of several; \
                               different flags must all match)"
)]
pub(crate) struct FilterArgs {
    /// Sockets of this process
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=PID_MAX))]
    pub(crate) pid: Vec<u32>,
    /// Sockets of processes with this name
    ///
    /// The name as `ps -o comm` shows it, at most 15 bytes, the whole of it. `trace` matches the name of
    /// the thread that opened or released the socket.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    #[arg(value_parser = OsStringValueParser::new().try_map(|text| values::comm(&text)))]
    pub(crate) comm: Vec<Comm>,
    /// Sockets of processes in this cgroup or below it
    ///
    /// The path from the root: /system.slice/nginx.service. One under /sys/fs/cgroup is understood too.
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    #[arg(value_parser = OsStringValueParser::new().try_map(|text| values::cgroup(&text)))]
    pub(crate) cgroup: Vec<Vec<u8>>,
    /// Sockets in this network namespace
    ///
    /// Its inode (the number in `readlink /proc/PID/ns/net`), a path to it (/proc/PID/ns/net), or a name
    /// that `ip netns` lists.
    #[arg(long, value_name = "NETNS", value_delimiter = ',', value_parser = netns::parse)]
    pub(crate) netns: Vec<Netns>,
    /// Sockets with this port, at either end
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Vec<u16>,
    /// Sockets with addresses of this family, as they are printed: 4 or 6
    ///
    /// An IPv4 connection to an IPv6 socket is printed with its IPv4 addresses and counts as 4.
    #[arg(long, value_name = "FAMILY", value_delimiter = ',', value_parser = values::family)]
    pub(crate) family: Vec<Family>,
    /// Sockets in this TCP state: CLOSE_WAIT, CLOSE, FIN_WAIT2 …
    ///
    /// In any case, with - or _. `trace` matches the state that is left and the one that is entered.
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = values::state)]
    pub(crate) state: Vec<TcpState>,
    /// Leaks of this kind
    ///
    /// close_wait: the peer has closed, the owner has not. closed_held: the connection is over and the
    /// descriptor still held. unaccepted: the peer has closed before anybody accepted. half_closed: we
    /// have closed our half, the peer never closes its own. `trace` matches the states that leaks of the
    /// kind are in.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind())]
    pub(crate) kind: Vec<Kind>,
}

/// The kernel's `PID_MAX_LIMIT` on 64 bits (include/linux/threads.h).
const PID_MAX: i64 = 4_194_304;

fn kind() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::name)).try_map(|name| name.parse::<Kind>())
}

/// How to print, and where to.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// What lines look like [default: text on a terminal, json elsewhere]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<FormatArg>,
    /// Where lines go: - for standard output, a file to append to, or a URL [default: -]
    ///
    /// May be given several times. A file is created with mode 0640. One that is slow or full does not
    /// hold up the others.
    ///
    /// Every URL may have the options format=json, actions=socket.leak,process.leak, kinds=close_wait and
    /// min-severity=informational, notice or warning: the events that go there, and what they look like
    /// (stdout://?format=cef is standard output). Openings of leaks and all that concerns incidents but their
    /// end are warnings, changes of leaks notices.
    ///
    /// file:///var/log/socktrace.json?rotate-size=100MiB&rotate-age=24h&keep=7&compress=gzip is a file
    /// that is put aside, under a name with the time, when it is full or old. `run` and `trace` open files
    /// anew at SIGUSR1, for others who move them away.
    ///
    /// syslog:///dev/log, syslog+udp://host:514 and syslog+tcp://host:601 send each line with a header of
    /// RFC 5424; options are facility=daemon, app-name=socktrace and enterprise=32473. A collector that is
    /// away is tried again until it is back. Lines wait in memory meanwhile, up to 4 MiB, or on disk, also
    /// over the end of socktrace: spool=/var/lib/socktrace/siem and spool-size=64MiB. So it is with all that
    /// follow.
    ///
    /// syslog+tls://host:6514, journald://, kafka://host:9092/topic and nats://host:4222/subject: their options
    /// are in docs/brokers.md.
    ///
    /// otlp+https://host:4318, webhook+https://host/path, elasticsearch+https://host:9200/index,
    /// opensearch+https://host:9200/index, splunk+https://host:8088 and loki+https://host:3100, or with +http:
    /// their options are in docs/feeds.md.
    #[arg(long, value_name = "-|FILE|URL")]
    pub(crate) output: Vec<PathBuf>,
    /// Whether text is coloured
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorWhen,
}

/// See [`OutputArgs::format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// Aligned columns for people; times are UTC
    Text,
    /// One JSON object a line, with the field names of the Elastic Common Schema
    Json,
    /// The same
    Ecs,
    /// One JSON object a line, in the classes of the Open Cybersecurity Schema Framework 1.8
    Ocsf,
    /// The Common Event Format (CEF:0), for syslog collectors
    Cef,
    /// One OTLP request with one log record a line, as JSON, for OpenTelemetry collectors
    Otlp,
}

impl FormatArg {
    /// What it stands for.
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Text => Format::Text,
            Self::Json | Self::Ecs => Format::Json,
            Self::Ocsf => Format::Ocsf,
            Self::Cef => Format::Cef,
            Self::Otlp => Format::Otlp,
        }
    }
}

/// See [`OutputArgs::color`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
