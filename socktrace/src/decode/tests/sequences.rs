//! Losses found from record numbers.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::decode::{Origin, SequenceTracker};

/// One batch a row: the numbers that arrive on CPU 0, and what the settle behind it tells.
#[track_caller]
fn check(batches: &[(&[u64], u64)]) {
    let mut tracker = SequenceTracker::new();
    for (row, (seqs, told)) in batches.iter().enumerate() {
        for &seq in *seqs {
            tracker.observe(Origin { cpu: 0, seq });
        }
        assert_eq!(tracker.settle().unwrap_or(0), *told, "row {row}");
    }
}

#[test]
fn nothing_arrives() {
    check(&[(&[], 0), (&[], 0)]);
}

#[test]
fn nothing_is_lost() {
    check(&[(&[0, 1, 2], 0), (&[3], 0), (&[], 0), (&[4, 5], 0), (&[], 0)]);
}

#[test]
fn a_hole_is_told_at_the_second_settle() {
    check(&[(&[0, 2], 0), (&[3], 1), (&[4], 0), (&[], 0)]);
}

#[test]
fn a_hole_is_told_without_further_records() {
    check(&[(&[0, 2], 0), (&[], 1), (&[], 0)]);
}

#[test]
fn the_first_number_is_0() {
    check(&[(&[5], 0), (&[], 5), (&[], 0)]);
}

#[test]
fn disorder_within_a_batch_is_no_loss() {
    check(&[(&[1, 0, 3, 2], 0), (&[], 0)]);
    check(&[(&[3, 2, 1, 0], 0), (&[], 0)]);
}

#[test]
fn disorder_across_one_settle_is_no_loss() {
    check(&[(&[1], 0), (&[0], 0), (&[], 0)]);
    check(&[(&[0, 2, 3], 0), (&[5, 1], 0), (&[4], 0), (&[], 0)]);
}

#[test]
fn a_late_record_fills_its_own_hole_only() {
    // 1 and 3 are missing at the first settle; 1 comes, 3 does not, 5 is missing for the first time.
    check(&[(&[0, 2, 4], 0), (&[1, 6], 1), (&[], 1), (&[], 0)]);
}

#[test]
fn a_new_hole_does_not_confirm_an_old_one_that_was_filled() {
    check(&[(&[0, 2], 0), (&[1, 4], 0), (&[3], 0), (&[], 0)]);
}

#[test]
fn several_holes_add_up() {
    check(&[(&[0, 10], 0), (&[20], 9), (&[], 9), (&[], 0)]);
}

#[test]
fn a_record_that_comes_after_it_was_told_is_made_up_for() {
    // 1 is told as lost and comes; then 4 is lost, which makes the sum right again.
    check(&[
        (&[0, 2], 0),
        (&[], 1),
        (&[1], 0),
        (&[3, 5], 0),
        (&[], 0),
        (&[7], 0),
        (&[], 1),
    ]);
}

#[test]
fn a_number_taken_twice_stands_for_the_one_left_out() {
    check(&[(&[0, 2, 2, 3], 0), (&[], 0)]);
    check(&[(&[0, 2], 0), (&[2], 0), (&[3], 0), (&[], 0)]);
    check(&[(&[0, 2, 2, 4], 0), (&[], 1), (&[], 0)]);
}

#[test]
fn cpus_are_counted_apart() {
    let mut tracker = SequenceTracker::new();
    for (cpu, seq) in [(0, 0), (1, 0), (7, 2), (0, 1), (1, 3)] {
        tracker.observe(Origin { cpu, seq });
    }
    assert_eq!(tracker.settle(), None);
    assert_eq!(tracker.settle(), Some(4));
    assert_eq!(tracker.settle(), None);
}

#[test]
fn late_on_one_cpu_does_not_hide_lost_on_another() {
    let mut tracker = SequenceTracker::new();
    for (cpu, seq) in [(0, 1), (1, 1)] {
        tracker.observe(Origin { cpu, seq });
    }
    assert_eq!(tracker.settle(), None);
    tracker.observe(Origin { cpu: 0, seq: 0 });
    assert_eq!(tracker.settle(), Some(1));
    assert_eq!(tracker.settle(), None);
}

#[test]
fn the_highest_number_overflows_nothing() {
    check(&[(&[u64::MAX], 0), (&[u64::MAX], u64::MAX - 1), (&[], 0)]);
    let mut tracker = SequenceTracker::new();
    for cpu in 0..3 {
        tracker.observe(Origin { cpu, seq: u64::MAX });
    }
    assert_eq!(tracker.settle(), None);
    assert_eq!(tracker.settle(), Some(u64::MAX));
    assert_eq!(tracker.settle(), None);
}

proptest! {
    /// Records swapped by less than a batch, some lost: the sum is exactly what was lost.
    #[test]
    fn the_sum_is_what_was_lost(
        fates in vec((0..4_u32, any::<bool>(), any::<bool>(), any::<bool>()), 0..200),
    ) {
        let mut tracker = SequenceTracker::new();
        let mut next = [0_u64; 4];
        let mut arrived_to = [0_u64; 4];
        let mut arrived = [0_u64; 4];
        let mut told = 0;
        let mut late: Option<Origin> = None;
        for (cpu, lost, hold_back, settle) in fates {
            let at = usize::try_from(cpu).unwrap();
            let origin = Origin { cpu, seq: next[at] };
            next[at] += 1;
            if lost {
                continue;
            }
            arrived_to[at] = next[at];
            arrived[at] += 1;
            if hold_back && late.is_none() {
                late = Some(origin);
            } else {
                tracker.observe(origin);
            }
            if settle {
                told += tracker.settle().unwrap_or(0);
                // It comes before the next settle: at most one settle saw it missing.
                if let Some(origin) = late.take() {
                    tracker.observe(origin);
                }
            }
        }
        if let Some(origin) = late {
            tracker.observe(origin);
        }
        told += tracker.settle().unwrap_or(0);
        told += tracker.settle().unwrap_or(0);
        let lost: u64 = arrived_to.iter().zip(arrived).map(|(to, arrived)| to - arrived).sum();
        prop_assert_eq!(told, lost);
        prop_assert_eq!(tracker.settle(), None);
    }

    /// In whatever order and however late records come, never more is told than was ever missing, and
    /// once they have all come the next losses are told less by what was told in vain.
    #[test]
    fn what_was_told_in_vain_is_made_up_for(
        order in Just((0..40_u64).collect::<Vec<_>>()).prop_shuffle(),
        settles in vec(any::<bool>(), 40),
    ) {
        let mut tracker = SequenceTracker::new();
        let mut told = 0;
        for (seq, settle) in order.into_iter().zip(settles) {
            tracker.observe(Origin { cpu: 0, seq });
            if settle {
                told += tracker.settle().unwrap_or(0);
            }
        }
        prop_assert!(told < 40);
        tracker.observe(Origin { cpu: 0, seq: 140 });
        told += tracker.settle().unwrap_or(0);
        told += tracker.settle().unwrap_or(0);
        prop_assert_eq!(told, 100);
    }
}
