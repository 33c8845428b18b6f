//! The body of `/readyz`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::moments::wall_of;
use super::values::Shown;
use crate::model::{BootTime, Readiness, SinkState};

#[derive(Serialize)]
struct Body<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reader_stalled_seconds: Option<u64>,
    hooks_missing: &'a [&'static str],
    events_lost: BTreeMap<&'static str, u64>,
    sinks: Vec<Sink<'a>>,
}

#[derive(Serialize)]
struct Sink<'a> {
    #[serde(rename = "sink")]
    name: &'a str,
    up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    away: Option<Trouble<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    losing: BTreeMap<&'static str, Trouble<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_rejected: Option<Trouble<'a>>,
    events: BTreeMap<&'static str, u64>,
    queue_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    spool_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spool_max_bytes: Option<u64>,
    last_success: Option<Moment>,
}

#[derive(Serialize)]
struct Trouble<'a> {
    since: Moment,
    reason: &'a str,
}

type Moment = Shown<humantime::Rfc3339Timestamp>;

/// The body of `/readyz`: one JSON object and a newline. `wall_minus_boot_ns` makes times of the boot clock
/// those of the wall.
#[must_use]
pub fn readiness(state: &Readiness, wall_minus_boot_ns: i128) -> Vec<u8> {
    let moment = |at: BootTime| {
        Shown(humantime::format_rfc3339_millis(wall_of(
            wall_minus_boot_ns,
            at,
        )))
    };
    let lost = state.lost.iter().map(|(place, lost)| (place.name(), *lost));
    let body = Body {
        status: state.ready().name(),
        reader_stalled_seconds: state.stalled.map(|stalled| stalled.as_secs()),
        hooks_missing: &state.missing,
        events_lost: lost.collect(),
        sinks: state.sinks.iter().map(|of| sink(of, &moment)).collect(),
    };
    let mut out = serde_json::to_vec(&body).unwrap_or_default();
    out.push(b'\n');
    out
}

fn sink<'a>(of: &'a SinkState, moment: &impl Fn(BootTime) -> Moment) -> Sink<'a> {
    let trouble = |at: BootTime, reason: &'a str| Trouble {
        since: moment(at),
        reason,
    };
    let losing = of.losing.iter();
    Sink {
        name: &of.name,
        up: of.is_well(),
        away: of.away.as_ref().map(|(at, why)| trouble(*at, why)),
        losing: losing
            .map(|loss| (loss.to, trouble(loss.since, &loss.reason)))
            .collect(),
        last_rejected: of.rejected.as_ref().map(|(at, why)| trouble(*at, why)),
        events: of.lines.iter().copied().collect(),
        queue_bytes: of.queued,
        spool_bytes: of.spooled.map(|(bytes, _)| bytes),
        spool_max_bytes: of.spooled.map(|(_, most)| most),
        last_success: of.last_success.map(moment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GapPlace, Loss};

    #[test]
    fn a_sink_that_is_away_says_since_when_and_why() {
        let minute = |n: u64| BootTime(n * 60_000_000_000);
        let state = Readiness {
            missing: vec!["accept"],
            lost: [(GapPlace::Ring, 3)].into(),
            sinks: vec![SinkState {
                name: "syslog".to_owned(),
                away: Some((minute(1), "connection \"refused\"\n".to_owned())),
                losing: vec![Loss {
                    to: "spool_full",
                    is_end: false,
                    since: minute(2),
                    reason: "full".to_owned(),
                }],
                lines: vec![("delivered", 5), ("spool_full", 2)],
                queued: 7,
                spooled: Some((8, 9)),
                ..SinkState::default()
            }],
            ..Readiness::default()
        };
        assert_eq!(
            String::from_utf8(readiness(&state, 0)).unwrap(),
            "{\"status\":\"not_ready\",\"hooks_missing\":[\"accept\"],\"events_lost\":{\"ring\":3},\
             \"sinks\":[{\"sink\":\"syslog\",\"up\":false,\
             \"away\":{\"since\":\"1970-01-01T00:01:00.000Z\",\"reason\":\"connection \\\"refused\\\"\\n\"},\
             \"losing\":{\"spool_full\":{\"since\":\"1970-01-01T00:02:00.000Z\",\"reason\":\"full\"}},\
             \"events\":{\"delivered\":5,\"spool_full\":2},\"queue_bytes\":7,\"spool_bytes\":8,\
             \"spool_max_bytes\":9,\"last_success\":null}]}\n"
        );
    }
}
