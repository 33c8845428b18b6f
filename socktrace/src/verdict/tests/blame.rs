//! Who is blamed, in short cases: `holders | trail => blame`.

use std::time::Duration;

use super::*;
use crate::model::{Comm, Touch};

/// Seconds since boot.
fn moment(text: &str) -> BootTime {
    BootTime::default().after(Duration::from_secs_f64(text.parse().expect("time")))
}

/// `"10/3@5"`: process 10 holds descriptor 3 and started at 5 (0 if not given).
fn holder(text: &str) -> Holder {
    let (who, started) = text.split_once('@').unwrap_or((text, "0"));
    let (tgid, fd) = who.split_once('/').expect("pid/fd");
    Holder {
        tgid: Tgid(tgid.parse().expect("pid")),
        fd: fd.parse().expect("fd"),
        comm: Comm::from_bytes(b"test"),
        started: moment(started),
    }
}

/// `"touch 10/11@7"`, `"accept 10/11@7"`, `"connect 10/11"`: thread 11 of process 10, at 7.
fn owner(text: &str) -> Owner {
    let mut owner = Owner::default();
    let mut slot = 0;
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (what, who) = part.split_once(' ').expect("verb and thread");
        let (who, at) = who.split_once('@').unwrap_or((who, "0"));
        let (tgid, tid) = who.split_once('/').expect("pid/tid");
        let (tgid, tid) = (
            Tgid(tgid.parse().expect("pid")),
            Tid(tid.parse().expect("tid")),
        );
        let at = moment(at);
        if what == "touch" {
            owner.touches[slot] = Some(Touch {
                at,
                tgid,
                tid,
                op: TouchOp::Recv,
            });
            slot += 1;
        } else {
            owner.role = if what == "accept" {
                Role::Accepted
            } else {
                Role::Connected
            };
            owner.opener = Some(Task {
                tgid,
                tid,
                comm: Comm::default(),
            });
            owner.opened = (at.0 != 0).then_some(at);
        }
    }
    owner
}

#[track_caller]
fn check_kind(kind: Kind, holders: &str, trail: &str, expected: &str) {
    let holders: Vec<_> = holders.split_whitespace().map(holder).collect();
    let told = blame(kind, &holders, &Trail::from(&owner(trail))).map_or_else(
        || "nobody".to_owned(),
        |blame| {
            let tid = blame.tid.map_or("-".to_owned(), |tid| tid.0.to_string());
            format!("{}/{} {} {}", blame.tgid.0, blame.fd, tid, blame.via.name())
        },
    );
    assert_eq!(told, expected);
}

#[track_caller]
fn check(holders: &str, trail: &str, expected: &str) {
    check_kind(Kind::CloseWait, holders, trail, expected);
    check_kind(Kind::ClosedHeld, holders, trail, expected);
    check_kind(Kind::HalfClosed, holders, trail, expected);
}

#[test]
fn one_holder() {
    check("", "", "nobody");
    check("", "touch 10/11@7", "nobody");
    check("10/3", "", "10/3 - holder");
    check("10/3", "touch 10/11@7", "10/3 11 last_io");
    check("10/3", "accept 10/12@1", "10/3 12 accept");
    check("10/3", "connect 10/12@1", "10/3 12 connect");
    check("10/3", "accept 10/12", "10/3 12 accept");
    check("10/3", "touch 10/11@7, accept 10/12@1", "10/3 11 last_io");
    check("10/3", "touch 0/0@7", "10/3 - holder");
}

#[test]
fn the_last_user_before_the_opener() {
    check(
        "10/3 20/3",
        "touch 20/21@7, accept 10/12@1",
        "20/3 21 last_io",
    );
    check(
        "10/3 20/3",
        "touch 10/11@7, accept 20/22@1",
        "10/3 11 last_io",
    );
    check(
        "10/3 20/3",
        "touch 20/21@7, touch 10/11@6",
        "20/3 21 last_io",
    );
    check(
        "10/3 20/3",
        "touch 20/21@5, touch 10/11@6",
        "10/3 11 last_io",
    );
    check(
        "10/3 20/3 30/4",
        "touch 30/31@7, touch 20/21@6, touch 10/11@5",
        "30/4 31 last_io",
    );
}

#[test]
fn only_who_still_holds_it() {
    check("10/3", "touch 20/21@7", "10/3 - holder");
    check("10/3", "touch 20/21@7, accept 10/12@1", "10/3 12 accept");
    check(
        "10/3",
        "touch 20/21@7, touch 10/11@6, accept 10/12@1",
        "10/3 11 last_io",
    );
    check(
        "30/3",
        "touch 20/21@7, touch 10/11@6, accept 10/12@1",
        "30/3 - holder",
    );
    check(
        "30/3 40/3",
        "touch 20/21@7, connect 40/41@1",
        "40/3 41 connect",
    );
}

#[test]
fn the_oldest_holder() {
    check("10/3@9 20/3@5", "", "20/3 - holder");
    check("10/3@5 20/3@5", "", "10/3 - holder");
    check("20/3@5 10/9@5 10/4@5", "", "10/4 - holder");
    check("20/3@5 10/9@6 10/4@6", "touch 99/99@9", "20/3 - holder");
}

#[test]
fn the_lowest_descriptor_of_the_blamed() {
    check("10/7 10/3 10/5", "touch 10/11@7", "10/3 11 last_io");
    check("20/1 10/7 10/5", "accept 10/11@7", "10/5 11 accept");
}

#[test]
fn a_reused_process_id_is_another_process() {
    check("10/3@8", "touch 10/11@7", "10/3 - holder");
    check("10/3@7", "touch 10/11@7", "10/3 11 last_io");
    check("10/3@8", "accept 10/11@7", "10/3 - holder");
    // The timer's ticks come late at times.
    check("10/3@7.4", "touch 10/11@7", "10/3 11 last_io");
    check(
        "10/3@8 20/3@1",
        "touch 10/11@7, accept 20/21@2",
        "20/3 21 accept",
    );
}

#[test]
fn a_listener_names_no_thread() {
    check_kind(
        Kind::Unaccepted,
        "10/3@5 20/3@4",
        "touch 10/11@7, accept 10/12@1",
        "20/3 - listener",
    );
    check_kind(Kind::Unaccepted, "10/3", "", "10/3 - listener");
    check_kind(Kind::Unaccepted, "", "", "nobody");
}

#[test]
fn the_trail_keeps_what_counts() {
    let eof = Touch {
        at: BootTime(3),
        tgid: Tgid(10),
        tid: Tid(11),
        op: TouchOp::Eof,
    };
    let touched = |eof_read| Owner {
        eof_read,
        touches: [None, Some(eof), None],
        ..Owner::default()
    };
    assert_eq!(Trail::from(&touched(None)).eof_read, Some(true));
    assert_eq!(Trail::from(&touched(Some(false))).eof_read, Some(true));
    let unseen = Owner {
        eof_read: Some(false),
        ..Owner::default()
    };
    assert_eq!(Trail::from(&unseen).eof_read, Some(false));
    assert!(Trail::from(&Owner::default()).is_empty());
    assert!(!Trail::from(&owner("accept 10/11@7")).is_empty());
    assert_eq!(Trail::from(&owner("connect 10/11@7")).role, Role::Connected);
}

/// `"11 recv@7, 12 accept"`: thread 11 of some process, at 7.
#[track_caller]
fn check_uses(trail: &str, expected: &str) {
    let told = |used: &SocketUse| {
        let at = used
            .at
            .map_or(String::new(), |at| format!("@{}", at.0 / 1_000_000_000));
        format!("{} {}{at}", used.tid.0, used.op.name())
    };
    let uses: Vec<_> = Trail::from(&owner(trail)).uses().iter().map(told).collect();
    assert_eq!(uses.join(", "), expected);
}

#[test]
fn all_users_are_told_the_newest_first() {
    check_uses("", "");
    check_uses("accept 10/12@1", "12 accept@1");
    check_uses("connect 10/12", "12 connect");
    check_uses("touch 10/11@7, accept 20/12@1", "11 recv@7, 12 accept@1");
    check_uses(
        "touch 10/11@5, touch 20/21@7, touch 30/31@6, connect 40/41@1",
        "21 recv@7, 31 recv@6, 11 recv@5, 41 connect@1",
    );
    check_uses("touch 0/0@7, touch 10/11@5", "11 recv@5");
}

/// The order of the operations follows that of the threads.
#[test]
fn what_a_user_did_stays_with_it() {
    let touch = |tid, at, op| {
        Some(Touch {
            at: BootTime(at),
            tgid: Tgid(10),
            tid: Tid(tid),
            op,
        })
    };
    let trail = Trail::from(&Owner {
        touches: [
            touch(11, 5, TouchOp::Send),
            touch(12, 7, TouchOp::Eof),
            touch(13, 6, TouchOp::Recv),
        ],
        ..Owner::default()
    });
    let told: Vec<_> = trail
        .uses()
        .iter()
        .map(|used| (used.tid.0, used.op))
        .collect();
    assert_eq!(
        told,
        [(12, UseOp::Eof), (13, UseOp::Recv), (11, UseOp::Send)]
    );
}

#[test]
fn accepted_replaces_the_opener() {
    let task = Task {
        tgid: Tgid(10),
        tid: Tid(12),
        comm: Comm::default(),
    };
    let trail = Trail::from(&Owner::default()).accepted(task, moment("5"));
    let told = blame(Kind::CloseWait, &[holder("10/3@1")], &trail).expect("a holder");
    assert_eq!((told.tid, told.via), (Some(Tid(12)), OwnerVia::Accept));
}

#[test]
fn a_trail_is_small() {
    assert!(size_of::<Trail>() <= 72, "{}", size_of::<Trail>());
}
