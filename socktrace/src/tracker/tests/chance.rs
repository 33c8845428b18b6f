//! The tracker against the simulated kernel, under random operations, delays and losses.
//!
//! `SOCKTRACE_SCRIPTS` sets how many random scripts each property is tried with; each prints how many it
//! was (`cargo test -- --nocapture`).

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use super::ops::{Op, op};
use super::world::World;
use crate::model::TcpState;

/// How many random scripts a property is tried with if nothing else is asked for.
const SCRIPTS: u32 = 1_000;

fn play(max_tracked: usize, ops: &[Op]) {
    let mut world = World::new(max_tracked);
    for op in ops {
        world.run(op);
    }
    world.settle();
    world.finish();
}

/// Tries a property with so many scripts that a rare combination is among them.
#[track_caller]
fn scripts<S: Strategy>(what: &str, strategy: &S, property: impl Fn(S::Value)) {
    let asked = std::env::var("SOCKTRACE_SCRIPTS").ok();
    let cases = asked.and_then(|n| n.parse().ok()).unwrap_or(SCRIPTS);
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(strategy, |input| {
        property(input);
        Ok(())
    });
    match result {
        Ok(()) => println!("{what}: {cases} random scripts"),
        Err(TestError::Fail(why, input)) => panic!("{what}: {why}\n{input:#?}"),
        Err(TestError::Abort(why)) => panic!("{what}: {why}"),
    }
}

/// Whatever is lost on the way, what is said to be open is what is true after the next sweep.
#[test]
fn the_tracker_comes_back_to_the_truth() {
    let ops = prop::collection::vec(op(), 0..80);
    scripts("back to the truth", &ops, |ops| play(1_000, &ops));
}

/// And if there is no room for the truth, what is said is true, and what is not is counted.
#[test]
fn a_small_table_stays_small() {
    let ops = (prop::collection::vec(op(), 0..60), 0..6_usize);
    scripts("a small table", &ops, |(ops, max)| play(max, &ops));
}

/// Without losses and without progress every leak is told of within a second.
#[test]
fn every_leak_is_told_of_in_time() {
    let waits = prop::collection::vec(1..3_000_u64, 1..40);
    scripts("in time", &waits, |waits| {
        let mut world = World::new(1_000);
        for wait in waits {
            world.run(&Op::Create {
                state: TcpState::CloseWait,
                process: 10,
                unread: 40,
            });
            world.run(&Op::Wait(wait));
        }
        world.settle();
        assert!(world.worst < Duration::from_secs(1), "{:?}", world.worst);
        assert!(!world.lossy);
    });
}
