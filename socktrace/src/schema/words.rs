//! Phrases shared by the formats: who, how long, why, what happened.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;

use super::escape::{escape, escape_into};
use super::moments::{duration, push_duration};
use super::numbers::{push_addr, push_number};
use crate::model::{
    Blame, Cause, Diagnosis, Finding, Holder, HookReport, Kind, Leak, Phase, Process, Role,
    Scanned, Seqs, Socket, Task,
};

/// The sentence of a finding: `orders[812] fd 37 leaked: CLOSE_WAIT for 61s, EOF never read, peer 10.0.0.9:52114`.
pub(super) fn message(finding: &Finding) -> String {
    let leak = &finding.leak;
    let mut out = String::new();
    match leak.blame {
        Some(blame) => {
            push_process(&mut out, finding, &blame);
            push_fd(&mut out, leak.kind, blame.fd);
        }
        None => out.push_str("unknown process"),
    }
    out.push_str(match (leak.phase, leak.kind) {
        (Phase::Open, Kind::Unaccepted) => " leaks a connection: ",
        (Phase::Open, _) => " leaked: ",
        (Phase::Update, Kind::Unaccepted) => " still leaks a connection: ",
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
        if let Some(why) = why(leak.kind, leak.diagnosis, leak.seqs) {
            push(&mut out, format_args!(", {why}"));
        }
        push_queue(&mut out, leak);
    }
    push(&mut out, format_args!(", peer {}", leak.socket.peer));
    out
}

/// `, 12 of 128 queued`: of a connection in an accept queue.
pub(super) fn push_queue(out: &mut String, leak: &Leak) {
    if let Some(queue) = leak.queue {
        push(
            out,
            format_args!(", {} of {} queued", queue.waiting, queue.backlog),
        );
    }
}

/// The sentence of a scanned socket: `orders[812] fd 37: CLOSE_WAIT, idle for at least 61s, …`.
pub(super) fn scan_message(scanned: &Scanned) -> String {
    let mut out = String::with_capacity(128);
    match oldest(&scanned.holders) {
        Some(holder) => push_holder(&mut out, scanned.kind, holder),
        None => out.push_str("unknown process"),
    }
    out.push_str(": ");
    out.push_str(scanned.socket.state.name());
    if let Some(idle) = scanned.idle {
        out.push_str(", idle for at least ");
        push_duration(&mut out, idle);
    }
    let before = out.len();
    out.push_str(", ");
    push_why(&mut out, scanned.kind, scanned.diagnosis, scanned.seqs);
    if out.len() == before + 2 {
        out.truncate(before);
    }
    out.push_str(", peer ");
    push_addr(&mut out, scanned.socket.peer);
    out
}

/// What a hook's report has to say: what is lost, and what to do about it; empty if nothing.
pub(super) fn hook_remarks(hook: &HookReport) -> String {
    let remarks: Vec<_> = [&hook.lost, &hook.cure]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| escape(text.as_bytes()))
        .collect();
    remarks.join("; ")
}

/// The sentence of a hook: `release: cgroup/sock_release; …`.
pub(super) fn hook_message(hook: &HookReport) -> String {
    let used = if hook.used.is_empty() {
        "nothing".into()
    } else {
        escape(hook.used.as_bytes())
    };
    let remarks = hook_remarks(hook);
    let separator = if remarks.is_empty() { "" } else { "; " };
    format!("{}: {used}{separator}{remarks}", hook.purpose)
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
pub(super) fn why(kind: Kind, diagnosis: Option<Diagnosis>, seqs: Seqs) -> Option<String> {
    let mut out = String::new();
    push_why(&mut out, kind, diagnosis, seqs);
    (!out.is_empty()).then_some(out)
}

/// Appends what [`why`] returns, if anything.
pub(super) fn push_why(out: &mut String, kind: Kind, diagnosis: Option<Diagnosis>, seqs: Seqs) {
    let unread = diagnosis == Some(Diagnosis::UnreadData);
    if kind == Kind::Unaccepted {
        out.push_str(if unread {
            "never accepted, "
        } else {
            "never accepted"
        });
    }
    if unread {
        out.push_str(&self::unread(kind, seqs));
    } else if kind != Kind::Unaccepted {
        out.push_str(phrase(kind, diagnosis).unwrap_or_default());
    }
}

fn phrase(kind: Kind, diagnosis: Option<Diagnosis>) -> Option<&'static str> {
    match diagnosis {
        Some(Diagnosis::UnreadData) => Some("data never read"),
        Some(Diagnosis::EofUnread) => Some("EOF never read"),
        Some(Diagnosis::EofRead) => Some("EOF read, never closed"),
        Some(Diagnosis::EofUnknown) => Some("all data read, never closed"),
        Some(Diagnosis::Reset) => Some("connection reset, never closed"),
        Some(Diagnosis::AfterFin) => Some("both ends finished, never closed"),
        Some(Diagnosis::Timeout) => Some("peer stopped answering, never closed"),
        None if kind == Kind::HalfClosed => Some("peer never closed"),
        None => None,
    }
}

fn unread(kind: Kind, seqs: Seqs) -> String {
    // In CLOSE_WAIT the peer's FIN takes a sequence number of its own, which is no byte of data.
    let fin = u32::from(matches!(kind, Kind::CloseWait | Kind::Unaccepted));
    let bytes = u64::from(seqs.rx_queue().saturating_sub(fin));
    format!("{} never read", count(bytes, "byte", "bytes"))
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
            ", "
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
    match finding_process(finding) {
        Some(process) if !process.name.is_empty() => &process.name,
        _ => blame.comm.as_bytes(),
    }
}

fn push_task(out: &mut String, task: &Task) {
    escape_into(task.comm.as_bytes(), out);
    push(out, format_args!("[{}/{}]", task.tgid.0, task.tid.0));
}

/// `orders[812] fd 37`, or `orders[812] listener fd 3`.
pub(super) fn push_holder(out: &mut String, kind: Kind, holder: &Holder) {
    escape_into(holder.comm.as_bytes(), out);
    out.push('[');
    push_number(out, holder.tgid.0);
    out.push(']');
    push_fd(out, kind, holder.fd);
}

/// ` fd 37`. A connection in an accept queue has none: what is held is its listener.
pub(super) fn push_fd(out: &mut String, kind: Kind, fd: u32) {
    out.push_str(if kind == Kind::Unaccepted {
        " listener fd "
    } else {
        " fd "
    });
    push_number(out, fd);
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

/// The name of an error TCP ends connections with (include/uapi/asm-generic/errno.h), else its number.
pub(super) fn errno_name(errno: u32) -> Cow<'static, str> {
    const NAMES: [(i32, &str); 9] = [
        (libc::EPIPE, "EPIPE"),
        (libc::EPROTO, "EPROTO"),
        (libc::ENETUNREACH, "ENETUNREACH"),
        (libc::ECONNABORTED, "ECONNABORTED"),
        (libc::ECONNRESET, "ECONNRESET"),
        (libc::ETIMEDOUT, "ETIMEDOUT"),
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::EHOSTUNREACH, "EHOSTUNREACH"),
        (libc::EACCES, "EACCES"),
    ];
    let known = NAMES
        .into_iter()
        .find(|(number, _)| i64::from(*number) == i64::from(errno));
    known.map_or_else(|| errno.to_string().into(), |(_, name)| name.into())
}

/// The id of the container that the blamed process lives in.
pub(super) fn finding_container(finding: &Finding) -> Option<&str> {
    let container = finding_process(finding)?.place.container.as_ref();
    container.map(|container| &container.id[..])
}

/// The facts of the blamed process, if they are that one's: the pid alone could be another's by now.
pub(super) fn finding_process(finding: &Finding) -> Option<&Process> {
    let blame = finding.leak.blame.as_ref()?;
    let is_blamed =
        |process: &&Process| (process.tgid, process.started) == (blame.tgid, blame.started);
    finding.process.as_ref().filter(is_blamed)
}

/// Where a leak is, for people: `docker 0123456789ab`, else `orders.service`; then `netns blue`.
pub(super) fn whereabouts(process: Option<&Process>, netns_name: Option<&[u8]>) -> String {
    let mut out = String::new();
    let place = process.map(|process| &process.place);
    match place.map(|place| (&place.container, &place.unit)) {
        Some((Some(container), _)) => {
            out.push_str(container.runtime.unwrap_or("container"));
            out.push(' ');
            out.push_str(container.short_id());
        }
        Some((None, Some(unit))) => escape_into(unit, &mut out),
        _ => {}
    }
    if let Some(name) = netns_name {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str("netns ");
        escape_into(name, &mut out);
    }
    out
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
    fn unread_bytes_do_not_count_the_fin() {
        let seqs = |rcv_nxt, copied_seq| Seqs {
            rcv_nxt,
            copied_seq,
            ..Seqs::default()
        };
        let check = |kind, seqs, text: &str| {
            assert_eq!(why(kind, Some(Diagnosis::UnreadData), seqs).unwrap(), text);
        };
        check(Kind::CloseWait, seqs(12, 1), "10 bytes never read");
        check(Kind::CloseWait, seqs(2, 0), "1 byte never read");
        check(Kind::ClosedHeld, seqs(12, 1), "11 bytes never read");
        check(Kind::CloseWait, seqs(4, u32::MAX - 5), "9 bytes never read");
        check(
            Kind::Unaccepted,
            seqs(12, 1),
            "never accepted, 10 bytes never read",
        );
    }

    #[test]
    fn some_kinds_say_why_by_themselves() {
        let check = |kind, diagnosis, text: Option<&str>| {
            assert_eq!(why(kind, diagnosis, Seqs::default()).as_deref(), text);
        };
        check(Kind::CloseWait, None, None);
        check(Kind::ClosedHeld, None, None);
        check(Kind::HalfClosed, None, Some("peer never closed"));
        check(Kind::Unaccepted, None, Some("never accepted"));
        check(
            Kind::Unaccepted,
            Some(Diagnosis::EofUnread),
            Some("never accepted"),
        );
    }
}
