//! Which sockets the user wants to hear of.

use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;

use super::args::FilterArgs;
use super::environment::Environment;
use super::error::UsageError;
use super::netns::Netns;
use crate::model::{
    Comm, Family, Finding, Holder, Kind, Lifecycle, LifecycleEvent, Past, PastMinute, Process,
    Scanned, Socket, TcpState, Tgid,
};
use crate::schema::escape;

/// Conditions that must all hold; of each, any of its values, and none given matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The blamed process, or any holder.
    pub pids: Vec<Tgid>,
    /// Name of the blamed process, or of any holder, the whole of it.
    pub comms: Vec<Comm>,
    /// The process's cgroup or one above it, without a slash at the end; the root is empty.
    pub cgroups: Vec<Vec<u8>>,
    /// Inode of the network namespace.
    pub netns: Vec<u32>,
    /// Local or remote port.
    pub ports: Vec<u16>,
    /// Family of the addresses as they are printed.
    pub families: Vec<Family>,
    /// TCP state.
    pub states: Vec<TcpState>,
    /// Kind of leak.
    pub kinds: Vec<Kind>,
}

impl Filter {
    /// Whether a finding is wanted. See [`super::FindingGate`] for the lines that follow its first.
    #[must_use]
    pub fn matches_finding(&self, finding: &Finding) -> bool {
        let leak = &finding.leak;
        let blame = leak.blame.as_ref().map(|blame| (blame.tgid, blame.comm));
        let process = finding.process.as_ref();
        any(&self.kinds, |kind| *kind == leak.kind)
            && any(&self.states, |state| *state == leak.socket.state)
            && self.matches_socket(&leak.socket)
            && self.matches_processes(blame, &leak.holders, process)
    }

    /// Whether a scanned socket is wanted.
    #[must_use]
    pub fn matches_scanned(&self, scanned: &Scanned) -> bool {
        any(&self.kinds, |kind| *kind == scanned.kind)
            && any(&self.states, |state| *state == scanned.socket.state)
            && self.matches_socket(&scanned.socket)
            && self.matches_processes(None, &scanned.holders, scanned.process.as_deref())
    }

    /// Whether a finding of the past is wanted.
    #[must_use]
    pub fn matches_past(&self, past: &Past) -> bool {
        let process = past.process.as_ref();
        let pid = |pid: &Tgid| {
            process.is_some_and(|process| process.pid == pid.0)
                || past.holders.iter().any(|(holder, _, _)| *holder == pid.0)
        };
        let comm = |comm: &Comm| {
            process.is_some_and(|process| process.name == comm.as_bytes())
                || past.holders.iter().any(|(_, _, holder)| holder == comm)
        };
        let ports = [past.socket.local.port(), past.socket.peer.port()];
        let family = match past.socket.local.ip().to_canonical() {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        };
        any(&self.kinds, |kind| *kind == past.kind)
            && any(&self.states, |state| *state == past.socket.state)
            && any(&self.netns, |netns| *netns == past.socket.netns)
            && any(&self.ports, |port| ports.contains(port))
            && any(&self.families, |wanted| *wanted == family)
            && any(&self.pids, pid)
            && any(&self.comms, comm)
            && self.matches_cgroup(process.and_then(|process| process.cgroup.as_deref()))
    }

    /// Whether the counts of a minute are wanted. They know neither ports nor families nor namespaces.
    #[must_use]
    pub fn matches_minute(&self, minute: &PastMinute) -> bool {
        let process = minute.process.as_ref();
        any(&self.kinds, |kind| *kind == minute.kind)
            && any(&self.states, |state| *state == minute.state)
            && any(&self.pids, |pid| {
                process.is_some_and(|(known, _)| *known == pid.0)
            })
            && any(&self.comms, |comm| {
                process.is_some_and(|(_, name)| name == comm.as_bytes())
            })
            && self.matches_cgroup(minute.cgroup.as_deref())
    }

    fn matches_cgroup(&self, cgroup: Option<&[u8]>) -> bool {
        any(&self.cgroups, |above| {
            cgroup.is_some_and(|path| is_within(path, above))
        })
    }

    /// Whether an event of `trace` is wanted. `cgroup` is that of the event's owner; it need be looked up
    /// only if [`Filter::needs_cgroup`].
    ///
    /// An event without an owner matches no process, name or cgroup. A state matches if it is left or
    /// entered, a kind if one of its states is.
    #[must_use]
    pub fn matches_lifecycle(&self, event: &Lifecycle, cgroup: Option<&[u8]>) -> bool {
        let socket = event.what.socket();
        let old = match &event.what {
            LifecycleEvent::StateChange(change) => Some(change.old),
            _ => None,
        };
        let owner = event.owner.as_ref();
        let state_matches = |state: TcpState| {
            any(&self.states, |wanted| *wanted == state)
                && any(&self.kinds, |kind| state_of(*kind) == state)
        };
        (state_matches(socket.state) || old.is_some_and(state_matches))
            && self.matches_socket(socket)
            && any(&self.pids, |pid| {
                owner.is_some_and(|task| task.tgid == *pid)
            })
            && any(&self.comms, |comm| {
                owner.is_some_and(|task| task.comm == *comm)
            })
            && any(&self.cgroups, |above| {
                cgroup.is_some_and(|path| is_within(path, above))
            })
    }

    /// Whether [`Filter::matches_lifecycle`] looks at the cgroup.
    #[must_use]
    pub fn needs_cgroup(&self) -> bool {
        !self.cgroups.is_empty()
    }

    /// The filter of a command that tells of leaks.
    pub(super) fn for_leaks(
        args: FilterArgs,
        environment: &Environment<'_>,
    ) -> Result<Self, UsageError> {
        let filter = Self::for_events(args, environment)?;
        let states_of_leaks = Kind::ALL.map(state_of);
        if any(&filter.states, |state| states_of_leaks.contains(state)) {
            Ok(filter)
        } else {
            Err(UsageError::StateWithoutLeaks {
                states: list(&filter.states),
            })
        }
    }

    /// The filter of a command that tells of every event.
    pub(super) fn for_events(
        args: FilterArgs,
        environment: &Environment<'_>,
    ) -> Result<Self, UsageError> {
        let netns: Result<_, _> = args
            .netns
            .into_iter()
            .map(|netns| resolve(netns, environment))
            .collect();
        let filter = Self {
            pids: args.pid.into_iter().map(Tgid).collect(),
            comms: args.comm,
            cgroups: args.cgroup,
            netns: netns?,
            ports: args.port,
            families: args.family,
            states: args.state,
            kinds: args.kind,
        };
        let possible = |kind: &Kind| any(&filter.states, |state| *state == state_of(*kind));
        match filter.kinds.first() {
            Some(kind) if !filter.kinds.iter().any(possible) => Err(UsageError::KindWithState {
                kind: *kind,
                states: list(&filter.states),
                found: state_of(*kind).name(),
            }),
            _ => Ok(filter),
        }
    }

    fn matches_socket(&self, socket: &Socket) -> bool {
        let ports = [socket.local.port(), socket.peer.port()];
        any(&self.netns, |netns| *netns == socket.netns)
            && any(&self.ports, |port| ports.contains(port))
            && any(&self.families, |family| *family == printed_family(socket))
    }

    fn matches_processes(
        &self,
        blame: Option<(Tgid, Comm)>,
        holders: &[Holder],
        process: Option<&Process>,
    ) -> bool {
        let pid = |pid: &Tgid| {
            blame.is_some_and(|(tgid, _)| tgid == *pid) || holders.iter().any(|h| h.tgid == *pid)
        };
        let comm = |comm: &Comm| {
            blame.is_some_and(|(_, name)| name == *comm)
                || holders.iter().any(|h| h.comm == *comm)
                || process.is_some_and(|process| process.name == comm.as_bytes())
        };
        let cgroup = process.and_then(|process| process.cgroup.as_deref());
        any(&self.pids, pid)
            && any(&self.comms, comm)
            && any(&self.cgroups, |above| {
                cgroup.is_some_and(|path| is_within(path, above))
            })
    }
}

/// Whether `matches` is true of any of `wanted`; where nothing is wanted, everything will do.
fn any<T>(wanted: &[T], matches: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(matches)
}

/// The state in which leaks of a kind are found.
fn state_of(kind: Kind) -> TcpState {
    match kind {
        Kind::CloseWait | Kind::Unaccepted => TcpState::CloseWait,
        Kind::ClosedHeld => TcpState::Close,
        Kind::HalfClosed => TcpState::FinWait2,
    }
}

fn printed_family(socket: &Socket) -> Family {
    match socket.local.ip().to_canonical() {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// Whether `path` is the cgroup `above` or one below it: a prefix that ends where a name does.
fn is_within(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn resolve(netns: Netns, environment: &Environment<'_>) -> Result<u32, UsageError> {
    match netns {
        Netns::Inode(inode) => Ok(inode),
        Netns::Path(path) => (environment.netns_inode)(&path).map_err(|reason| {
            let path = escape(path.as_os_str().as_bytes()).into_owned();
            UsageError::Netns { path, reason }
        }),
    }
}

fn list(states: &[TcpState]) -> String {
    let names: Vec<_> = states.iter().copied().map(TcpState::name).collect();
    names.join(",")
}
