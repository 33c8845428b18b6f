//! Who accepts for a queued connection: the listeners that a reading of the truth has shown.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::model::{Family, Held, Holder, Socket};

use super::judge::sorted;

/// Listening sockets and their holders, as far as there is room.
#[derive(Debug)]
pub struct Listeners {
    seen: Vec<Listener>,
    max: usize,
}

#[derive(Debug)]
struct Listener {
    key: Key,
    /// Connections wait in its queue.
    busy: bool,
    holder: Holder,
}

/// What a listener and the connections in its queue have in common. The listener's address may be a
/// wildcard. A child has the family of its listener, v4-mapped or not.
type Key = (u32, Family, SocketAddr);

/// The holders by address: made once a reading, so that the connections in a queue share one list.
#[derive(Debug, Default)]
pub struct Acceptors {
    by_key: HashMap<Key, Arc<[Holder]>, BuildHasherDefault<DefaultHasher>>,
}

impl Listeners {
    /// Room for `max` descriptors of listeners.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            seen: Vec::new(),
            max,
        }
    }

    /// Takes a descriptor of a listener; false if there is no room for it.
    pub fn add(&mut self, held: &Held, holder: Holder) -> bool {
        let fits = self.seen.len() < self.max;
        if fits {
            let key = key(&held.socket, held.socket.local);
            self.seen.push(Listener {
                key,
                busy: held.ack_backlog > 0,
                holder,
            });
        }
        fits
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.seen = Vec::new();
    }

    /// Groups them by address. Several sockets may share one (`SO_REUSEPORT`): a connection waits in the
    /// queue of one of those that have any waiting, so the idle ones are left out if one is not.
    pub fn acceptors(&mut self) -> Acceptors {
        let mut groups: HashMap<Key, (bool, Vec<Holder>)> = HashMap::new();
        for listener in std::mem::take(&mut self.seen) {
            let (busy, holders) = groups.entry(listener.key).or_default();
            if listener.busy && !*busy {
                *busy = true;
                holders.clear();
            }
            if listener.busy == *busy {
                holders.push(listener.holder);
            }
        }
        let by_key = groups
            .into_iter()
            .map(|(key, (_, holders))| (key, sorted(holders)))
            .collect();
        Acceptors { by_key }
    }
}

impl Acceptors {
    /// Who holds the listener in whose queue `socket` waits; nobody if none was seen.
    #[must_use]
    pub fn of(&self, socket: &Socket) -> Arc<[Holder]> {
        let wildcards = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let port = socket.local.port();
        let addresses = wildcards.map(|ip| SocketAddr::new(ip, port));
        std::iter::once(socket.local)
            .chain(addresses)
            .find_map(|local| self.by_key.get(&key(socket, local)))
            .map_or_else(|| Arc::from([]), Arc::clone)
    }
}

fn key(socket: &Socket, local: SocketAddr) -> Key {
    (
        socket.netns,
        socket.family,
        SocketAddr::new(local.ip(), local.port()),
    )
}
