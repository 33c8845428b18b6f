//! The page that Prometheus reads, in the text format of `OpenMetrics` 1.0.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::families::{counter, counters, gauge, gauges};
use super::{Counted, Leaks, Sight, Vitals, sinks};
use crate::model::{BootTime, GapPlace, Kind};
use crate::sink::Account;

/// What the page tells, at one moment.
#[derive(Debug)]
pub(super) struct Page {
    vitals: Arc<Vitals>,
    sight: Arc<Sight>,
    leaks: Arc<Leaks>,
    counted: Counted,
    sinks: Vec<(String, Arc<Account>)>,
    /// Nanoseconds.
    wall_minus_boot: i128,
}

type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

impl Page {
    /// What is so now. `wall_minus_boot` in nanoseconds.
    pub(super) fn new(vitals: &Arc<Vitals>, sight: Arc<Sight>, wall_minus_boot: i128) -> Self {
        Self {
            leaks: vitals.leaks(),
            counted: vitals.counted(),
            sinks: vitals.sinks(),
            vitals: Arc::clone(vitals),
            sight,
            wall_minus_boot,
        }
    }

    /// The page as text.
    pub(super) fn text(self) -> Result<String, fmt::Error> {
        let process = Process(Arc::clone(&self.sight), self.seconds(self.vitals.started));
        let mut registry = Registry::with_prefix("socktrace");
        registry.register_collector(Box::new(self));
        let mut unprefixed = Registry::default();
        unprefixed.register_collector(Box::new(process));
        let mut text = String::new();
        encode_registry(&mut text, &registry)?;
        encode_registry(&mut text, &unprefixed)?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// Seconds since 1970.
    fn seconds(&self, at: BootTime) -> f64 {
        seconds(i128::from(at.0).saturating_add(self.wall_minus_boot))
    }

    fn agent(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        to.encode_descriptor("build", "Which socktrace this is", None, MetricType::Info)?
            .encode_info(&version)?;
        let hooks = self.vitals.hooks.iter();
        let hooks = hooks.map(|(purpose, support)| {
            ([("purpose", *purpose), ("support", support.name())], 1_u64)
        });
        gauges(
            to,
            (
                "hook",
                "How each purpose is served on this kernel: ok, fallback or missing",
            ),
            None,
            hooks,
        )?;
        gauge(
            to,
            (
                "last_tick_timestamp",
                "When the reader of the kernel was last seen at work",
            ),
            Some(&Unit::Seconds),
            Some(self.seconds(self.vitals.ticked())),
        )?;
        gauge(
            to,
            (
                "longest_pause",
                "The longest time for which the reader of the kernel's buffer did something else",
            ),
            Some(&Unit::Seconds),
            Some(self.counted.longest_pause.as_secs_f64()),
        )?;
        for (name, help, value) in [
            (
                "tracked_sockets",
                "Sockets that are followed, open leaks included",
                self.counted.tracked,
            ),
            (
                "untracked_sockets",
                "Possible leaks that there was no room to follow",
                self.counted.untracked,
            ),
            (
                "unproven_sockets",
                "Sockets old enough to be leaks that nobody was seen to hold; they are not reported",
                self.counted.unproven,
            ),
        ] {
            gauge(to, (name, help), None, Some(value))?;
        }
        if let Some(lost) = self.vitals.history_lost() {
            let help = "Changes of findings that the history could not keep";
            counter(to, ("history_lost", help), lost)?;
        }
        let lost = |place| self.counted.lost.get(&place).copied().unwrap_or(0);
        counter(
            to,
            (
                "ringbuf_events_lost",
                "Events lost because the buffer between kernel and agent was full",
            ),
            lost(GapPlace::Ring),
        )?;
        let places = GapPlace::ALL.map(|place| ([("place", place.name())], lost(place)));
        counters(
            to,
            (
                "events_lost",
                "Losses by place; those of `ring` are in socktrace_ringbuf_events_lost_total too",
            ),
            places,
        )
    }

    fn machine(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .sight
            .states
            .iter()
            .map(|(state, count)| (state.name().to_ascii_lowercase(), *count))
            .collect();
        gauges(
            to,
            (
                "tcp_sockets",
                "TCP sockets of this network namespace by state, healthy ones included",
            ),
            None,
            names
                .iter()
                .map(|(name, count)| ([("state", name.as_str())], *count)),
        )?;
        let tables = &self.sight.tables;
        gauges(
            to,
            (
                "bpf_map_entries",
                "Entries of the kernel's tables; those of `sockets` are estimated from a sample",
            ),
            None,
            tables
                .iter()
                .filter_map(|table| Some(([("map", table.name)], table.entries?))),
        )?;
        gauges(
            to,
            ("bpf_map_max_entries", "Room in the kernel's tables"),
            None,
            tables
                .iter()
                .map(|table| ([("map", table.name)], table.most)),
        )
    }

    fn leaks(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let leaks = &self.leaks;
        gauges(
            to,
            ("leaked_sockets", "Leaked sockets that are open"),
            None,
            self.by_process(|of| (of.open, of.detected)),
        )?;
        counters(
            to,
            (
                "leaks_detected",
                "Leaked sockets that were found, by the process and kind they were first put down to",
            ),
            self.by_process(|of| (of.detected, of.open)),
        )?;
        counters(
            to,
            ("leaks_resolved", "Leaks that are over, by cause"),
            leaks
                .resolved
                .iter()
                .map(|(cause, count)| ([("cause", *cause)], *count)),
        )?;
        gauge(
            to,
            (
                "oldest_leak_timestamp",
                "Since when the oldest open leak is one; absent without any",
            ),
            Some(&Unit::Seconds),
            leaks.oldest.map(|at| self.seconds(at)),
        )?;
        let close_wait = &leaks.close_wait;
        let buckets: Vec<_> = close_wait.buckets().collect();
        to.encode_descriptor(
            "close_wait_duration",
            "How long leaked sockets had been in CLOSE_WAIT when they were resolved",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?
        .encode_histogram::<NoLabelSet>(
            close_wait.sum.as_secs_f64(),
            close_wait.count(),
            &buckets,
            None,
        )?;
        gauge(
            to,
            (
                "incidents",
                "Incidents that are open: processes that leak, by kind",
            ),
            None,
            Some(leaks.incidents),
        )?;
        let exhausted = leaks
            .processes
            .iter()
            .filter_map(|of| Some(([("process", of.name.as_str())], self.seconds(of.exhausted?))));
        gauges(
            to,
            (
                "fd_exhaustion_timestamp",
                "When a process will have used up its descriptors if it goes on leaking as it does",
            ),
            Some(&Unit::Seconds),
            exhausted,
        )?;
        counter(
            to,
            (
                "lines_held_back",
                "Lines of single leaks that were held back; they are in the incidents' counts",
            ),
            leaks.held_back,
        )?;
        counter(
            to,
            (
                "leaks_without_incident",
                "Leaks that no incident had room for",
            ),
            leaks.without_incident,
        )
    }

    /// Counts by process and kind, where they or others of the same are not 0.
    fn by_process(
        &self,
        counts: fn(&super::OfName) -> (super::Counts, super::Counts),
    ) -> impl Iterator<Item = (Labels<'_, 2>, u64)> {
        self.leaks.processes.iter().flat_map(move |of| {
            let (these, others) = counts(of);
            let all = Kind::ALL.into_iter().zip(these).zip(others);
            all.filter(|((_, this), other)| *this > 0 || *other > 0)
                .map(|((kind, this), _)| {
                    ([("process", of.name.as_str()), ("kind", kind.name())], this)
                })
        })
    }
}

impl Collector for Page {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        self.agent(&mut to)?;
        self.machine(&mut to)?;
        self.leaks(&mut to)?;
        sinks::encode(&mut to, &self.sinks, |at| self.seconds(at))
    }
}

/// What this process uses, under the names that all programs have for it; and when it began.
#[derive(Debug)]
struct Process(Arc<Sight>, f64);

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let to = &mut to;
        let own = self.0.resources;
        let seconds = Some(&Unit::Seconds);
        gauge(
            to,
            ("process_start_time", "When the agent began to watch"),
            seconds,
            Some(self.1),
        )?;
        if let Some(own) = own {
            to.encode_descriptor(
                "process_cpu",
                "Processor time of the agent; that of its eBPF programs is not in it",
                seconds,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, _, u64>(&own.cpu.as_secs_f64(), None)?;
        }
        gauge(
            to,
            ("process_resident_memory", "Memory of the agent"),
            Some(&Unit::Bytes),
            own.map(|own| own.resident),
        )?;
        gauge(
            to,
            ("process_open_fds", "Descriptors of the agent"),
            None,
            own.map(|own| own.descriptors),
        )
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a microsecond more or less is no matter in a metric"
)]
fn seconds(ns: i128) -> f64 {
    (ns / 1000) as f64 / 1e6
}
