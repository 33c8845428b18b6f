//! What one reading of the truth showed, by socket.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;

use crate::cli::Filter;
use crate::enrich::Enricher;
use crate::model::{
    BootTime, Event, Held, Holder, KernelAddr, Kind, Record, Scanned, TcpState, Unheld,
};
use crate::tracker::{Acceptors, Listeners, NumberHasher};
use crate::verdict::{End, Evidence, diagnose, kind_of};

/// Leaked sockets and listeners. Cookies are not asked for by a mere look, so sockets are told apart by
/// their addresses, which hold for its moment.
pub(super) struct Look {
    /// In the order of the kernel: by process and descriptor.
    held: Vec<Scanned>,
    at: HashMap<KernelAddr, usize, BuildHasherDefault<NumberHasher>>,
    unheld: Vec<(BootTime, Unheld)>,
    never_connected: HashSet<KernelAddr>,
    listeners: Listeners,
}

impl Look {
    pub(super) fn new() -> Self {
        Self {
            held: Vec::new(),
            at: HashMap::default(),
            unheld: Vec::new(),
            never_connected: HashSet::new(),
            listeners: Listeners::new(usize::MAX),
        }
    }

    /// Takes a record.
    pub(super) fn take(&mut self, record: &Record) {
        match &record.event {
            Event::Held(held) => self.take_held(record.at, held),
            Event::Unheld(unheld) => self.unheld.push((record.at, *unheld)),
            _ => {}
        }
    }

    fn take_held(&mut self, at: BootTime, held: &Held) {
        let holder = Holder::from(held);
        if held.socket.state == TcpState::Listen {
            self.listeners.add(held, holder);
            return;
        }
        let Some(kind) = kind_of(&held.socket, true) else {
            if held.socket.state == TcpState::Close {
                self.never_connected.insert(held.socket.kaddr);
            }
            return;
        };
        match self.at.entry(held.socket.kaddr) {
            Entry::Occupied(known) => {
                if let Some(scanned) = self.held.get_mut(*known.get())
                    // Threads with a table of their own after their leader's end tell of it again.
                    && !scanned.holders.contains(&holder)
                {
                    scanned.holders.push(holder);
                }
            }
            Entry::Vacant(unknown) => {
                unknown.insert(self.held.len());
                self.held.push(scanned(at, kind, held, holder));
            }
        }
    }

    /// Sockets whose connection is over and that are held.
    pub(super) fn closed_held(&self) -> u64 {
        let closed = |leaked: &&Scanned| leaked.kind == Kind::ClosedHeld;
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
        let mut leaks = self.held;
        for leak in &mut leaks {
            leak.holders.sort_by_key(|holder| (holder.tgid, holder.fd));
        }
        leaks.extend(unheld);
        leaks.retain_mut(|leak| {
            enricher.scanned(leak);
            filter.matches_scanned(leak)
        });
        leaks.sort_by_key(|leak| {
            let first = leak.holders.first().map(|holder| (holder.tgid, holder.fd));
            (first, leak.socket.local, leak.socket.peer)
        });
        (leaks, acceptors)
    }
}

fn scanned(at: BootTime, kind: Kind, held: &Held, holder: Holder) -> Scanned {
    let evidence = Evidence {
        seqs: held.seqs,
        eof_read: None,
        end: End::of_error(held.socket.state, held.error),
    };
    Scanned {
        at,
        kind,
        diagnosis: diagnose(kind, &evidence),
        socket: held.socket,
        seqs: held.seqs,
        idle: held.idle,
        holders: vec![holder],
        process: None,
        netns_name: None,
    }
}
