//! Which sockets match which filter.

use std::net::SocketAddr;
use std::sync::Arc;

use super::super::Filter;
use super::settings;
use crate::cli::Settings;
use crate::model::*;

/// A leak of `orders` (812), also held by its child `backup` (900), 10.0.0.9:52114 → 10.0.0.5:8080.
pub(super) fn finding() -> Finding {
    let holder = |pid, comm: &[u8]| Holder {
        tgid: Tgid(pid),
        fd: 37,
        comm: Comm::from_bytes(comm),
        started: BootTime(u64::from(pid)),
    };
    Finding {
        leak: Leak {
            phase: Phase::Open,
            at: BootTime(100),
            kind: Kind::CloseWait,
            diagnosis: None,
            socket: socket(TcpState::CloseWait),
            seqs: Seqs::default(),
            since: BootTime(40),
            since_seen: true,
            episode: 0,
            role: Role::Accepted,
            holders: vec![holder(812, b"orders"), holder(900, b"backup")],
            blame: Some(Blame {
                tgid: Tgid(812),
                started: BootTime(812),
                comm: Comm::from_bytes(b"orders"),
                tid: None,
                via: OwnerVia::Holder,
                fd: 37,
            }),
            uses: Vec::new(),
            queue: None,
        },
        process: Some(process()),
        thread: None,
        user_names: Vec::new(),
        netns_name: None,
        membership: None,
    }
}

fn process() -> Process {
    Process {
        tgid: Tgid(812),
        started: BootTime(812),
        name: b"orders".to_vec(),
        executable: None,
        command_line: None,
        uid: None,
        parent: None,
        cgroup: Some(b"/system.slice/orders.service".to_vec()),
        place: Place::default(),
    }
}

fn socket(state: TcpState) -> Socket {
    Socket {
        netns: 11,
        state,
        local: addr("10.0.0.5:8080"),
        peer: addr("10.0.0.9:52114"),
        ..samples::socket(1)
    }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn scanned() -> Scanned {
    let finding = finding();
    Scanned {
        at: BootTime(100),
        kind: finding.leak.kind,
        diagnosis: None,
        socket: finding.leak.socket,
        seqs: finding.leak.seqs,
        idle: None,
        holders: finding.leak.holders,
        process: finding.process.map(Arc::new),
        netns_name: None,
    }
}

fn change(old: TcpState, new: TcpState) -> Lifecycle {
    let owner = Task {
        tgid: Tgid(812),
        tid: Tid(815),
        comm: Comm::from_bytes(b"worker-2"),
    };
    Lifecycle {
        at: BootTime(100),
        what: LifecycleEvent::StateChange(StateChange {
            socket: socket(new),
            seqs: Seqs::default(),
            bytes_received: 0,
            bytes_acked: 0,
            old,
            error: None,
        }),
        owner: Some(owner),
        role: Role::Accepted,
        in_state: None,
        lifetime: None,
    }
}

fn filter(flags: &str) -> Filter {
    match settings(&format!("trace {flags}")) {
        Settings::Trace(trace) => trace.filter,
        other => panic!("{other:?}"),
    }
}

/// Whether `flags` match the sample as a finding and as a scanned socket.
#[track_caller]
fn check(flags: &str, expected: bool) {
    let filter = filter(flags);
    assert_eq!(
        filter.matches_finding(&finding()),
        expected,
        "finding {flags}"
    );
    assert_eq!(
        filter.matches_scanned(&scanned()),
        expected,
        "scanned {flags}"
    );
}

#[test]
fn leaks() {
    check("", true);
    check("--pid 812", true);
    check("--pid 900", true);
    check("--pid 1", false);
    check("--pid 1,812", true);
    check("--comm orders", true);
    check("--comm backup", true);
    check("--comm order", false);
    check("--comm ordersx", false);
    check("--cgroup /system.slice", true);
    check("--cgroup /system.slice/", true);
    check("--cgroup /system.slice/orders.service", true);
    check("--cgroup /system.slice/orders", false);
    check("--cgroup /user.slice,/system.slice", true);
    check("--cgroup /user.slice", false);
    check("--cgroup /", true);
    check("--netns 11", true);
    check("--netns blue", true);
    check("--netns 12", false);
    check("--port 8080", true);
    check("--port 52114", true);
    check("--port 80", false);
    check("--family 4", true);
    check("--family 6", false);
    check("--family 6,4", true);
    check("--state CLOSE_WAIT", true);
    check("--state CLOSE", false);
    check("--kind close_wait", true);
    check("--kind closed_held", false);
    check("--kind closed_held,close_wait", true);
}

#[test]
fn different_flags_must_all_match() {
    check(
        "--pid 812 --comm orders --port 8080 --family 4 --netns 11 --kind close_wait",
        true,
    );
    check("--pid 812 --port 80", false);
    check("--pid 1 --port 8080", false);
    check("--comm orders --family 6", false);
    check("--cgroup /user.slice --pid 812", false);
    check("--kind close_wait --pid 1", false);
}

#[test]
fn what_is_not_known_does_not_match() {
    let check = |flags: &str, expected: bool| {
        let mut unknown = finding();
        unknown.process = None;
        unknown.leak.blame = None;
        unknown.leak.holders.clear();
        assert_eq!(filter(flags).matches_finding(&unknown), expected, "{flags}");
    };
    check("", true);
    check("--port 8080", true);
    check("--pid 812", false);
    check("--comm orders", false);
    check("--cgroup /", false);
}

#[test]
fn the_family_is_that_of_the_printed_addresses() {
    let check = |flags: &str, local: &str, expected: bool| {
        let mut finding = finding();
        finding.leak.socket.family = Family::V6;
        finding.leak.socket.local = addr(local);
        assert_eq!(
            filter(flags).matches_finding(&finding),
            expected,
            "{flags} {local}"
        );
    };
    check("--family 4", "10.0.0.5:8080", true);
    check("--family 6", "10.0.0.5:8080", false);
    check("--family 4", "[::ffff:10.0.0.5]:8080", true);
    check("--family 6", "[2001:db8::5]:8080", true);
    check("--family 4", "[2001:db8::5]:8080", false);
}

#[test]
fn events() {
    use TcpState::{CloseWait, Established, LastAck};
    let check = |flags: &str, old, new, expected: bool| {
        let cgroup = Some(b"/system.slice/orders.service".as_slice());
        let filter = filter(flags);
        assert_eq!(
            filter.matches_lifecycle(&change(old, new), cgroup),
            expected,
            "{flags}"
        );
    };
    check("", Established, CloseWait, true);
    check("--pid 812", Established, CloseWait, true);
    check("--pid 815", Established, CloseWait, false);
    check("--comm worker-2", Established, CloseWait, true);
    check("--comm orders", Established, CloseWait, false);
    check("--cgroup /system.slice", Established, CloseWait, true);
    check("--cgroup /user.slice", Established, CloseWait, false);
    check("--port 52114", Established, CloseWait, true);
    check("--netns 12", Established, CloseWait, false);
    check("--state CLOSE_WAIT", Established, CloseWait, true);
    check("--state CLOSE_WAIT", CloseWait, LastAck, true);
    check("--state CLOSE_WAIT", LastAck, TcpState::Close, false);
    check("--kind close_wait", CloseWait, LastAck, true);
    check("--kind closed_held", LastAck, TcpState::Close, true);
    check("--kind closed_held", CloseWait, LastAck, false);
    check(
        "--kind close_wait,half_closed --state FIN_WAIT2,LISTEN",
        Established,
        CloseWait,
        false,
    );
}

#[test]
fn events_without_an_owner_match_no_process() {
    let check = |flags: &str, expected: bool| {
        let mut event = change(TcpState::Listen, TcpState::SynRecv);
        event.owner = None;
        assert_eq!(
            filter(flags).matches_lifecycle(&event, None),
            expected,
            "{flags}"
        );
    };
    check("", true);
    check("--port 8080", true);
    check("--pid 812", false);
    check("--comm worker-2", false);
    check("--cgroup /", false);
}

#[test]
fn the_cgroup_is_looked_up_only_for_its_flag() {
    assert!(filter("--cgroup /a").needs_cgroup());
    assert!(!filter("--pid 1 --comm a").needs_cgroup());
}
