//! A finding as it is kept.

use std::time::UNIX_EPOCH;

use super::super::ids::Ids;
use super::super::moments::wall;
use super::super::words::{finding_process, role};
use crate::model::{
    BootTime, Diagnosis, Finding, Host, MAX_HOLDERS, Past, PastEnd, PastProcess, PastSocket, Phase,
    Process, Role, WallMicros, Word,
};

/// Turns findings into what is kept of them, under the names that their lines have.
#[derive(Debug)]
pub struct Chronicle {
    ids: Ids,
    host: Host,
}

impl Chronicle {
    /// The chronicle of a host in its present boot.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self {
            ids: Ids::new(&host),
            host,
        }
    }

    /// Takes over a wall clock that was set after the start: nanoseconds to add to the boot clock.
    pub fn set_wall_minus_boot_ns(&mut self, offset: i128) {
        self.host.wall_minus_boot_ns = offset;
    }

    /// What is kept of a finding.
    pub fn past(&mut self, finding: &Finding) -> Past {
        let leak = &finding.leak;
        let socket = &leak.socket;
        let updated = self.micros(leak.at);
        let end = match leak.phase {
            Phase::Open | Phase::Update => None,
            Phase::Resolved(cause) => Some(PastEnd {
                at: updated,
                cause: Word::Borrowed(cause.name()),
                by: cause
                    .released_by()
                    .map(|task| (task.tgid.0, task.tid.0, task.comm)),
            }),
        };
        let blame = leak.blame.as_ref();
        let tid = blame.and_then(|blame| blame.tid);
        Past {
            id: self.ids.leak(leak).into_bytes(),
            phase: Word::Borrowed(leak.phase.name()),
            kind: leak.kind,
            diagnosis: leak.diagnosis.map(Diagnosis::name).map(Word::Borrowed),
            started: self.micros(leak.since),
            since_seen: leak.since_seen,
            told: updated,
            updated,
            end,
            episode: leak.episode,
            process: self.process(finding),
            thread: tid.map(|tid| {
                let named = finding.thread.as_ref().filter(|thread| thread.tid == tid);
                (tid.0, named.and_then(|thread| thread.name.clone()))
            }),
            via: blame.map(|blame| Word::Borrowed(blame.via.name())),
            fd: blame.map(|blame| blame.fd),
            socket: PastSocket {
                cookie: socket.cookie.0,
                inode: socket.inode,
                netns: socket.netns,
                netns_name: finding.netns_name.as_deref().map(<[u8]>::to_vec),
                state: socket.state,
                role: Word::Borrowed(match role(leak.kind, leak.role) {
                    Role::Accepted => "accepted",
                    Role::Connected => "connected",
                    Role::Unknown => "unknown",
                }),
                local: canonical(socket.local),
                peer: canonical(socket.peer),
                rx_queue: leak.seqs.rx_queue(),
                tx_queue: leak.seqs.tx_queue(),
            },
            holders: leak
                .holders
                .iter()
                .take(MAX_HOLDERS)
                .map(|holder| (holder.tgid.0, holder.fd, holder.comm))
                .collect(),
            holders_total: u32::try_from(leak.holders.len()).unwrap_or(u32::MAX),
        }
    }

    fn process(&self, finding: &Finding) -> Option<PastProcess> {
        let blame = finding.leak.blame.as_ref()?;
        let told;
        let facts = if let Some(facts) = finding_process(finding) {
            facts
        } else {
            told = Process::as_told(blame.tgid, blame.started, blame.comm);
            &told
        };
        let container = facts.place.container.as_ref();
        Some(PastProcess {
            entity: self.ids.process(blame.tgid, blame.started).into_bytes(),
            pid: blame.tgid.0,
            started: self.micros(blame.started),
            name: facts.name.clone(),
            executable: facts.executable.clone(),
            command_line: facts.command_line.clone(),
            uid: facts.uid,
            parent: facts.parent.map(|parent| parent.0),
            cgroup: facts.cgroup.clone(),
            unit: facts.place.unit.clone(),
            container: container.map(|container| container.id.clone()),
            runtime: container
                .and_then(|container| container.runtime)
                .map(Word::Borrowed),
            pod: facts.place.pod_uid.clone(),
        })
    }

    fn micros(&self, at: BootTime) -> WallMicros {
        let since = wall(&self.host, at).duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            WallMicros::try_from(since.as_micros()).unwrap_or(WallMicros::MAX)
        })
    }
}

/// An address as it is printed: a v4-mapped one is IPv4.
fn canonical(address: std::net::SocketAddr) -> std::net::SocketAddr {
    (address.ip().to_canonical(), address.port()).into()
}
