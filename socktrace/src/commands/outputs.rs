//! The streams of lines a command writes: each a format with its destinations.

#[cfg(feature = "kernel")]
use std::collections::BTreeMap;
use std::io::Write as _;
#[cfg(feature = "kernel")]
use std::sync::Arc;
use std::time::Duration;

use crate::cli::Output;
use crate::model::Host;
use crate::schema::Encoder;
#[cfg(feature = "kernel")]
use crate::sink::Account;
use crate::sink::{Batch, Class, Report, SinkError, Sinks, WhenFull};

/// How long the last lines may take to be written when a command ends.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Every stream. Each event is encoded once a stream and written to all its destinations.
pub(super) struct Outputs {
    pub(super) streams: Vec<Stream>,
    /// With the wall clock as it is now.
    #[cfg(feature = "kernel")]
    pub(super) host: Host,
}

/// Less than this is the jitter of reading two clocks, or slewing: not followed, so that a moment has
/// the same wall time in every line that tells of it.
#[cfg(feature = "kernel")]
const CLOCK_STEP_NS: u128 = 10_000_000;

pub(super) struct Stream {
    /// Its settings. Where it leads is told by the sinks.
    #[cfg(feature = "kernel")]
    pub(super) output: Output,
    pub(super) encoder: Encoder,
    pub(super) sinks: Sinks,
    batch: Batch,
}

impl Outputs {
    /// Opens every destination.
    pub(super) fn open(
        outputs: &[Output],
        host: &Host,
        when_full: WhenFull,
    ) -> Result<Self, anyhow::Error> {
        let open = |output: &Output| -> Result<Stream, SinkError> {
            let encoder = encoder(output, host);
            let sinks = Sinks::open(&output.targets, when_full)?;
            Ok(Stream::new(output, encoder, sinks))
        };
        Ok(Self {
            #[cfg(feature = "kernel")]
            host: host.clone(),
            streams: outputs.iter().map(open).collect::<Result<_, _>>()?,
        })
    }

    /// Adds the lines of one event to the batches of the streams that want it.
    pub(super) fn encode(
        &mut self,
        class: Class,
        mut encode: impl FnMut(&mut Encoder, &mut Vec<u8>),
    ) {
        for Stream { encoder, batch, .. } in &mut self.streams {
            batch.append(class, |out| encode(encoder, out));
        }
    }

    /// What became of the lines, by what each sink is called in metrics: its kind, with a number from the second
    /// on.
    #[cfg(feature = "kernel")]
    pub(super) fn accounts(&self) -> Vec<(String, Arc<Account>)> {
        let mut labels = Labels::default();
        let sinks = self.streams.iter().flat_map(|stream| {
            let targets = stream.sinks.targets();
            targets.iter().zip(stream.sinks.accounts())
        });
        sinks
            .map(|(target, account)| (labels.next(target.kind()), Arc::clone(account)))
            .collect()
    }

    /// Bytes that wait for [`Self::write`] in the fullest stream.
    #[cfg(feature = "kernel")]
    pub(super) fn waiting(&self) -> usize {
        self.streams
            .iter()
            .map(|stream| stream.batch.len())
            .max()
            .unwrap_or(0)
    }

    /// Hands the batches to the destinations, and tells on standard error what became of earlier ones.
    pub(super) fn write(&mut self) {
        for stream in &mut self.streams {
            stream.sinks.write(&stream.batch);
            stream.batch.clear();
            tell(&stream.sinks.news());
        }
    }

    /// Throws away what waits, of all streams the first's lines: for tests.
    #[cfg(all(test, feature = "kernel"))]
    pub(super) fn discard(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        for stream in &mut self.streams {
            if lines.is_empty() {
                lines.extend_from_slice(stream.batch.bytes());
            }
            stream.batch.clear();
        }
        lines
    }

    /// How many events the first stream has had: for tests.
    #[cfg(all(test, feature = "kernel"))]
    pub(super) fn events(&self) -> u64 {
        let first = self.streams.first();
        first.map_or(0, |stream| stream.encoder.events())
    }

    /// Has files opened anew that somebody may have moved away.
    #[cfg(feature = "kernel")]
    pub(super) fn reopen(&mut self) {
        for stream in &mut self.streams {
            stream.sinks.reopen();
        }
    }

    /// Whether nobody reads any of the streams any more.
    pub(super) fn all_closed(&self) -> bool {
        self.streams.iter().all(|stream| stream.sinks.all_closed())
    }

    /// Follows a wall clock that was set. Nanoseconds to add to the boot clock.
    #[cfg(feature = "kernel")]
    pub(super) fn set_wall_minus_boot_ns(&mut self, offset: i128) {
        if offset.abs_diff(self.host.wall_minus_boot_ns) < CLOCK_STEP_NS {
            return;
        }
        self.host.wall_minus_boot_ns = offset;
        for stream in &mut self.streams {
            stream.encoder.set_wall_minus_boot_ns(offset);
        }
    }

    /// Writes what is left and waits, within reason, until it is written.
    pub(super) fn finish(mut self) {
        self.write();
        for stream in self.streams {
            tell(&stream.sinks.finish(PATIENCE));
        }
    }
}

/// Numbers sinks of one kind. The first has none, so that a second one does not rename it.
#[cfg(feature = "kernel")]
#[derive(Default)]
struct Labels(BTreeMap<&'static str, u32>);

#[cfg(feature = "kernel")]
impl Labels {
    fn next(&mut self, kind: &'static str) -> String {
        let number = self.0.entry(kind).or_default();
        *number += 1;
        match number {
            1 => kind.to_owned(),
            number => format!("{kind}-{number}"),
        }
    }
}

impl Stream {
    /// A stream that begins.
    #[cfg_attr(
        not(feature = "kernel"),
        expect(unused_variables, reason = "only a live stream is compared")
    )]
    pub(super) fn new(output: &Output, encoder: Encoder, sinks: Sinks) -> Self {
        Self {
            #[cfg(feature = "kernel")]
            output: output.clone(),
            encoder,
            sinks,
            batch: Batch::default(),
        }
    }
}

/// What encodes the lines of a stream that begins.
pub(super) fn encoder(output: &Output, host: &Host) -> Encoder {
    Encoder::new(output.format, host.clone(), output.colour)
        .with_envelope(output.envelope.clone())
        .with_selection(output.selection.clone())
}

/// A line on standard error for each report but that of a closed pipe, which is a quiet end.
pub(super) fn tell(news: &[Report]) {
    for report in news.iter().filter(|report| !report.is_closed()) {
        warn(&report.to_string());
    }
}

/// One line on standard error. Nobody may be there to read it, which is no reason to stop.
pub(super) fn warn(line: &str) {
    let _ = writeln!(std::io::stderr(), "socktrace: {line}");
}
