//! What one reading of the truth showed, by socket.

use std::collections::{HashMap, HashSet};

use crate::cli::Filter;
use crate::enrich::Enricher;
use crate::model::{
    BootTime, Event, Held, Holder, KernelAddr, Kind, Mark, Record, Scanned, TcpState, Unheld,
};
use crate::tracker::{Acceptors, Listeners};
use crate::verdict::{End, Evidence, diagnose, kind_of};

/// Leaked sockets and listeners. Cookies are not asked for by a mere look, so sockets are told apart by
/// their addresses, which hold for its moment.
pub(super) struct Look {
    /// In the order of the kernel: by process and descriptor.
    held: Vec<Leaked>,
    at: HashMap<KernelAddr, usize>,
    unheld: Vec<(BootTime, Unheld)>,
    never_connected: HashSet<KernelAddr>,
    listeners: Listeners,
}

struct Leaked {
    at: BootTime,
    kind: Kind,
    held: Held,
    holders: Vec<Holder>,
}

impl Look {
    pub(super) fn new() -> Self {
        Self {
            held: Vec::new(),
            at: HashMap::new(),
            unheld: Vec::new(),
            never_connected: HashSet::new(),
            listeners: Listeners::new(usize::MAX),
        }
    }

    /// Takes a record; false if it says that the reading failed on the way.
    pub(super) fn take(&mut self, record: &Record) -> bool {
        match record.event {
            Event::Held(held) => self.take_held(record.at, held),
            Event::Unheld(unheld) => self.unheld.push((record.at, unheld)),
            Event::Mark(Mark::TruthEnd { complete }) => return complete,
            _ => {}
        }
        true
    }

    fn take_held(&mut self, at: BootTime, held: Held) {
        let holder = Holder::from(&held);
        if held.socket.state == TcpState::Listen {
            self.listeners.add(&held, holder);
            return;
        }
        let known = self.at.get(&held.socket.kaddr).copied();
        if let Some(leaked) = known.and_then(|at| self.held.get_mut(at)) {
            // Threads with a table of their own after their leader's end tell of it again.
            if !leaked.holders.contains(&holder) {
                leaked.holders.push(holder);
            }
            return;
        }
        let Some(kind) = kind_of(&held.socket, true) else {
            if held.socket.state == TcpState::Close {
                self.never_connected.insert(held.socket.kaddr);
            }
            return;
        };
        self.at.insert(held.socket.kaddr, self.held.len());
        self.held.push(Leaked {
            at,
            kind,
            held,
            holders: vec![holder],
        });
    }

    /// Sockets whose connection is over and that are held.
    pub(super) fn closed_held(&self) -> u64 {
        let closed = |leaked: &&Leaked| leaked.kind == Kind::ClosedHeld;
        self.held.iter().filter(closed).count() as u64
    }

    /// Held sockets in `TCP_CLOSE` that were never connected, or were disconnected.
    pub(super) fn never_connected(&self) -> u64 {
        self.never_connected.len() as u64
    }

    /// The leaked sockets that match, with names, ordered by process and descriptor; and who accepts.
    pub(super) fn leaks(
        mut self,
        enricher: &mut Enricher,
        filter: &Filter,
    ) -> (Vec<Scanned>, Acceptors) {
        let acceptors = self.listeners.acceptors();
        let held = self.held.into_iter().map(Leaked::scanned);
        let unheld = self.unheld.iter().filter_map(|(at, unheld)| {
            let kind = kind_of(&unheld.socket, false)?;
            let evidence = Evidence {
                seqs: unheld.seqs,
                ..Evidence::default()
            };
            Some(Scanned {
                at: *at,
                kind,
                diagnosis: diagnose(kind, &evidence),
                socket: unheld.socket,
                seqs: unheld.seqs,
                idle: unheld.idle,
                holders: acceptors.of(&unheld.socket).to_vec(),
                process: None,
                netns_name: None,
            })
        });
        let mut leaks: Vec<_> = held
            .chain(unheld)
            .map(|scanned| enricher.scanned(scanned))
            .filter(|scanned| filter.matches_scanned(scanned))
            .collect();
        leaks.sort_by_key(|leak| {
            let first = leak.holders.first().map(|holder| (holder.tgid, holder.fd));
            (first, leak.socket.local, leak.socket.peer)
        });
        (leaks, acceptors)
    }
}

impl Leaked {
    fn scanned(mut self) -> Scanned {
        let held = self.held;
        let evidence = Evidence {
            seqs: held.seqs,
            eof_read: None,
            end: End::of_error(held.socket.state, held.error),
        };
        self.holders.sort_by_key(|holder| (holder.tgid, holder.fd));
        Scanned {
            at: self.at,
            kind: self.kind,
            diagnosis: diagnose(self.kind, &evidence),
            socket: held.socket,
            seqs: held.seqs,
            idle: held.idle,
            holders: self.holders,
            process: None,
            netns_name: None,
        }
    }
}
