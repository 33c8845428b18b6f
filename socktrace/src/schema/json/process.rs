//! Processes, threads and holders.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::super::escape::escape;
use super::super::ids::Ids;
use super::super::incident::facts;
use super::super::values::{Shown, Untrusted};
use super::super::words::{finding_process, oldest};
use super::line::{Time, time};
use super::writer::Written;
use crate::model::{
    self, BootTime, Finding, Holder, Host, NamedIncident, Scanned, SocketUse, Task, Tgid,
};

/// `process`.
#[derive(Serialize)]
pub(super) struct Process<'a> {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_line: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<Shown<Uuid>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<Thread<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
}

#[derive(Serialize)]
struct Thread<'a> {
    id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Untrusted<'a>>,
}

#[derive(Serialize)]
struct User {
    id: Shown<u32>,
}

#[derive(Serialize)]
struct Parent {
    pid: u32,
}

impl<'a> Process<'a> {
    /// The blamed process of a finding: what /proc told, else what the kernel did.
    pub(super) fn blamed(host: &Host, ids: &Ids, finding: &'a Finding) -> Option<Self> {
        let blame = finding.leak.blame.as_ref()?;
        let mut process = match finding_process(finding) {
            Some(facts) => Self::read(host, ids, facts),
            None => Self::known(host, ids, blame.tgid, blame.started, blame.comm.as_bytes()),
        };
        process.thread = blame.tid.map(|tid| {
            let named = finding.thread.as_ref().filter(|thread| thread.tid == tid);
            let name = named.and_then(|thread| thread.name.as_deref());
            Thread {
                id: tid.0,
                name: name.map(Untrusted),
            }
        });
        Some(process)
    }

    /// The process of an incident: what /proc told, else what the kernel did.
    pub(super) fn culprit(host: &Host, ids: &Ids, named: &'a NamedIncident) -> Option<Self> {
        let culprit = named.incident.culprit.as_ref()?;
        Some(if let Some(facts) = facts(named, culprit) {
            Self::read(host, ids, facts)
        } else {
            let comm = culprit.comm.as_bytes();
            Self::known(host, ids, culprit.tgid, culprit.started, comm)
        })
    }

    /// The oldest holder of a scanned socket, where nothing more is known of it than the kernel told.
    fn oldest_holder(host: &Host, ids: &Ids, scanned: &'a Scanned) -> Option<Self> {
        let oldest = oldest(&scanned.holders)?;
        Some(Self::known(
            host,
            ids,
            oldest.tgid,
            oldest.started,
            oldest.comm.as_bytes(),
        ))
    }

    /// The process of a thread whose name, as it was then, is all that is known.
    pub(super) fn of_task(task: &'a Task) -> Self {
        let comm = task.comm.as_bytes();
        // A thread's name is the process's only where the thread leads it.
        let leads = task.tid.0 == task.tgid.0;
        Self {
            name: leads.then_some(Untrusted(comm)),
            thread: Some(Thread {
                id: task.tid.0,
                name: Some(Untrusted(comm)),
            }),
            ..Self::unknown(task.tgid)
        }
    }

    /// A process of the past and its blamed thread.
    #[cfg(feature = "history")]
    pub(super) fn past(
        host: &Host,
        past: &'a model::PastProcess,
        thread: Option<&'a (u32, Option<Vec<u8>>)>,
    ) -> Self {
        Self {
            executable: past.executable.as_deref().map(Untrusted),
            command_line: past.command_line.as_deref().map(Untrusted),
            start: Some(time(host, super::super::past::at(past.started))),
            entity_id: Some(Shown(Uuid::from_bytes(past.entity))),
            thread: thread.map(|(id, name)| Thread {
                id: *id,
                name: name.as_deref().map(Untrusted),
            }),
            user: past.uid.map(|uid| User { id: Shown(uid) }),
            parent: past.parent.map(|pid| Parent { pid }),
            ..Self::named(past.pid, &past.name)
        }
    }

    /// A process of which pid and name are told.
    #[cfg(feature = "history")]
    pub(super) fn named(pid: u32, name: &'a [u8]) -> Self {
        Self {
            name: (!name.is_empty()).then_some(Untrusted(name)),
            ..Self::unknown(Tgid(pid))
        }
    }

    fn read(host: &Host, ids: &Ids, facts: &'a model::Process) -> Self {
        Self {
            executable: facts.executable.as_deref().map(Untrusted),
            command_line: facts.command_line.as_deref().map(Untrusted),
            user: facts.uid.map(|uid| User { id: Shown(uid) }),
            parent: facts.parent.map(|parent| Parent { pid: parent.0 }),
            ..Self::known(host, ids, facts.tgid, facts.started, &facts.name)
        }
    }

    fn known(host: &Host, ids: &Ids, tgid: Tgid, started: BootTime, name: &'a [u8]) -> Self {
        Self {
            name: (!name.is_empty()).then_some(Untrusted(name)),
            start: Some(time(host, started)),
            entity_id: Some(Shown(ids.process(tgid, started))),
            ..Self::unknown(tgid)
        }
    }

    fn unknown(tgid: Tgid) -> Self {
        Self {
            pid: tgid.0,
            name: None,
            executable: None,
            command_line: None,
            start: None,
            entity_id: None,
            thread: None,
            user: None,
            parent: None,
        }
    }
}

/// `process` of the last scanned socket: the next one is often the same process's.
#[derive(Debug, Default)]
pub(in super::super) struct LastProcess(Option<(Arc<model::Process>, Written)>);

impl LastProcess {
    /// The oldest holder of a scanned socket.
    pub(super) fn oldest_holder<'a>(
        &'a mut self,
        host: &Host,
        ids: &Ids,
        scanned: &'a Scanned,
    ) -> Option<ProcessFields<'a>> {
        let Some(facts) = &scanned.process else {
            return Process::oldest_holder(host, ids, scanned).map(ProcessFields::Made);
        };
        let known = |(last, _): &(Arc<model::Process>, _)| Arc::ptr_eq(last, facts);
        if !self.0.as_ref().is_some_and(known) {
            let written = Written::new(&Process::read(host, ids, facts));
            self.0 = written.map(|written| (Arc::clone(facts), written));
        }
        Some(match &self.0 {
            Some((_, written)) => ProcessFields::Written(written),
            None => ProcessFields::Made(Process::read(host, ids, facts)),
        })
    }
}

/// `process`, which may have been written before.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ProcessFields<'a> {
    Made(Process<'a>),
    Written(&'a Written),
}

/// One of `socktrace.leak.holders`.
#[derive(Serialize)]
pub(super) struct HolderFields<'a> {
    pid: u32,
    fd: u32,
    comm: Untrusted<'a>,
}

/// `socktrace.leak.holders`.
pub(super) fn holders(holders: &[Holder]) -> Vec<HolderFields<'_>> {
    let fields = |h| {
        let Holder { tgid, fd, comm, .. }: &Holder = h;
        HolderFields {
            pid: tgid.0,
            fd: *fd,
            comm: Untrusted(comm.as_bytes()),
        }
    };
    holders.iter().map(fields).collect()
}

/// Those that were kept.
#[cfg(feature = "history")]
pub(super) fn past_holders(holders: &[(u32, u32, model::Comm)]) -> Vec<HolderFields<'_>> {
    holders
        .iter()
        .map(|(pid, fd, comm)| HolderFields {
            pid: *pid,
            fd: *fd,
            comm: Untrusted(comm.as_bytes()),
        })
        .collect()
}

/// One of `socktrace.leak.threads`.
#[derive(Serialize)]
pub(super) struct UserFields<'a> {
    pid: u32,
    tid: u32,
    /// Where it could still be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Untrusted<'a>>,
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Time>,
}

/// `socktrace.leak.threads`: who used the socket, newest first, then who connected or accepted it.
pub(super) fn users<'a>(host: &Host, finding: &'a Finding) -> Vec<UserFields<'a>> {
    let names = finding.user_names.iter().map(Option::as_deref);
    let names = names.chain(std::iter::repeat(None));
    let fields = |(used, name): (&SocketUse, Option<&'a [u8]>)| UserFields {
        pid: used.tgid.0,
        tid: used.tid.0,
        name: name.map(Untrusted),
        op: used.op.name(),
        at: used.at.map(|at| time(host, at)),
    };
    finding.leak.uses.iter().zip(names).map(fields).collect()
}

/// `socktrace.leak.closed_by`.
#[derive(Serialize)]
pub(super) struct TaskFields {
    pid: u32,
    tid: u32,
    comm: String,
}

impl From<Task> for TaskFields {
    fn from(task: Task) -> Self {
        let comm = escape(task.comm.as_bytes()).into_owned();
        Self {
            pid: task.tgid.0,
            tid: task.tid.0,
            comm,
        }
    }
}
