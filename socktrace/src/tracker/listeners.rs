//! Who accepts for a queued connection: the listeners that a reading of the truth has shown.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::model::{Family, Held, Holder, Queue, Socket};

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
    queue: Queue,
    holder: Holder,
}

/// What a listener and the connections in its queue have in common. The listener's address may be a
/// wildcard. A child has the family of its listener, v4-mapped or not.
type Key = (u32, Family, SocketAddr);

/// The holders by address: made once a reading, so that the connections in a queue share one list.
#[derive(Debug, Default)]
pub struct Acceptors {
    by_key: HashMap<Key, Acceptor, BuildHasherDefault<DefaultHasher>>,
}

/// Who accepts at an address.
#[derive(Debug)]
struct Acceptor {
    holders: Arc<[Holder]>,
    /// The longest queue there.
    queue: Queue,
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
                queue: Queue {
                    waiting: held.ack_backlog,
                    backlog: held.max_ack_backlog,
                },
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
        let mut groups: HashMap<Key, (Queue, Vec<Holder>)> = HashMap::new();
        for listener in std::mem::take(&mut self.seen) {
            let Listener { key, queue, holder } = listener;
            let (longest, holders) = groups.entry(key).or_insert_with(|| (queue, Vec::new()));
            let (busy, is_busy) = (longest.waiting > 0, queue.waiting > 0);
            if is_busy && !busy {
                holders.clear();
            }
            if queue.waiting > longest.waiting {
                *longest = queue;
            }
            if is_busy || !busy {
                holders.push(holder);
            }
        }
        let by_key = groups
            .into_iter()
            .map(|(key, (queue, holders))| {
                let holders = sorted(holders);
                (key, Acceptor { holders, queue })
            })
            .collect();
        Acceptors { by_key }
    }
}

impl Acceptors {
    /// Who holds the listener in whose queue `socket` waits; nobody if none was seen.
    #[must_use]
    pub fn of(&self, socket: &Socket) -> Arc<[Holder]> {
        self.acceptor(socket)
            .map_or_else(|| Arc::from([]), |found| Arc::clone(&found.holders))
    }

    /// The queue that `socket` waits in; the longest one where several listeners share the address.
    #[must_use]
    pub fn queue(&self, socket: &Socket) -> Option<Queue> {
        self.acceptor(socket).map(|found| found.queue)
    }

    fn acceptor(&self, socket: &Socket) -> Option<&Acceptor> {
        let wildcards = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let port = socket.local.port();
        let addresses = wildcards.map(|ip| SocketAddr::new(ip, port));
        std::iter::once(socket.local)
            .chain(addresses)
            .find_map(|local| self.by_key.get(&key(socket, local)))
    }
}

fn key(socket: &Socket, local: SocketAddr) -> Key {
    (
        socket.netns,
        socket.family,
        SocketAddr::new(local.ip(), local.port()),
    )
}
