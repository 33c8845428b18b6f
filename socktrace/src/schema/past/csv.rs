//! What was kept, as comma-separated values (RFC 4180).
//!
//! Spreadsheets take a text that begins with `=`, `+`, `-` or `@` for a formula, and some look behind blanks: an
//! apostrophe stands before those, which makes them text. Names are escaped as in all formats, so that none has a
//! line's end in it.

use uuid::Uuid;

use super::super::escape::escape;
use super::super::moments::wall;
use super::super::words::push;
use super::at;
use crate::model::{Host, Past, PastGroup, PastMinute, WallMicros};

/// A record in the making.
struct Record(String);

impl Record {
    fn new() -> Self {
        Self(String::new())
    }

    /// A field of numbers or of words of ours.
    fn plain(&mut self, value: impl std::fmt::Display) -> &mut Self {
        let text = value.to_string();
        self.field(&text)
    }

    /// The same, of what may be unknown.
    fn maybe(&mut self, value: Option<impl std::fmt::Display>) -> &mut Self {
        match value {
            Some(value) => self.plain(value),
            None => self.field(""),
        }
    }

    /// A field that somebody else chose.
    fn untrusted(&mut self, value: Option<&[u8]>) -> &mut Self {
        let text = escape(value.unwrap_or_default());
        let formula = text.trim_start().starts_with([
            '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
        ]);
        if formula {
            self.field(&format!("'{text}"))
        } else {
            self.field(&text)
        }
    }

    fn field(&mut self, text: &str) -> &mut Self {
        if text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
            self.0.push('"');
            self.0.push_str(&text.replace('"', "\"\""));
            self.0.push('"');
        } else {
            self.0.push_str(text);
        }
        self.0.push(',');
        self
    }

    fn end(&mut self) -> String {
        self.0.pop();
        std::mem::take(&mut self.0)
    }
}

/// The names of the fields of [`finding`].
pub(super) const FINDING: &str = "id,phase,kind,diagnosis,cause,start,end,since_seen,told,updated,episode,pid,\
    process,executable,command_line,uid,parent_pid,process_start,thread_id,thread,owner_via,fd,closed_by_pid,\
    closed_by_thread_id,closed_by,state,role,local_ip,local_port,peer_ip,peer_port,rx_queue,tx_queue,cookie,inode,\
    netns,netns_name,cgroup,systemd_unit,container,container_runtime,pod,holders,holders_total";

/// A finding.
pub(super) fn finding(host: &Host, past: &Past) -> String {
    let process = past.process.as_ref();
    let end = past.end.as_ref();
    let by = end.and_then(|end| end.by);
    let socket = &past.socket;
    let thread = past.thread.as_ref();
    let mut holders = String::new();
    for (n, (pid, fd, comm)) in past.holders.iter().enumerate() {
        let separator = if n == 0 { "" } else { " " };
        let comm = escape(comm.as_bytes());
        push(&mut holders, format_args!("{separator}{comm}[{pid}]:{fd}"));
    }
    let text = |text: Option<&str>| text.map(str::as_bytes).map(<[u8]>::to_vec);
    Record::new()
        .plain(Uuid::from_bytes(past.id))
        .untrusted(text(Some(&past.phase)).as_deref())
        .plain(past.kind.name())
        .untrusted(text(past.diagnosis.as_deref()).as_deref())
        .untrusted(text(end.map(|end| &*end.cause)).as_deref())
        .plain(time(host, past.started))
        .maybe(end.map(|end| time(host, end.at)))
        .plain(past.since_seen)
        .plain(time(host, past.told))
        .plain(time(host, past.updated))
        .plain(past.episode)
        .maybe(process.map(|process| process.pid))
        .untrusted(process.map(|process| &process.name[..]))
        .untrusted(process.and_then(|process| process.executable.as_deref()))
        .untrusted(process.and_then(|process| process.command_line.as_deref()))
        .maybe(process.and_then(|process| process.uid))
        .maybe(process.and_then(|process| process.parent))
        .maybe(process.map(|process| time(host, process.started)))
        .maybe(thread.map(|(tid, _)| tid))
        .untrusted(thread.and_then(|(_, name)| name.as_deref()))
        .untrusted(text(past.via.as_deref()).as_deref())
        .maybe(past.fd)
        .maybe(by.map(|(pid, _, _)| pid))
        .maybe(by.map(|(_, tid, _)| tid))
        .untrusted(by.as_ref().map(|(_, _, comm)| comm.as_bytes()))
        .plain(socket.state.name())
        .untrusted(Some(socket.role.as_bytes()))
        .plain(socket.local.ip())
        .plain(socket.local.port())
        .plain(socket.peer.ip())
        .plain(socket.peer.port())
        .plain(socket.rx_queue)
        .plain(socket.tx_queue)
        .plain(socket.cookie)
        .maybe(socket.inode)
        .plain(socket.netns)
        .untrusted(socket.netns_name.as_deref())
        .untrusted(process.and_then(|process| process.cgroup.as_deref()))
        .untrusted(process.and_then(|process| process.unit.as_deref()))
        .untrusted(text(process.and_then(|process| process.container.as_deref())).as_deref())
        .untrusted(text(process.and_then(|process| process.runtime.as_deref())).as_deref())
        .untrusted(text(process.and_then(|process| process.pod.as_deref())).as_deref())
        .untrusted(Some(holders.as_bytes()))
        .plain(past.holders_total)
        .end()
}

/// The names of the fields of [`minute`].
pub(super) const MINUTE: &str = "minute,pid,process,kind,state,open,opened,resolved";

/// The counts of a minute.
pub(super) fn minute(host: &Host, minute: &PastMinute) -> String {
    let process = minute.process.as_ref();
    Record::new()
        .plain(time(host, minute.begin))
        .maybe(process.map(|(pid, _)| pid))
        .untrusted(process.map(|(_, name)| &name[..]))
        .plain(minute.kind.name())
        .plain(minute.state.name())
        .plain(minute.open)
        .plain(minute.opened)
        .plain(minute.resolved)
        .end()
}

/// The names of the fields of [`group`].
pub(super) fn group_heading(by: &str) -> String {
    format!("{by},count,open,first,last")
}

/// Findings that were counted together.
pub(super) fn group(host: &Host, group: &PastGroup) -> String {
    Record::new()
        .untrusted(Some(&group.key))
        .plain(group.count)
        .plain(group.open)
        .plain(time(host, group.first))
        .plain(time(host, group.last))
        .end()
}

fn time(host: &Host, micros: WallMicros) -> String {
    humantime::format_rfc3339_micros(wall(host, at(micros))).to_string()
}
