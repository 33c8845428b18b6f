//! The events of `trace`: what tcpstates and tcplife print together.

use std::time::Duration;

use super::super::escape::escape;
use crate::model::{Lifecycle, LifecycleEvent, TcpState};

/// The names of the columns.
pub(super) fn heading() -> String {
    row([
        "TIME(UTC)",
        "EVENT",
        "PID/TID",
        "COMM",
        "NETNS",
        "LOCAL",
        "REMOTE",
        "OLD→NEW",
        "MS",
        "TX_KB",
        "RX_KB",
    ])
}

/// One event.
///
/// MS is the time spent in the old state, for `connect` the time it took, for `release` the age of the
/// connection. The kilobytes (of 1024 bytes) are those the peer has acknowledged and those received,
/// told when a connection is over. `-` stands for what is not known.
pub(super) fn line(time: &str, event: &Lifecycle) -> String {
    let socket = event.what.socket();
    let state = socket.state.name();
    let (name, states, took, bytes) = match &event.what {
        LifecycleEvent::Connect(connect) => {
            let took = Some(event.at.since(connect.started));
            ("connect", state.to_owned(), took, None)
        }
        LifecycleEvent::Accept(_) => ("accept", state.to_owned(), None, None),
        LifecycleEvent::StateChange(change) => {
            let bytes = (change.bytes_acked, change.bytes_received);
            let bytes = (socket.state == TcpState::Close).then_some(bytes);
            (
                "state",
                format!("{}→{state}", change.old),
                event.in_state,
                bytes,
            )
        }
        LifecycleEvent::Release(release) => {
            let bytes = (release.bytes_acked, release.bytes_received);
            ("release", state.to_owned(), event.lifetime, Some(bytes))
        }
    };
    let owner = event.owner.as_ref();
    let pids = owner.map_or_else(unknown, |task| format!("{}/{}", task.tgid.0, task.tid.0));
    let comm = owner.map_or_else(unknown, |task| escape(task.comm.as_bytes()).into_owned());
    row([
        time,
        name,
        &pids,
        &comm,
        &socket.netns.to_string(),
        &socket.local.to_string(),
        &socket.peer.to_string(),
        &states,
        &took.map_or_else(unknown, millis),
        &bytes.map_or_else(unknown, |(sent, _)| kilobytes(sent)),
        &bytes.map_or_else(unknown, |(_, received)| kilobytes(received)),
    ])
}

fn unknown() -> String {
    "-".to_owned()
}

fn millis(d: Duration) -> String {
    format!("{}.{:03}", d.as_millis(), d.subsec_micros() % 1000)
}

/// Rounded to the nearest tenth.
fn kilobytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10 + 512) / 1024;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// One cell a column, in the order of [`heading`].
fn row(cells: [&str; 11]) -> String {
    let [
        time,
        event,
        pids,
        comm,
        netns,
        local,
        remote,
        states,
        ms,
        tx,
        rx,
    ] = cells;
    format!(
        "{time:<16}  {event:<7}  {pids:<13}  {comm:<15}  {netns:<10}  {local:<21}  {remote:<21}  \
         {states:<22}  {ms:>10}  {tx:>7}  {rx:>7}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_as_documented() {
        assert_eq!(millis(Duration::from_nanos(61_000_499_999)), "61000.499");
        assert_eq!(millis(Duration::ZERO), "0.000");
        assert_eq!(kilobytes(0), "0.0");
        assert_eq!(kilobytes(51), "0.0");
        assert_eq!(kilobytes(52), "0.1");
        assert_eq!(kilobytes(1024), "1.0");
        assert_eq!(kilobytes(u64::MAX), "18014398509481984.0");
    }
}
