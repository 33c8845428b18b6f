//! TCP sockets of our network namespace, by state.

use std::collections::BTreeMap;

use crate::enrich::{ProcFs, sockstat};
use crate::model::TcpState;
use crate::source::diag::netlink::{self, States};

/// States of which there may be very many healthy sockets: they are counted by the kernel, not one by one.
const MANY: [TcpState; 2] = [TcpState::Established, TcpState::TimeWait];
/// A socket in CLOSE is in no table of the kernel's, and requests are told as `SYN_RECV`.
const UNKNOWN: [TcpState; 2] = [TcpState::Close, TcpState::NewSynRecv];

/// How many sockets are in each state; `None` where the kernel does not tell.
///
/// The kernel goes through its table of sockets for it and tells of those that are neither established nor in
/// TIME_WAIT. How many are in these two follows from the counts in `/proc/net/sockstat`, which are of a
/// moment later: on a busy machine the sum is off by what has changed meanwhile.
#[must_use]
pub fn tcp_states(proc: &ProcFs) -> Option<Vec<(TcpState, u64)>> {
    let mut told = BTreeMap::new();
    // Mini-sockets in time-wait stand for FIN_WAIT2 too; the kernel counts them all as time-wait.
    let mut minis = 0;
    let mut full = 0;
    netlink::count(States::ALL.without(&MANY), &mut |state, mini| {
        *told.entry(state).or_insert(0_u64) += 1;
        if mini {
            minis += 1;
        } else if state != TcpState::SynRecv {
            full += 1;
        }
    })
    .ok()?;
    let counts = sockstat(proc)?;
    told.insert(TcpState::Established, counts.in_use.saturating_sub(full));
    told.insert(TcpState::TimeWait, counts.time_wait.saturating_sub(minis));
    let known = TcpState::ALL
        .into_iter()
        .filter(|state| !UNKNOWN.contains(state));
    Some(
        known
            .map(|state| (state, told.get(&state).copied().unwrap_or(0)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener, TcpStream};

    use super::*;

    /// Other tests open and close connections meanwhile: what is asked for is what these come to at least.
    #[test]
    fn sockets_are_counted_in_their_states() {
        let proc = ProcFs::new("/proc");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut kept = Vec::new();
        for n in 0..40 {
            let near = TcpStream::connect(address).unwrap();
            let (far, _) = listener.accept().unwrap();
            if n < 20 {
                // It is in FIN_WAIT2 then, and the other end in CLOSE_WAIT.
                near.shutdown(Shutdown::Write).unwrap();
            }
            kept.push(near);
            kept.push(far);
        }
        let mut seen = BTreeMap::new();
        // What others close between the two readings is missing from one of them.
        let enough = (0..100).any(|_| {
            seen = tcp_states(&proc).unwrap().into_iter().collect();
            let at_least = |state, count| seen.get(&state).is_some_and(|n| *n >= count);
            at_least(TcpState::Listen, 1)
                && at_least(TcpState::CloseWait, 20)
                && at_least(TcpState::FinWait2, 20)
                && at_least(TcpState::Established, 40)
        });
        assert!(enough, "{seen:?}");
        assert!(!seen.contains_key(&TcpState::Close));
        drop(kept);
    }
}
