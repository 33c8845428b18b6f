//! Names that last: of a leak, of a line, of a process.
//!
//! All are version 5 UUIDs (RFC 9562 §5.5): a function of their parts and of nothing else, so that a
//! restarted agent, or another tool with the same facts, arrives at the same names. Parts are joined
//! with their lengths, so that no two lists of parts make the same name.

use std::collections::HashMap;

use sha1::{Digest as _, Sha1};
use uuid::{Builder, Uuid};

use crate::model::{BootTime, Cookie, Finding, Host, Incident, Kind, Leak, Phase, Tgid};

/// The namespace of every name here (RFC 9562 §6.6): a random UUID drawn once for this program.
const NAMESPACE: Uuid = Uuid::from_u128(0x5c8a_9d1e_7b34_4f06_a2d7_31e0_96cb_48f5);

/// How many open leaks with made-up cookies are remembered; see [`Ids::leak`].
const MAX_INODES: usize = 262_144;

/// Makes names on one host.
#[derive(Debug)]
pub(super) struct Ids {
    /// Names the host and its boot.
    prefix: Vec<u8>,
    /// What the names of all lines begin with, digested: `trace` names thousands of them a second.
    of_lines: Sha1,
    /// For open leaks with a made-up cookie, the inode they were first told with.
    inodes: HashMap<Cookie, Option<u32>>,
    /// The number of the present event, the same in every stream.
    event: u64,
}

impl Ids {
    /// Names for `host` in its present boot.
    pub(super) fn new(host: &Host) -> Self {
        let mut prefix = Vec::new();
        let host_name = if host.id.is_empty() {
            &host.name
        } else {
            &host.id
        };
        push_part(&mut prefix, host_name.as_bytes());
        push_part(&mut prefix, host.boot_id.as_bytes());
        let mut of_lines = Sha1::new_with_prefix(NAMESPACE);
        let mut begin = prefix.clone();
        push_part(&mut begin, b"event");
        push_part(&mut begin, &host.agent_started.0.to_le_bytes());
        of_lines.update(&begin);
        Self {
            prefix,
            of_lines,
            inodes: HashMap::new(),
            event: 0,
        }
    }

    /// Goes on to the event with this number.
    pub(super) fn begin_event(&mut self, number: u64) {
        self.event = number;
    }

    /// Names the present event. Streams leave out different ones, and so their own numbers do not name it.
    pub(super) fn event(&self, dataset: &str) -> Uuid {
        let mut digest = self.of_lines.clone();
        for part in [&self.event.to_le_bytes(), dataset.as_bytes()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let mut name = [0; 16];
        let digest: [u8; 20] = digest.finalize().into();
        for (to, from) in name.iter_mut().zip(digest) {
            *to = from;
        }
        Builder::from_sha1_bytes(name).into_uuid()
    }

    /// Names a process: the pid alone does not, it is used again.
    pub(super) fn process(&self, tgid: Tgid, started: BootTime) -> Uuid {
        self.name(
            "process",
            &[&tgid.0.to_le_bytes(), &started.0.to_le_bytes()],
        )
    }

    /// Names a leak on all its lines.
    ///
    /// The kernel's cookie names a socket for the whole boot. A made-up one names it for this run of
    /// the agent only, so there the inode is taken, which lasts as long as the socket. A connection in
    /// an accept queue has none yet, but its peer's FIN has come: the last number received stays as it
    /// is, and its ends with it name the connection, for this run also after it was accepted.
    pub(super) fn leak(&mut self, leak: &Leak) -> Uuid {
        let cookie = leak.socket.cookie;
        let episode = leak.episode.to_le_bytes();
        if !leak.socket.cookie_synthetic {
            return self.name("leak", &[b"cookie", &cookie.0.to_le_bytes(), &episode]);
        }
        if let Some(inode) = self.inode_at_first(leak) {
            return self.name("leak", &[b"inode", &inode.to_le_bytes(), &episode]);
        }
        let socket = &leak.socket;
        let ends = format!("{} {}", socket.local, socket.peer);
        self.name(
            "leak",
            &[
                b"queued",
                &socket.netns.to_le_bytes(),
                ends.as_bytes(),
                &leak.seqs.rcv_nxt.to_le_bytes(),
                &episode,
            ],
        )
    }

    /// Names an incident on all its lines.
    pub(super) fn incident(&self, incident: &Incident) -> Uuid {
        let who = incident.culprit.map(|c| (c.tgid, c.started));
        self.rollup(who, incident.kind, incident.episode)
    }

    /// The name of the incident that a finding belongs to.
    pub(super) fn incident_of(&self, finding: &Finding) -> Option<Uuid> {
        let leak = &finding.leak;
        let who = leak.blame.map(|blame| (blame.tgid, blame.started));
        let membership = finding.membership?;
        Some(self.rollup(who, leak.kind, membership.episode))
    }

    fn rollup(&self, who: Option<(Tgid, BootTime)>, kind: Kind, episode: u32) -> Uuid {
        let (tgid, started) = who.unwrap_or((Tgid(0), BootTime(0)));
        let parts: [&[u8]; 4] = [
            &tgid.0.to_le_bytes(),
            &started.0.to_le_bytes(),
            kind.name().as_bytes(),
            &episode.to_le_bytes(),
        ];
        self.name("incident", &parts)
    }

    /// The inode that the first line about this leak told: later ones may have learnt or lost it.
    fn inode_at_first(&mut self, leak: &Leak) -> Option<u32> {
        let cookie = leak.socket.cookie;
        if matches!(leak.phase, Phase::Resolved(_)) {
            self.inodes.remove(&cookie).unwrap_or(leak.socket.inode)
        } else if self.inodes.len() < MAX_INODES {
            *self.inodes.entry(cookie).or_insert(leak.socket.inode)
        } else {
            self.inodes
                .get(&cookie)
                .copied()
                .unwrap_or(leak.socket.inode)
        }
    }

    fn name(&self, what: &str, parts: &[&[u8]]) -> Uuid {
        let mut name = self.prefix.clone();
        push_part(&mut name, what.as_bytes());
        for part in parts {
            push_part(&mut name, part);
        }
        Uuid::new_v5(&NAMESPACE, &name)
    }
}

fn push_part(name: &mut Vec<u8>, part: &[u8]) {
    name.extend_from_slice(&(part.len() as u64).to_le_bytes());
    name.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lines_are_those_of_all_their_parts() {
        let host = Host {
            name: "db-7".into(),
            id: String::new(),
            boot_id: "0f3b7a52".into(),
            wall_minus_boot_ns: 0,
            agent_started: BootTime(10),
        };
        let mut ids = Ids::new(&host);
        for (sequence, dataset) in [(0, "socktrace.trace"), (1 << 40, "socktrace.leak"), (7, "")] {
            let parts: [&[u8]; 3] = [
                &10_u64.to_le_bytes(),
                &u64::to_le_bytes(sequence),
                dataset.as_bytes(),
            ];
            ids.begin_event(sequence);
            assert_eq!(ids.event(dataset), ids.name("event", &parts));
        }
    }
}
