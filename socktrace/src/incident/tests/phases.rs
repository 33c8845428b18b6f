//! When incidents are told of.

use super::world::*;
use crate::model::{IncidentPhase, Kind, Phase, Remote, Role};

#[test]
fn an_incident_opens_with_the_first_finding_and_closes_with_the_last() {
    let mut world = World::new(20);
    world.take(&leak(0, 1, 7, Phase::Open));
    assert_eq!(world.news(), ["7 open 1/1/0/0"]);
    world.pass_until(60_000);
    assert_eq!(world.news(), [""; 0]);
    world.take(&leak(60_000, 1, 7, CLOSED));
    world.pass_until(69_999);
    assert_eq!(world.news(), [""; 0]);
    world.pass_until(70_000);
    assert_eq!(world.news(), ["7 resolved 0/1/1/0"]);
    world.pass_until(1_000_000);
    assert_eq!(world.news(), [""; 0]);
    assert_eq!(world.incidents.poll_timeout(), None);
}

#[test]
fn a_process_that_ends_resolves_at_once() {
    let mut world = World::new(20);
    world.all(0, 0..3, 7, Phase::Open);
    world.news();
    world.all(500, 0..2, 7, exited(7));
    assert_eq!(world.news(), [""; 0]);
    world.all(500, 2..3, 7, exited(7));
    assert_eq!(world.news(), ["7 resolved 0/3/3/0"]);
}

#[test]
fn another_process_that_ends_does_not() {
    let mut world = World::new(20);
    world.all(0, 0..1, 7, Phase::Open);
    world.news();
    world.all(500, 0..1, 7, exited(8));
    assert_eq!(world.news(), [""; 0]);
    world.pass_until(20_000);
    assert_eq!(world.news(), ["7 resolved 0/1/1/0"]);
}

#[test]
fn updates_come_ever_more_seldom() {
    let mut world = World::new(20);
    let mut times = Vec::new();
    for n in 0..6000 {
        world.take(&leak(n * 100, n, 7, Phase::Open));
        times.extend(
            world
                .reports
                .drain(..)
                .map(|report| report.at.0 / 1_000_000_000),
        );
    }
    assert_eq!(
        times,
        [
            0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543
        ]
    );
}

#[test]
fn after_a_silence_a_change_is_told_at_once() {
    let mut world = World::new(20);
    for n in 0..100 {
        world.take(&leak(n * 100, n, 7, Phase::Open));
    }
    world.pass_until(600_000);
    world.news();
    world.take(&leak(600_000, 100, 7, Phase::Open));
    assert_eq!(world.news(), ["7 update 101/101/0/80"]);
    world.take(&leak(600_500, 101, 7, Phase::Open));
    assert_eq!(world.news(), [""; 0]);
    world.pass_until(601_000);
    assert_eq!(world.news(), ["7 update 102/102/0/80"]);
}

#[test]
fn growth_that_has_ended_is_told() {
    let mut world = World::new(20);
    for n in 0..1200 {
        world.take(&leak(n * 500, n, 7, Phase::Open));
    }
    world.pass_until(4_000_000);
    let growing = |report: &crate::model::Incident| report.growth.map(|g| g.milli_per_minute > 0);
    let last_two: Vec<_> = world.reports.iter().rev().take(2).map(growing).collect();
    assert_eq!(last_two, [Some(false), Some(true)]);
    assert_eq!(world.incidents.poll_timeout(), None);
}

#[test]
fn a_new_finding_soon_after_the_last_goes_on_with_the_incident() {
    let mut world = World::new(20);
    for n in 0..5 {
        world.take(&leak(n * 8000, n, 7, Phase::Open));
        world.take(&leak(n * 8000 + 100, n, 7, CLOSED));
    }
    world.pass_until(100_000);
    let opened = world
        .reports
        .iter()
        .filter(|report| report.phase == IncidentPhase::Open);
    assert_eq!(opened.count(), 1);
    assert_eq!(world.news().last().unwrap(), "7 resolved 0/5/5/0");
}

#[test]
fn a_later_one_is_another_episode() {
    let mut world = World::new(20);
    for n in 0..3 {
        world.take(&leak(n * 60_000, n, 7, Phase::Open));
        world.take(&leak(n * 60_000 + 100, n, 7, CLOSED));
        world.pass_until(n * 60_000 + 50_000);
    }
    let episodes: Vec<_> = world.reports.iter().map(|report| report.episode).collect();
    assert_eq!(episodes, [0, 0, 1, 1, 2, 2]);
    world.last_states();
}

#[test]
fn processes_and_kinds_are_apart() {
    let mut world = World::new(20);
    world.all(0, 0..2, 7, Phase::Open);
    world.all(0, 2..4, 8, Phase::Open);
    let mut closed = leak(0, 4, 7, Phase::Open);
    closed.kind = Kind::ClosedHeld;
    world.take(&closed);
    world.take(&leak(0, 5, 0, Phase::Open));
    world.end(0);
    let open: Vec<_> = world
        .last_states()
        .into_iter()
        .map(|((pid, kind, _), incident)| (pid, kind.name(), incident.open))
        .collect();
    let expected = [
        (0, "close_wait", 1),
        (7, "close_wait", 2),
        (7, "closed_held", 1),
        (8, "close_wait", 2),
    ];
    assert_eq!(open, expected);
}

#[test]
fn another_blame_moves_the_finding() {
    let mut world = World::new(20);
    world.all(0, 0..3, 7, Phase::Open);
    world.pass_until(4000);
    world.news();
    world.take(&leak(5000, 1, 8, Phase::Update));
    assert_eq!(world.news(), ["7 update 2/3/1/0", "8 open 1/1/0/0"]);

    let mut world = World::new(20);
    world.all(0, 0..3, 7, Phase::Open);
    world.take(&leak(5000, 1, 8, Phase::Update));
    world.all(6000, 0..3, 8, exited(8));
    world.pass_until(30_000);
    let last = world.last_states();
    assert_eq!(
        last[&(8, Kind::CloseWait, 0)].phase,
        IncidentPhase::Resolved
    );
    assert_eq!(
        last[&(7, Kind::CloseWait, 0)].phase,
        IncidentPhase::Resolved
    );
    assert_eq!(world.incidents.open(), 0);
}

#[test]
fn another_kind_moves_the_finding() {
    let mut world = World::new(20);
    world.all(0, 0..1, 7, Phase::Open);
    let mut closed = leak(5000, 0, 7, Phase::Update);
    closed.kind = Kind::ClosedHeld;
    world.take(&closed);
    world.end(5000);
    let last = world.last_states();
    assert_eq!(last[&(7, Kind::CloseWait, 0)].open, 0);
    assert_eq!(last[&(7, Kind::ClosedHeld, 0)].open, 1);
}

#[test]
fn the_end_of_the_agent_tells_counts_and_resolves_nothing() {
    let mut world = World::new(20);
    world.all(0, 0..200, 7, Phase::Open);
    assert_eq!(world.news(), ["7 open 1/1/0/0"]);
    world.end(100);
    assert_eq!(world.news(), ["7 update 200/200/0/180"]);
    world.end(200);
    assert_eq!(world.news(), [""; 0]);
}

#[test]
fn first_and_last_are_when_sockets_became_suspects() {
    let mut world = World::new(20);
    let mut old = leak(5000, 1, 7, Phase::Open);
    old.since = ms(100);
    world.take(&leak(4000, 0, 7, Phase::Open));
    world.take(&old);
    world.end(6000);
    let last = world.reports.last().unwrap();
    assert_eq!((last.first, last.last), (ms(100), ms(3000)));
}

#[test]
fn half_closed_names_the_remote_ends() {
    let mut world = World::new(20);
    let half = |cookie: u64, peer: ([u8; 4], u16), role, phase| {
        let mut leak = leak(0, cookie, 7, phase);
        leak.kind = Kind::HalfClosed;
        leak.socket.peer = peer.into();
        leak.role = role;
        leak
    };
    let (service, client) = (([10, 0, 0, 1], 443), [10, 0, 0, 2]);
    for cookie in 0..3 {
        world.take(&half(cookie, service, Role::Connected, Phase::Open));
    }
    for (cookie, port) in (3..7).zip(40_000..) {
        world.take(&half(cookie, (client, port), Role::Accepted, Phase::Open));
    }
    // Its role is not what it was when it was counted.
    world.take(&half(3, (client, 40_000), Role::Unknown, CLOSED));
    world.take(&half(0, service, Role::Connected, CLOSED));
    world.end(1);
    let remote = |addr: ([u8; 4], u16), open| Remote {
        addr: addr.into(),
        open,
    };
    assert_eq!(
        world.reports.last().unwrap().remotes,
        [remote((client, 0), 3), remote(service, 2)]
    );
}
