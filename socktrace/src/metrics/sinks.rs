//! What becomes of lines, by sink.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::families::{counters, gauges};
use crate::model::BootTime;
use crate::sink::{Account, Class, Outcome};

/// Metrics of these sinks. `seconds` are those since 1970.
pub(super) fn encode(
    to: &mut DescriptorEncoder<'_>,
    sinks: &[(String, Arc<Account>)],
    seconds: impl Fn(BootTime) -> f64,
) -> fmt::Result {
    let each = || sinks.iter().map(|(name, of)| (("sink", name.as_str()), of));
    let events = each().flat_map(|(sink, of)| {
        Outcome::ALL.map(|outcome| ([sink, ("result", outcome.name())], of.lines(outcome)))
    });
    counters(
        to,
        (
            "sink_events",
            "Lines by what became of them: delivered, or how they were lost",
        ),
        events,
    )?;
    let dropped = each().flat_map(|(sink, of)| {
        Class::ALL.map(|class| ([sink, ("class", class.label())], of.dropped(class)))
    });
    counters(
        to,
        (
            "sink_dropped",
            "Lines that there was no room for, in memory or on disk, by what they were about",
        ),
        dropped,
    )?;
    gauges(
        to,
        (
            "sink_up",
            "1 while the sink takes lines, 0 while it is away or loses some",
        ),
        None,
        each().map(|(sink, of)| {
            let troubles = of.troubles();
            let up = troubles.away.is_none() && troubles.losing.is_empty();
            ([sink], u64::from(up))
        }),
    )?;
    let bytes = Some(&Unit::Bytes);
    gauges(
        to,
        ("sink_queue", "Lines that wait in memory"),
        bytes,
        each().map(|(sink, of)| ([sink], of.queued())),
    )?;
    gauges(
        to,
        ("sink_spool", "Lines that wait on disk"),
        bytes,
        each().filter_map(|(sink, of)| Some(([sink], of.spooled()?.0))),
    )?;
    gauges(
        to,
        ("sink_spool_max", "Room on disk"),
        bytes,
        each().filter_map(|(sink, of)| Some(([sink], of.spooled()?.1))),
    )?;
    gauges(
        to,
        (
            "sink_last_success_timestamp",
            "When lines were delivered last; absent if never",
        ),
        Some(&Unit::Seconds),
        each().filter_map(|(sink, of)| Some(([sink], seconds(of.last_success()?)))),
    )
}
