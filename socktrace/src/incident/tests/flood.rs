//! A hundred thousand leaks at once.

use super::world::*;
use crate::model::Phase;

const MANY: u64 = 100_000;

#[test]
fn a_hundred_thousand_leaks_of_one_process_are_a_few_lines() {
    let mut world = World::new(20);
    world.all(0, 0..MANY, 7, Phase::Open);
    world.pass_until(1000);
    assert_eq!(world.told.len(), 20);
    assert_eq!(
        world.news(),
        ["7 open 1/1/0/0", "7 update 100000/100000/0/99980"]
    );
    world.all(5000, 0..MANY, 7, exited(7));
    world.pass_until(60_000);
    assert_eq!(world.told.len(), 40);
    let news = world.news();
    assert!(news.len() <= 2, "{news:?}");
    assert_eq!(news.last().unwrap(), "7 resolved 0/100000/100000/199960");
    assert_eq!(world.incidents.open(), 0);
}

#[test]
fn nor_do_those_of_many_processes_that_come_and_go_flood() {
    let mut world = World::new(20);
    for round in 0..100 {
        for pid in 0..500 {
            world.take(&leak(
                round * 100,
                round * 500 + u64::from(pid),
                pid,
                Phase::Open,
            ));
        }
    }
    assert_eq!(world.told.len(), 500 * 20);
    // One line at the beginning, and after 1, 3 and 7 seconds.
    assert!(world.reports.len() <= 500 * 4, "{}", world.reports.len());
}
