//! Which lines of findings are told.

use super::world::*;
use crate::incident::IncidentsConfig;
use crate::model::{Kind, Phase};

#[test]
fn so_many_a_minute_and_process() {
    let mut world = World::new(20);
    assert_eq!(world.all(0, 0..200, 7, Phase::Open), 20);
    assert_eq!(world.all(0, 1000..1200, 8, Phase::Open), 20);
    assert_eq!(world.all(59_999, 200..210, 7, Phase::Open), 0);
    assert_eq!(world.all(60_000, 210..240, 7, Phase::Open), 20);
    assert_eq!(world.held_back, 180 + 180 + 10 + 10);
    assert_eq!(world.incidents.held_back(), world.held_back);
}

#[test]
fn kinds_share_what_a_process_is_allowed() {
    let mut world = World::new(20);
    assert_eq!(world.all(0, 0..15, 7, Phase::Open), 15);
    for cookie in 15..30 {
        let mut closed = leak(0, cookie, 7, Phase::Open);
        closed.kind = Kind::ClosedHeld;
        world.take(&closed);
    }
    assert_eq!(world.told.len(), 20);
}

#[test]
fn none_at_all() {
    let mut world = World::new(0);
    assert_eq!(world.all(0, 0..3, 7, Phase::Open), 0);
    assert_eq!(world.news(), ["7 open 1/1/0/1"]);
    assert_eq!(world.all(10, 0..3, 7, CLOSED), 0);
    world.pass_until(20_000);
    assert_eq!(world.news(), ["7 resolved 0/3/3/6"]);
}

#[test]
fn the_end_of_a_told_one_is_always_told_and_of_another_never() {
    let mut world = World::new(2);
    world.all(0, 0..4, 7, Phase::Open);
    assert_eq!(world.told, [(0, "open"), (1, "open")]);
    world.told.clear();
    world.all(10, 0..4, 7, CLOSED);
    assert_eq!(world.told, [(0, "resolved"), (1, "resolved")]);
}

#[test]
fn updates_count_and_may_be_held_back() {
    let mut world = World::new(3);
    world.all(0, 0..4, 7, Phase::Open);
    world.all(10, 0..4, 7, Phase::Update);
    assert_eq!(world.told.len(), 3);
    world.told.clear();
    world.all(60_000, 0..4, 7, Phase::Update);
    // The fourth was never told of: there is nothing to update.
    assert_eq!(world.told, [(0, "update"), (1, "update"), (2, "update")]);
}

#[test]
fn what_was_held_back_before_a_line_is_on_the_line() {
    let mut world = World::new(1);
    let held_back = |world: &mut World, at, cookie, phase| {
        let verdict = world.incidents.handle_leak(&leak(at, cookie, 7, phase));
        verdict.tell.then(|| verdict.membership.unwrap().held_back)
    };
    assert_eq!(held_back(&mut world, 0, 0, Phase::Open), Some(0));
    assert_eq!(held_back(&mut world, 0, 1, Phase::Open), None);
    assert_eq!(held_back(&mut world, 0, 2, Phase::Open), None);
    assert_eq!(held_back(&mut world, 0, 0, CLOSED), Some(2));
}

#[test]
fn what_does_not_fit_is_counted_and_half_of_nothing_is_told() {
    let mut world = World::with(IncidentsConfig {
        lines_per_process: 20,
        max_incidents: 2,
        max_findings: 5,
    });
    for pid in 1..=3 {
        world.all(
            0,
            u64::from(pid) * 10..u64::from(pid) * 10 + 3,
            pid,
            Phase::Open,
        );
    }
    assert_eq!(world.told.len(), 5);
    assert_eq!(world.incidents.overflowed(), 4);
    assert_eq!(world.incidents.open(), 5);
    world.told.clear();
    for pid in 1..=3 {
        world.all(
            10,
            u64::from(pid) * 10..u64::from(pid) * 10 + 3,
            pid,
            CLOSED,
        );
    }
    assert_eq!(world.told.len(), 5);
    world.pass_until(90_000);
    // There is room again.
    assert_eq!(world.all(90_000, 0..1, 4, Phase::Open), 1);
}
