use super::*;

/// Feeds `counts`, each true from its second on, and asks at second `until`.
fn growth(counts: &[(u64, u32)], until: u64) -> Option<Growth> {
    let second = |n: u64| BootTime(n * 1_000_000_000);
    let begin = counts.first().map_or(0, |(at, _)| *at);
    let mut series = Counts::new(second(begin));
    let mut last = 0;
    for (at, count) in counts {
        series.advance(second(*at), last);
        last = *count;
    }
    series.advance(second(until), last);
    series.growth()
}

/// One more every `every` seconds, for `total` seconds.
fn steady(every: u64, total: u64) -> Vec<(u64, u32)> {
    (0..=total / every)
        .zip(1..)
        .map(|(n, count)| (n * every, count))
        .collect()
}

#[track_caller]
fn check(counts: &[(u64, u32)], until: u64, milli_per_minute: i64, tolerance: i64) {
    let growth = growth(counts, until).expect("enough samples");
    let off = growth.milli_per_minute.abs_diff(milli_per_minute);
    assert!(off <= tolerance.unsigned_abs(), "{growth:?}");
}

#[test]
fn nothing_is_said_of_the_first_seconds() {
    assert_eq!(growth(&[(0, 1)], 7), None);
    assert_eq!(growth(&[(0, 200)], 7), None);
    assert!(growth(&[(0, 1)], 8).is_some());
}

#[test]
fn a_steady_leak() {
    for total in [60, 600, 3600, 36_000] {
        check(&steady(1, total), total, 60_000, 600);
        check(&steady(5, total), total, 12_000, 600);
    }
    check(&steady(60, 3600), 3600, 1000, 100);
    check(&steady(600, 36_000), 36_000, 100, 15);
}

#[test]
fn what_comes_at_once_is_no_growth() {
    check(&[(0, 10_000)], 60, 0, 0);
    check(&[(0, 1), (1, 10_000)], 60, 0, 0);
    check(&[(0, 5), (300, 205)], 600, 0, 25_000);
    check(&[(0, 5), (30, 205)], 600, 0, 0);
}

#[test]
fn growth_that_ends_is_soon_over_and_growth_that_begins_soon_seen() {
    let mut counts = steady(1, 600);
    check(&counts, 600, 60_000, 600);
    check(&counts, 600 + 480, 0, 0);
    counts.extend((10_000..10_500).zip(600..));
    check(&counts, 10_500, 60_000, 600);
}

#[test]
fn shrinking_is_negative() {
    let counts: Vec<_> = (0..300).zip((0..=1000).rev()).collect();
    check(&counts, 300, -60_000, 600);
}

#[test]
fn a_long_silence_costs_nothing_and_leaves_the_count() {
    check(&[(0, 1), (100_000_000, 2)], 200_000_000, 0, 0);
    let growth = growth(&[(0, 1)], 1_000_000).unwrap();
    assert_eq!(growth.samples, SAMPLES);
}

#[test]
fn the_basis_is_told() {
    let early = growth(&steady(1, 30), 30).unwrap();
    assert_eq!((early.window, early.samples), (Duration::from_secs(29), 30));
    let later = growth(&steady(1, 600), 600).unwrap();
    assert!(later.window >= Duration::from_mins(4) && later.window <= Duration::from_mins(9));
}
