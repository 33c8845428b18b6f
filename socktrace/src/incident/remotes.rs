//! Which remote ends the open findings of an incident have.

use std::net::SocketAddr;

use crate::model::{Leak, Remote, Role};

/// How many are counted at once. Findings of further ones are in the incident's count only.
const MOST: usize = 32;
/// How many are told.
const TOLD: usize = 5;

/// Open findings by remote end.
#[derive(Debug, Default)]
pub(super) struct Remotes {
    counted: Vec<Remote>,
}

/// Where a finding was counted; `None` if it was not.
pub(super) type Place = Option<u8>;

impl Remotes {
    /// Counts a finding.
    pub(super) fn enter(&mut self, leak: &Leak) -> Place {
        let addr = remote(leak);
        let same = |remote: &Remote| remote.open > 0 && remote.addr == addr;
        let place = match self.counted.iter().position(same) {
            Some(place) => place,
            None => self.free(addr)?,
        };
        self.counted.get_mut(place)?.open += 1;
        u8::try_from(place).ok()
    }

    /// A finding that was counted at `place` is no more.
    pub(super) fn leave(&mut self, place: Place) {
        let remote = place.and_then(|place| self.counted.get_mut(usize::from(place)));
        if let Some(remote) = remote {
            remote.open = remote.open.saturating_sub(1);
        }
    }

    /// Those with the most open findings, those first.
    pub(super) fn most(&self) -> Vec<Remote> {
        let mut most: Vec<_> = self
            .counted
            .iter()
            .filter(|remote| remote.open > 0)
            .copied()
            .collect();
        most.sort_unstable_by_key(|remote| (std::cmp::Reverse(remote.open), remote.addr));
        most.truncate(TOLD);
        most
    }

    fn free(&mut self, addr: SocketAddr) -> Option<usize> {
        let fresh = Remote { addr, open: 0 };
        if let Some(place) = self.counted.iter().position(|remote| remote.open == 0) {
            *self.counted.get_mut(place)? = fresh;
            return Some(place);
        }
        (self.counted.len() < MOST).then(|| {
            self.counted.push(fresh);
            self.counted.len() - 1
        })
    }
}

/// The remote end that makes the difference: where we connected it is a service, address and port; where
/// it connected, or nobody knows, the port was chosen by chance.
fn remote(leak: &Leak) -> SocketAddr {
    let peer = leak.socket.peer;
    let port = if leak.role == Role::Connected {
        peer.port()
    } else {
        0
    };
    SocketAddr::new(peer.ip().to_canonical(), port)
}
