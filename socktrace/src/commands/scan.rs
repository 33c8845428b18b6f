//! `scan`: one look at all sockets, without waiting.

use std::collections::HashMap;
use std::time::Duration;

use super::Failure;
use super::live;
use super::outputs::{Outputs, warn};
use crate::cli::{Exit, Filter, GroupBy, ScanSettings};
use crate::clock::{self, Clock as _};
use crate::decode::{DecodeContext, records};
use crate::enrich::Enricher;
use crate::model::{
    BootTime, Event, Held, Holder, KernelAddr, Mark, Record, ScanGroup, Scanned, TcpState, Unheld,
};
use crate::schema::Encoder;
use crate::sink::WhenFull;
use crate::source::hooks::HookOverrides;
use crate::source::kernel::loader::{LEAST, Mode, Options};
use crate::tracker::{Acceptors, Listeners};
use crate::verdict::{End, Evidence, diagnose, kind_of};

/// How many processes' facts are remembered.
const PROCESSES: usize = 65_536;

/// Looks once and prints.
pub(super) fn execute(settings: &ScanSettings) -> Result<Exit, Failure> {
    let mut outputs = Outputs::open(&settings.outputs, &live::host(), WhenFull::Wait)?;
    let options = Options {
        mode: Mode::Scan,
        leak_after: Duration::MAX,
        sizes: LEAST,
        forced: HookOverrides::default(),
    };
    let mut kernel = live::load_with(&options)?;
    let mut bytes = Vec::new();
    let unread = kernel.iterators.truth(&[], &mut bytes);
    let context = DecodeContext {
        hz: kernel.iterators.hz(),
    };
    let mut look = Look::new();
    let mut whole = true;
    for (_, record) in records(&bytes, context) {
        match record {
            Ok(record) => whole &= look.take(&record),
            Err(_) => whole = false,
        }
    }
    let acceptors = look.listeners.acceptors();
    let leaks = look.leaks(&acceptors, &settings.filter);
    let at = clock::System.boot();
    match settings.by {
        None => {
            for leak in &leaks {
                outputs.encode(|encoder, out| encoder.encode_scanned(leak, out));
            }
            outputs.encode(Encoder::finish_scan);
        }
        Some(by) => {
            for group in groups(by, &leaks, &acceptors) {
                outputs.encode(|encoder, out| encoder.encode_group(at, by.name(), &group, out));
            }
        }
    }
    outputs.finish();
    for unread in &unread {
        warn(&unread.to_string());
    }
    if !whole || !unread.is_empty() {
        return Err(Failure::from(anyhow::anyhow!(
            "the kernel's tables could not be read to the end: there may be more; scan again"
        )));
    }
    Ok(if leaks.is_empty() {
        Exit::Fine
    } else {
        Exit::LeaksFound
    })
}

/// What one reading of the truth showed, by socket. Cookies are not asked for by a mere look, so
/// sockets are told apart by their addresses, which hold for its moment.
struct Look {
    held: HashMap<KernelAddr, (BootTime, Held, Vec<Holder>)>,
    unheld: Vec<(BootTime, Unheld)>,
    listeners: Listeners,
}

impl Look {
    fn new() -> Self {
        Self {
            held: HashMap::new(),
            unheld: Vec::new(),
            listeners: Listeners::new(usize::MAX),
        }
    }

    /// Takes a record; false if it says that the reading failed on the way.
    fn take(&mut self, record: &Record) -> bool {
        match record.event {
            Event::Held(held) => {
                let (_, _, holders) = self
                    .held
                    .entry(held.socket.kaddr)
                    .or_insert_with(|| (record.at, held, Vec::new()));
                let holder = Holder::from(&held);
                if held.socket.state == TcpState::Listen {
                    self.listeners.add(&held, holder);
                }
                // Threads with a table of their own after their leader's end tell of it again.
                if !holders.contains(&holder) {
                    holders.push(holder);
                }
            }
            Event::Unheld(unheld) => self.unheld.push((record.at, unheld)),
            Event::Mark(Mark::TruthEnd { complete }) => return complete,
            _ => {}
        }
        true
    }

    /// The leaked sockets that match, with names, ordered by process and descriptor.
    fn leaks(&self, acceptors: &Acceptors, filter: &Filter) -> Vec<Scanned> {
        let mut enricher = Enricher::new(live::procfs(), PROCESSES);
        let held = self.held.values().filter_map(|(at, held, holders)| {
            let kind = kind_of(&held.socket, true)?;
            let end = End::of_error(held.socket.state, held.error);
            let evidence = Evidence {
                seqs: held.seqs,
                eof_read: None,
                end,
            };
            let mut holders = holders.clone();
            holders.sort_by_key(|holder| (holder.tgid, holder.fd));
            Some(Scanned {
                at: *at,
                kind,
                diagnosis: diagnose(kind, &evidence),
                socket: held.socket,
                seqs: held.seqs,
                idle: held.idle,
                holders,
                process: None,
            })
        });
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
        leaks
    }
}

/// The leaks counted, most first.
fn groups(by: GroupBy, leaks: &[Scanned], acceptors: &Acceptors) -> Vec<ScanGroup> {
    let mut counts: HashMap<Vec<u8>, u64> = HashMap::new();
    for leak in leaks {
        for key in keys(by, leak, acceptors) {
            *counts.entry(key).or_default() += 1;
        }
    }
    let mut groups: Vec<_> = counts
        .into_iter()
        .map(|(key, count)| ScanGroup { key, count })
        .collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
    groups
}

/// What a leak counts for: with several holding processes, for each of them once.
fn keys(by: GroupBy, leak: &Scanned, acceptors: &Acceptors) -> Vec<Vec<u8>> {
    match by {
        GroupBy::Process => {
            let mut keys: Vec<_> = leak.holders.iter().map(process_key).collect();
            keys.sort();
            keys.dedup();
            keys
        }
        GroupBy::Peer => vec![leak.socket.peer.ip().to_string().into_bytes()],
        GroupBy::State => vec![leak.socket.state.name().into()],
        GroupBy::Kind => vec![leak.kind.name().into()],
        GroupBy::Listener => vec![listener_key(leak, acceptors)],
    }
}

fn process_key(holder: &Holder) -> Vec<u8> {
    let mut key = holder.comm.as_bytes().to_vec();
    key.extend_from_slice(format!("[{}]", holder.tgid.0).as_bytes());
    key
}

/// The local address if somebody listens there; connections we made have no listener.
fn listener_key(leak: &Scanned, acceptors: &Acceptors) -> Vec<u8> {
    if acceptors.of(&leak.socket).is_empty() {
        b"(no listener)".to_vec()
    } else {
        leak.socket.local.to_string().into_bytes()
    }
}
