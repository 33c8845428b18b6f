//! `scan --by`: leaked sockets counted by what they have in common.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::cli::GroupBy;
use crate::model::{Comm, Container, Kind, ScanGroup, Scanned, TcpState, Tgid};
use crate::tracker::Acceptors;

/// One thing that sockets have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key<'a> {
    Process(Comm, Tgid),
    Peer(IpAddr),
    State(TcpState),
    Kind(Kind),
    /// The local address if somebody listens there; connections we made have no listener.
    Listener(Option<SocketAddr>),
    Container(Option<(Option<&'static str>, &'a str)>),
}

/// `process,state`.
pub(super) fn name(by: &[GroupBy]) -> String {
    let names: Vec<_> = by.iter().map(|by| by.name()).collect();
    names.join(",")
}

/// The leaks counted, most first.
pub(super) fn count(by: &[GroupBy], leaks: &[Scanned], acceptors: &Acceptors) -> Vec<ScanGroup> {
    let mut counts: HashMap<Vec<Key<'_>>, u64> = HashMap::new();
    for leak in leaks {
        let mut combined = vec![Vec::new()];
        for by in by {
            let keys = keys(*by, leak, acceptors);
            combined = combined
                .iter()
                .flat_map(|begun| keys.iter().map(move |key| with(begun, key)))
                .collect();
        }
        for key in combined {
            *counts.entry(key).or_default() += 1;
        }
    }
    let mut groups: Vec<_> = counts
        .into_iter()
        .map(|(keys, count)| ScanGroup {
            key: keys
                .iter()
                .map(Key::shown)
                .collect::<Vec<_>>()
                .join(&b", "[..]),
            count,
        })
        .collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
    groups
}

fn with<'a>(begun: &[Key<'a>], key: &Key<'a>) -> Vec<Key<'a>> {
    begun.iter().chain([key]).cloned().collect()
}

/// What a leak counts for: with several holding processes, for each of them once.
fn keys<'a>(by: GroupBy, leak: &'a Scanned, acceptors: &Acceptors) -> Vec<Key<'a>> {
    match by {
        GroupBy::Process => {
            let mut holders: Vec<_> = leak
                .holders
                .iter()
                .map(|holder| (holder.tgid, holder.comm))
                .collect();
            holders.sort_by_key(|(tgid, _)| *tgid);
            holders.dedup();
            holders
                .into_iter()
                .map(|(tgid, comm)| Key::Process(comm, tgid))
                .collect()
        }
        GroupBy::Peer => vec![Key::Peer(leak.socket.peer.ip())],
        GroupBy::State => vec![Key::State(leak.socket.state)],
        GroupBy::Kind => vec![Key::Kind(leak.kind)],
        GroupBy::Listener => {
            let listens = !acceptors.of(&leak.socket).is_empty();
            vec![Key::Listener(listens.then_some(leak.socket.local))]
        }
        GroupBy::Container => {
            let place = leak.process.as_ref().map(|process| &process.place);
            let container = place.and_then(|place| place.container.as_ref());
            let key = |container: &'a Container| (container.runtime, container.short_id());
            vec![Key::Container(container.map(key))]
        }
    }
}

impl Key<'_> {
    fn shown(&self) -> Vec<u8> {
        match self {
            Self::Process(comm, tgid) => {
                let mut key = comm.as_bytes().to_vec();
                key.extend_from_slice(format!("[{}]", tgid.0).as_bytes());
                key
            }
            Self::Peer(ip) => ip.to_string().into_bytes(),
            Self::State(state) => state.name().into(),
            Self::Kind(kind) => kind.name().into(),
            Self::Listener(None) => b"(no listener)".to_vec(),
            Self::Listener(Some(address)) => address.to_string().into_bytes(),
            Self::Container(None) => b"(no container)".to_vec(),
            Self::Container(Some((runtime, id))) => {
                format!("{} {id}", runtime.unwrap_or("container")).into_bytes()
            }
        }
    }
}
