//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::*;
use crate::incident::IncidentsConfig;
use crate::model::{Kind, Phase};

#[derive(Clone, Copy, Debug)]
enum Step {
    Tell { cookie: u64, pid: u32, kind: Kind },
    Close { cookie: u64 },
    Exit { pid: u32 },
    Wait { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(Kind::ALL.as_slice());
    prop_oneof![
        6 => (0..40u64, 0..4u32, kind).prop_map(|(cookie, pid, kind)| Step::Tell { cookie, pid, kind }),
        3 => (0..40u64).prop_map(|cookie| Step::Close { cookie }),
        1 => (0..4u32).prop_map(|pid| Step::Exit { pid }),
        2 => (0..70_000u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

proptest! {
    #[test]
    fn counts_agree(
        lines in 0..8u32,
        max_incidents in prop_oneof![Just(1000usize), 1..6usize],
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut world = World::with(IncidentsConfig {
            lines_per_process: lines,
            max_incidents,
            max_findings: 1000,
        });
        let mut truth: BTreeMap<u64, (u32, Kind)> = BTreeMap::new();
        let (mut now, mut all) = (1_000_000, 0);
        for step in steps {
            let mut take = |world: &mut World, cookie, pid, kind, phase| {
                let mut leak = leak(now, cookie, pid, phase);
                leak.kind = kind;
                world.take(&leak);
                all += 1;
            };
            match step {
                Step::Tell { cookie, pid, kind } => {
                    let known = truth.insert(cookie, (pid, kind)).is_some();
                    let phase = if known { Phase::Update } else { Phase::Open };
                    take(&mut world, cookie, pid, kind, phase);
                }
                Step::Close { cookie } => {
                    if let Some((pid, kind)) = truth.remove(&cookie) {
                        take(&mut world, cookie, pid, kind, CLOSED);
                    }
                }
                Step::Exit { pid } => {
                    for (cookie, (_, kind)) in truth.clone().into_iter().filter(|(_, (p, _))| *p == pid) {
                        truth.remove(&cookie);
                        take(&mut world, cookie, pid, kind, exited(pid));
                    }
                }
                Step::Wait { ms } => {
                    now += ms;
                    world.pass_until(now);
                }
            }
            now += 1;
        }
        world.end(now);

        // Held back and told are all there were.
        prop_assert_eq!(world.told.len() as u64 + world.held_back, all);
        prop_assert_eq!(world.incidents.held_back(), world.held_back);
        // Nobody heard of half a finding.
        let mut open = BTreeSet::new();
        for (cookie, phase) in &world.told {
            match *phase {
                "open" => prop_assert!(open.insert(*cookie)),
                "update" => prop_assert!(open.contains(cookie)),
                _ => prop_assert!(open.remove(cookie)),
            }
        }
        prop_assert!(open.iter().all(|cookie| truth.contains_key(cookie)));
        // Each incident had one life under one name.
        let last = world.last_states();
        if max_incidents == 1000 {
            prop_assert_eq!(world.incidents.overflowed(), 0);
            prop_assert_eq!(world.incidents.open(), truth.len() as u64);
            let suppressed: u64 = last.values().map(|incident| incident.suppressed).sum();
            prop_assert_eq!(suppressed, world.held_back);
            let mut expected: BTreeMap<(u32, Kind), u64> = BTreeMap::new();
            for (pid, kind) in truth.values() {
                *expected.entry((*pid, *kind)).or_default() += 1;
            }
            let mut reported: BTreeMap<(u32, Kind), u64> = BTreeMap::new();
            for ((pid, kind, _), incident) in last {
                if incident.open > 0 {
                    *reported.entry((pid, kind)).or_default() += incident.open;
                }
            }
            prop_assert_eq!(reported, expected);
        }
        // Nothing wakes anybody for ever.
        world.pass_until(now + 100_000_000_000);
        prop_assert_eq!(world.incidents.poll_timeout(), None);
    }
}
