//! Phrases shared by the formats: who, how long, why, what happened.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::escape::escape_into;
use crate::model::{
    Blame, BootTime, Cause, Diagnosis, Finding, Holder, Host, Kind, Leak, Phase, Role, Scanned,
    Seqs, Socket, Status, Support, Task, TcpState,
};

/// The sentence of a finding: `orders[812] fd 37 leaked: CLOSE_WAIT for 61s, EOF never read, peer 10.0.0.9:52114`.
pub(super) fn message(finding: &Finding) -> String {
    let leak = &finding.leak;
    let mut out = String::new();
    match leak.blame {
        Some(blame) => {
            push_process(&mut out, finding, &blame);
            push(&mut out, format_args!(" fd {}", blame.fd));
        }
        None => out.push_str("unknown process"),
    }
    out.push_str(match (leak.phase, leak.kind) {
        (Phase::Open, Kind::Unaccepted) => " leaks a connection it never accepted: ",
        (Phase::Open, _) => " leaked: ",
        (Phase::Update, Kind::Unaccepted) => " still leaks a connection it never accepted: ",
        (Phase::Update, _) => " is still leaked: ",
        (Phase::Resolved(_), _) => " is no longer leaked: ",
    });
    if let Phase::Resolved(cause) = leak.phase {
        push_cause(&mut out, cause);
        push(&mut out, format_args!(" after {}", age(leak)));
    } else {
        push(
            &mut out,
            format_args!("{} for {}", leak.socket.state, age_in_words(leak)),
        );
        if let Some(why) = why(leak.diagnosis, leak.socket.state, leak.seqs) {
            push(&mut out, format_args!(", {why}"));
        }
    }
    push(&mut out, format_args!(", peer {}", leak.socket.peer));
    out
}

/// The sentence of a scanned socket: `orders[812] fd 37: CLOSE_WAIT, idle for at least 61s, …`.
pub(super) fn scan_message(scanned: &Scanned) -> String {
    let mut out = String::new();
    match oldest(&scanned.holders) {
        Some(holder) => {
            push_holder(&mut out, holder);
            let unaccepted = scanned.kind == Kind::Unaccepted;
            out.push_str(if unaccepted {
                " never accepted a connection: "
            } else {
                ": "
            });
        }
        None => out.push_str("unknown process: "),
    }
    push(&mut out, format_args!("{}", scanned.socket.state));
    if let Some(idle) = scanned.idle {
        push(
            &mut out,
            format_args!(", idle for at least {}", duration(idle)),
        );
    }
    if let Some(why) = why(scanned.diagnosis, scanned.socket.state, scanned.seqs) {
        push(&mut out, format_args!(", {why}"));
    }
    push(&mut out, format_args!(", peer {}", scanned.socket.peer));
    out
}

/// The sentence of a status: `started: 5 hooks ok, 1 fallback; tracking 0 sockets, 0 leaks open`.
pub(super) fn status_message(status: &Status) -> String {
    let mut out = status.reason.name().to_owned();
    let mut separator = ": ";
    for support in [Support::Ok, Support::Fallback, Support::Missing] {
        let served = status.hooks.iter().filter(|hook| hook.support == support);
        match served.clone().count() {
            0 => continue,
            count if support == Support::Ok => {
                push(
                    &mut out,
                    format_args!("{separator}{count} hooks {}", support.name()),
                );
            }
            count => {
                let purposes: Vec<_> = served.map(|hook| hook.purpose).collect();
                let (name, purposes) = (support.name(), purposes.join(", "));
                push(
                    &mut out,
                    format_args!("{separator}{count} {name} ({purposes})"),
                );
            }
        }
        separator = ", ";
    }
    let separator = if status.hooks.is_empty() { ": " } else { "; " };
    let (tracked, open) = (status.tracked, status.open);
    push(
        &mut out,
        format_args!(
            "{separator}tracking {}",
            count(tracked, "socket", "sockets")
        ),
    );
    push(
        &mut out,
        format_args!(", {} open", count(open, "leak", "leaks")),
    );
    let lost = status.lost.iter().filter(|(_, lost)| **lost > 0);
    for (n, (place, lost)) in lost.enumerate() {
        out.push_str(if n == 0 { "; lost " } else { ", " });
        push(&mut out, format_args!("{} {lost}", place.name()));
    }
    out
}

/// A number and its noun.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// The holder that has run longest: the one a leak is put down to where nobody was seen using it.
pub(super) fn oldest(holders: &[Holder]) -> Option<&Holder> {
    holders
        .iter()
        .min_by_key(|holder| (holder.started, holder.tgid))
}

/// How the connection came to be; one in an accept queue was not begun here, seen or not.
pub(super) fn role(kind: Kind, seen: Role) -> Role {
    if kind == Kind::Unaccepted {
        Role::Accepted
    } else {
        seen
    }
}

/// Why, in a few words; `None` where nothing is known.
pub(super) fn why(diagnosis: Option<Diagnosis>, state: TcpState, seqs: Seqs) -> Option<String> {
    let text = match diagnosis? {
        Diagnosis::UnreadData => {
            // The peer's FIN takes a sequence number of its own and is no byte of data.
            let fin = u32::from(state == TcpState::CloseWait);
            return Some(match seqs.rx_queue().saturating_sub(fin) {
                1 => "1 byte never read".to_owned(),
                bytes => format!("{bytes} bytes never read"),
            });
        }
        Diagnosis::EofUnread => "EOF never read",
        Diagnosis::EofRead => "EOF read, never closed",
        Diagnosis::EofUnknown => "all data read, never closed",
        Diagnosis::Reset => "connection reset, never closed",
        Diagnosis::AfterFin => "both ends finished, never closed",
        Diagnosis::Timeout => "peer stopped answering, never closed",
    };
    Some(text.to_owned())
}

/// What ended a finding: `closed by orders[812/815]`.
pub(super) fn push_cause(out: &mut String, cause: Cause) {
    out.push_str(match cause {
        Cause::Closed(_) => "closed",
        Cause::Exited(_) => "holder exited",
        Cause::Progress => "bytes moved again",
        Cause::Reset => "the kernel dropped the connection",
    });
    if let Some(task) = cause.released_by() {
        out.push_str(if matches!(cause, Cause::Exited(_)) {
            ": "
        } else {
            " by "
        });
        push_task(out, &task);
    }
}

/// `orders[812]`: the process's own name, or what the kernel knew it by.
fn push_process(out: &mut String, finding: &Finding, blame: &Blame) {
    escape_into(process_name(finding, blame), out);
    push(out, format_args!("[{}]", blame.tgid.0));
}

/// `orders[812/815]`, or `orders[812]` where no thread is known.
pub(super) fn push_blame(out: &mut String, finding: &Finding, blame: &Blame) {
    escape_into(process_name(finding, blame), out);
    match blame.tid {
        Some(tid) => push(out, format_args!("[{}/{}]", blame.tgid.0, tid.0)),
        None => push(out, format_args!("[{}]", blame.tgid.0)),
    }
}

fn process_name<'a>(finding: &'a Finding, blame: &'a Blame) -> &'a [u8] {
    match &finding.process {
        Some(process) if process.tgid == blame.tgid && !process.name.is_empty() => &process.name,
        _ => blame.comm.as_bytes(),
    }
}

fn push_task(out: &mut String, task: &Task) {
    escape_into(task.comm.as_bytes(), out);
    push(out, format_args!("[{}/{}]", task.tgid.0, task.tid.0));
}

/// `orders[812] fd 37`.
pub(super) fn push_holder(out: &mut String, holder: &Holder) {
    escape_into(holder.comm.as_bytes(), out);
    push(out, format_args!("[{}] fd {}", holder.tgid.0, holder.fd));
}

/// Formats into a `String`, which cannot fail.
pub(super) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a String takes everything");
}

/// How long a leak has lasted, `≥` where it was there before anybody looked.
pub(super) fn age(leak: &Leak) -> String {
    let age = duration(leak.age());
    if leak.since_seen {
        age
    } else {
        format!("≥{age}")
    }
}

fn age_in_words(leak: &Leak) -> String {
    let age = duration(leak.age());
    if leak.since_seen {
        age
    } else {
        format!("at least {age}")
    }
}

/// A duration for people, rounded down: `1.2s`, `61s`, `5m03s`, `3h05m`, `2d03h`.
pub(super) fn duration(d: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let s = d.as_secs();
    if s < 10 {
        format!("{s}.{}s", d.subsec_millis() / 100)
    } else if s < 2 * MINUTE {
        format!("{s}s")
    } else if s < 2 * HOUR {
        format!("{}m{:02}s", s / MINUTE, s % MINUTE)
    } else if s < 2 * DAY {
        format!("{}h{:02}m", s / HOUR, s % HOUR / MINUTE)
    } else {
        format!("{}d{:02}h", s / DAY, s % DAY / HOUR)
    }
}

/// The wall-clock time of a moment of this host.
///
/// Clamped to the years 1970 to 9999, which RFC 3339 can write: a recording may claim anything.
pub(super) fn wall(host: &Host, at: BootTime) -> SystemTime {
    const LAST_SECOND_OF_9999: u64 = 253_402_300_799;
    let ns = i128::from(at.0)
        .saturating_add(host.wall_minus_boot_ns)
        .max(0);
    let secs = u64::try_from(ns / 1_000_000_000)
        .unwrap_or(u64::MAX)
        .min(LAST_SECOND_OF_9999);
    let nanos = u32::try_from(ns % 1_000_000_000).unwrap_or(0);
    UNIX_EPOCH + Duration::new(secs, nanos)
}

/// Who began a connection is its source; where that was not seen, the local end is.
///
/// ECS wants both ends filled in whenever they are known. With an unknown role the choice says
/// nothing about who began, and `network.direction` says so: `unknown`. The local end comes first
/// because that is whose socket the line is about, and a guess by port number would look like a fact.
pub(super) fn source_and_destination(socket: &Socket, role: Role) -> (SocketAddr, SocketAddr) {
    match role {
        Role::Accepted => (socket.peer, socket.local),
        Role::Connected | Role::Unknown => (socket.local, socket.peer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_rounded_down() {
        for (millis, text) in [
            (0, "0.0s"),
            (1_299, "1.2s"),
            (9_999, "9.9s"),
            (10_000, "10s"),
            (61_999, "61s"),
            (119_999, "119s"),
            (120_000, "2m00s"),
            (303_000, "5m03s"),
            (7_199_000, "119m59s"),
            (7_200_000, "2h00m"),
            (11_100_000, "3h05m"),
            (172_799_000, "47h59m"),
            (183_600_000, "2d03h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn unread_bytes_do_not_count_the_fin() {
        let seqs = |rcv_nxt, copied_seq| Seqs {
            rcv_nxt,
            copied_seq,
            ..Seqs::default()
        };
        let unread = Some(Diagnosis::UnreadData);
        let check = |state, seqs, text: &str| assert_eq!(why(unread, state, seqs).unwrap(), text);
        check(TcpState::CloseWait, seqs(12, 1), "10 bytes never read");
        check(TcpState::CloseWait, seqs(2, 0), "1 byte never read");
        check(TcpState::Close, seqs(12, 1), "11 bytes never read");
        check(
            TcpState::CloseWait,
            seqs(4, u32::MAX - 5),
            "9 bytes never read",
        );
    }

    #[test]
    fn wall_time_stays_within_what_can_be_written() {
        let host = |wall_minus_boot_ns| Host {
            name: String::new(),
            id: String::new(),
            boot_id: String::new(),
            wall_minus_boot_ns,
            agent_started: BootTime(0),
        };
        let check = |offset, at, text: &str| {
            let time = wall(&host(offset), BootTime(at));
            assert_eq!(humantime::format_rfc3339_micros(time).to_string(), text);
        };
        check(1_000_000_000, 1_999, "1970-01-01T00:00:01.000001Z");
        check(-5, 3, "1970-01-01T00:00:00.000000Z");
        check(i128::MAX, u64::MAX, "9999-12-31T23:59:59.884105Z");
        check(i128::MIN, 0, "1970-01-01T00:00:00.000000Z");
    }
}
