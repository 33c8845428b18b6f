//! Random stories.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_bytes_in_its_files_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        class in 0_usize..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let name = ["-states.spool", "-updates.spool", "-findings.spool", ".spool"][class];
        fs::write(folder.path().join(format!("{:016x}{name}", 1)), &bytes).unwrap();
        fs::write(folder.path().join("taken"), &bytes).unwrap();
        fs::write(folder.path().join("cursor"), &bytes).unwrap();
        let (mut spool, _) = Spool::open(folder.path(), ROOM).unwrap();
        add(&mut spool, Finding, "new\n");
        prop_assert!(drain_by(&mut spool, ALL).0.ends_with(b"new\n"));
    }
}

/// Something that happens to a spool.
#[derive(Clone, Debug)]
enum Happens {
    /// Lines of a class, so many and so long.
    Append(Class, usize, usize),
    /// Lines go on their way, at most so many bytes.
    Send(usize),
    /// Those that are on their way were taken.
    Taken,
    /// The agent ends and is started again.
    Restart,
}

fn anything() -> impl Strategy<Value = Happens> {
    let class = prop_oneof![Just(StateChange), Just(Update), Just(Finding)];
    prop_oneof![
        6 => (class, 1_usize..6, 10_usize..3000)
            .prop_map(|(class, lines, length)| Happens::Append(class, lines, length)),
        2 => (1_usize..20_000).prop_map(Happens::Send),
        2 => Just(Happens::Taken),
        1 => Just(Happens::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Every line is taken once, in order, or counted as dropped in its class; and nothing is dropped while there
    /// is something lesser.
    #[test]
    fn every_line_is_taken_or_counted(story in proptest::collection::vec(anything(), 1..80)) {
        const MOST: u64 = 64 << 10;
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), MOST).unwrap().0;
        let (mut made, mut dropped) = (Tally::default(), Tally::default());
        let mut arrived: Vec<String> = Vec::new();
        let mut flying: Option<Vec<u8>> = None;
        let mut number = 0;
        for happens in story {
            match happens {
                Happens::Append(class, lines, length) => {
                    let text: Vec<String> = (number + 1..=number + lines)
                        .map(|number| format!("{number:08}{class:?}{}\n", "x".repeat(length)))
                        .collect();
                    number += lines;
                    made.count(class, lines as u64);
                    let gone = add(&mut spool, class, &text.concat());
                    dropped += gone;
                    for lesser in Class::ALL.into_iter().filter(|lesser| *lesser < class) {
                        let left = spool.series[lesser as usize].waiting();
                        prop_assert!(gone.of(class) == 0 || left == 0, "{gone}");
                    }
                    prop_assert!(spool.bytes() <= MOST);
                }
                Happens::Send(most) if flying.is_none() => flying = spool.next(most).unwrap().0,
                Happens::Send(_) => {}
                Happens::Taken => {
                    if let Some(lines) = flying.take() {
                        spool.taken().unwrap();
                        arrived.extend(String::from_utf8(lines).unwrap().lines().map(str::to_owned));
                    }
                }
                Happens::Restart => {
                    flying = None;
                    dropped += spool.dropped_in_flight();
                    drop(spool);
                    spool = Spool::open(folder.path(), MOST).unwrap().0;
                }
            }
        }
        dropped += spool.dropped_in_flight();
        arrived.extend(drain(&mut spool).lines().map(str::to_owned));
        let numbers: Vec<&str> = arrived.iter().map(|line| &line[..8]).collect();
        prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        for class in Class::ALL {
            let name = format!("{class:?}");
            let taken = arrived.iter().filter(|line| line[8..].starts_with(&name)).count();
            prop_assert_eq!(taken as u64 + dropped.of(class), made.of(class), "{}", name);
        }
    }
}
