//! Adds names to what leaves the core.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Namespaces, ProcFs, Processes};
use crate::model::{
    BootTime, Comm, Finding, Incident, Leak, NamedIncident, Process, Scanned, SocketUse, Tgid,
    Thread,
};

/// Adds names to findings and to the rows of a scan.
#[derive(Debug)]
pub struct Enricher {
    processes: Processes,
    namespaces: Namespaces,
    /// The processes and namespaces of this scan's rows so far: each is looked at once.
    rows: Rows,
}

#[derive(Debug, Default)]
struct Rows {
    processes: HashMap<(Tgid, BootTime), Arc<Process>>,
    namespaces: HashMap<u32, Option<Arc<[u8]>>>,
}

impl Enricher {
    /// With facts from `proc`, kept for at most `capacity` processes.
    #[must_use]
    pub fn new(proc: ProcFs, capacity: usize) -> Self {
        Self {
            processes: Processes::new(proc, capacity),
            namespaces: Namespaces::of_this_machine(),
            rows: Rows::default(),
        }
    }

    /// The same with these names of network namespaces.
    #[must_use]
    pub fn with_namespaces(self, namespaces: Namespaces) -> Self {
        Self { namespaces, ..self }
    }

    /// A leak with its blamed process. The threads are left to [`Self::name_threads`].
    ///
    /// Of a process that can no longer be looked at, what the kernel told is left: pid, start and name.
    pub fn finding(&mut self, leak: Leak) -> Finding {
        let process = leak.blame.map(|b| self.process(b.tgid, b.started, b.comm));
        let netns_name = self.namespaces.name(leak.socket.netns);
        Finding {
            leak,
            process,
            thread: None,
            user_names: Vec::new(),
            netns_name,
            membership: None,
        }
    }

    /// Adds the threads to a finding that is going to be told: their names are read each time.
    pub fn name_threads(&mut self, finding: &mut Finding) {
        let leak = &finding.leak;
        let user_names = self.user_names(&leak.uses);
        finding.thread = leak.blame.and_then(|blame| {
            let tid = blame.tid?;
            let is_it =
                |used: &SocketUse| (used.tgid, used.tid) == (blame.tgid, tid) && used.at.is_some();
            let named = leak
                .uses
                .iter()
                .zip(&user_names)
                .find(|(used, _)| is_it(used));
            Some(match named {
                Some((_, name)) => Thread {
                    tid,
                    name: name.clone(),
                },
                None => self.processes.thread(blame.tgid, blame.started, tid),
            })
        });
        finding.user_names = user_names;
    }

    /// An incident with its blamed process and the descriptors that has and may have.
    pub fn incident(&mut self, incident: Incident) -> NamedIncident {
        let culprit = incident.culprit;
        NamedIncident {
            incident,
            process: culprit.map(|c| self.process(c.tgid, c.started, c.comm)),
            descriptors: culprit
                .map(|c| self.processes.descriptors(c.tgid, c.started))
                .unwrap_or_default(),
        }
    }

    /// The names of those who used a socket. They are often one thread, which is looked at once.
    fn user_names(&self, uses: &[SocketUse]) -> Vec<Option<Vec<u8>>> {
        let mut names: Vec<Option<Vec<u8>>> = Vec::with_capacity(uses.len());
        for used in uses {
            let before = uses
                .iter()
                .zip(&names)
                .find(|(before, _)| (before.tgid, before.tid) == (used.tgid, used.tid));
            let name = before.map_or_else(|| self.processes.user(used), |(_, name)| name.clone());
            names.push(name);
        }
        names
    }

    /// Names the oldest holder of a row of a scan. An enricher serves one scan: what a process and a
    /// namespace are called is read once, whatever the number of their sockets.
    pub fn scanned(&mut self, scanned: &mut Scanned) {
        let oldest = scanned
            .holders
            .iter()
            .min_by_key(|h| (h.started, h.tgid))
            .copied();
        scanned.process = oldest.map(|h| {
            if let Some(known) = self.rows.processes.get(&(h.tgid, h.started)) {
                return Arc::clone(known);
            }
            let process = Arc::new(self.process(h.tgid, h.started, h.comm));
            let key = (h.tgid, h.started);
            self.rows.processes.insert(key, Arc::clone(&process));
            process
        });
        let netns = scanned.socket.netns;
        let namespaces = &mut self.namespaces;
        let name = || namespaces.name(netns);
        let netns_name = self.rows.namespaces.entry(netns).or_insert_with(name);
        scanned.netns_name.clone_from(netns_name);
    }

    fn process(&mut self, tgid: Tgid, started: BootTime, comm: Comm) -> Process {
        let facts = self.processes.facts_named(tgid, started, comm);
        facts.unwrap_or_else(|| Process::as_told(tgid, started, comm))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::enrich::fake::{FakeProc, at_ticks};
    use crate::model::{
        Blame, Cookie, Family, Holder, KernelAddr, Kind, OwnerVia, Phase, Place, Role, Seqs,
        Socket, TcpState, Thread, Tid,
    };

    fn socket() -> Socket {
        Socket {
            cookie: Cookie(1),
            cookie_synthetic: false,
            kaddr: KernelAddr(0xffff),
            netns: 1,
            inode: Some(2),
            family: Family::V4,
            state: TcpState::CloseWait,
            no_socket: false,
            dead: false,
            established_once: true,
            local: SocketAddr::from(([127, 0, 0, 1], 80)),
            peer: SocketAddr::from(([127, 0, 0, 1], 5000)),
        }
    }

    fn holder(tgid: u32, started: BootTime) -> Holder {
        Holder {
            tgid: Tgid(tgid),
            fd: 5,
            comm: Comm::from_bytes(b"holder"),
            started,
        }
    }

    fn leak(blame: Option<Blame>) -> Leak {
        Leak {
            phase: Phase::Open,
            at: BootTime(60),
            kind: Kind::CloseWait,
            diagnosis: None,
            socket: socket(),
            seqs: Seqs::default(),
            since: BootTime(0),
            since_seen: true,
            episode: 0,
            role: Role::Accepted,
            holders: vec![holder(7, at_ticks(100))],
            blame,
            uses: Vec::new(),
            queue: None,
        }
    }

    fn blame(tid: Option<u32>) -> Blame {
        Blame {
            tgid: Tgid(7),
            started: at_ticks(100),
            comm: Comm::from_bytes(b"orders"),
            tid: tid.map(Tid),
            via: OwnerVia::LastIo,
            fd: 5,
        }
    }

    fn bare(tgid: u32, started: BootTime, name: &[u8]) -> Process {
        Process {
            tgid: Tgid(tgid),
            started,
            name: name.to_vec(),
            executable: None,
            command_line: None,
            uid: None,
            parent: None,
            cgroup: None,
            place: Place::default(),
        }
    }

    fn named(mut enricher: Enricher, leak: Leak) -> Finding {
        let mut finding = enricher.finding(leak);
        enricher.name_threads(&mut finding);
        finding
    }

    #[test]
    fn a_finding_names_the_blamed_process_and_thread() {
        let fake = FakeProc::new();
        fake.process(7, b"orders", 100);
        fake.thread(7, 8, b"worker-2", b'S');
        let finding = named(Enricher::new(fake.proc(), 8), leak(Some(blame(Some(8)))));
        assert_eq!(finding.leak, leak(Some(blame(Some(8)))));
        let process = finding.process.unwrap();
        assert_eq!(process.name, b"orders");
        assert_eq!(
            process.executable.as_deref(),
            Some(&b"/usr/bin/program"[..])
        );
        assert_eq!(
            finding.thread,
            Some(Thread {
                tid: Tid(8),
                name: Some(b"worker-2".to_vec())
            })
        );
    }

    #[test]
    fn no_thread_is_guessed() {
        let fake = FakeProc::new();
        fake.process(7, b"orders", 100);
        let finding = named(Enricher::new(fake.proc(), 8), leak(Some(blame(None))));
        assert!(finding.process.is_some());
        assert_eq!(finding.thread, None);
    }

    #[test]
    fn nobody_blamed_is_nobody_named() {
        let finding = named(Enricher::new(FakeProc::new().proc(), 8), leak(None));
        assert_eq!((finding.process, finding.thread), (None, None));
    }

    #[test]
    fn of_a_process_that_is_gone_the_kernels_word_is_left() {
        let fake = FakeProc::new();
        fake.process(7, b"another", 999);
        fake.thread(7, 8, b"another's", b'S');
        let finding = named(Enricher::new(fake.proc(), 8), leak(Some(blame(Some(8)))));
        assert_eq!(finding.process, Some(bare(7, at_ticks(100), b"orders")));
        assert_eq!(
            finding.thread,
            Some(Thread {
                tid: Tid(8),
                name: None
            })
        );
    }

    #[test]
    fn a_resolved_finding_keeps_the_facts_of_the_dead() {
        let fake = FakeProc::new();
        fake.process(7, b"orders", 100);
        let mut enricher = Enricher::new(fake.proc(), 8);
        let open = enricher.finding(leak(Some(blame(None))));
        fake.remove_process(7);
        let resolved = enricher.finding(leak(Some(blame(None))));
        assert!(
            open.process
                .as_ref()
                .is_some_and(|p| p.executable.is_some())
        );
        assert_eq!(resolved.process, open.process);
    }

    #[test]
    fn a_scan_names_the_oldest_holder() {
        let fake = FakeProc::new();
        fake.process(7, b"young", 300);
        fake.process(8, b"old", 100);
        fake.process(9, b"middle", 200);
        let holders = vec![
            holder(7, at_ticks(300)),
            holder(8, at_ticks(100)),
            holder(9, at_ticks(200)),
        ];
        let row = Scanned {
            at: BootTime(60),
            kind: Kind::CloseWait,
            diagnosis: None,
            socket: socket(),
            seqs: Seqs::default(),
            idle: None,
            holders,
            process: None,
            netns_name: None,
        };
        let mut enricher = Enricher::new(fake.proc(), 8);
        let mut named = row.clone();
        enricher.scanned(&mut named);
        assert_eq!(named.process.as_ref().map(|p| p.tgid), Some(Tgid(8)));
        assert_eq!(
            named.process.as_ref().map(|p| &p.name[..]),
            Some(&b"old"[..])
        );
        assert_eq!(
            Scanned {
                process: None,
                ..named
            },
            row
        );

        fake.remove_process(8);
        let mut gone = row.clone();
        Enricher::new(fake.proc(), 8).scanned(&mut gone);
        assert_eq!(
            gone.process.as_deref(),
            Some(&bare(8, at_ticks(100), b"holder"))
        );

        let mut unheld = Scanned {
            holders: vec![],
            ..row
        };
        enricher.scanned(&mut unheld);
        assert_eq!(unheld.process, None);
    }
}
