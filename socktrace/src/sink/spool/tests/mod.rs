//! * [`chance`]: random stories. [`delivered`]: the sink over a spool.

mod chance;
mod delivered;

use super::Class::{Finding, StateChange, Update};
use super::*;
use std::fs;
use std::path::PathBuf;

/// Far more than most tests write.
const ROOM: u64 = 64 << 20;
/// More than any test lets be delivered at once.
const ALL: usize = 1 << 30;

fn open(folder: &Path) -> Spool {
    let (spool, given) = Spool::open(folder, ROOM).unwrap();
    assert_eq!(given, Given::default());
    spool
}

/// Appends lines of a class; what had to go for them.
#[track_caller]
fn add(spool: &mut Spool, class: Class, lines: &str) -> Tally {
    let appended = spool.append(&Batch::of(class, lines.as_bytes()));
    assert!(appended.failed.is_none(), "{appended:?}");
    appended.dropped
}

/// Takes everything, at most `most` bytes at a time; bytes that were passed over.
fn drain_by(spool: &mut Spool, most: usize) -> (Vec<u8>, u64) {
    let (mut all, mut damaged) = (Vec::new(), 0);
    loop {
        let (lines, passed) = spool.next(most).unwrap();
        damaged += passed;
        let Some(lines) = lines else {
            return (all, damaged);
        };
        all.extend_from_slice(&lines);
        spool.taken().unwrap();
    }
}

fn drain(spool: &mut Spool) -> String {
    let (all, damaged) = drain_by(spool, ALL);
    assert_eq!(damaged, 0);
    String::from_utf8(all).unwrap()
}

/// Its files of a class.
fn files(folder: &Path, class: &str) -> Vec<PathBuf> {
    let found = segment::numbered(folder, &format!("-{class}.spool")).unwrap();
    found.into_iter().map(|(_, path)| path).collect()
}

fn long(letter: &str) -> String {
    letter.repeat(60_000) + "\n"
}

#[test]
fn lines_come_out_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    assert!(spool.is_empty());
    add(&mut spool, Finding, "one\n");
    add(&mut spool, StateChange, "two\nthree\n");
    add(&mut spool, Finding, "four\n");
    assert_eq!(spool.next(1).unwrap(), (Some(b"one\n".to_vec()), 0));
    // Not taken yet: the same again, and more if there may be.
    let both = Some(b"one\ntwo\nthree\n".to_vec());
    assert_eq!(spool.next(15).unwrap(), (both, 0));
    assert_eq!(drain(&mut spool), "one\ntwo\nthree\nfour\n");
    assert!(spool.is_empty());
    add(&mut spool, Update, "five\n");
    assert_eq!(drain(&mut spool), "five\n");
}

#[test]
fn what_was_not_taken_is_there_in_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    for (class, lines) in [(Finding, "1\n"), (Update, "2\n"), (StateChange, "3\n")] {
        add(&mut spool, class, lines);
    }
    spool.next(1).unwrap();
    spool.taken().unwrap();
    drop(spool);
    let mut spool = open(folder.path());
    add(&mut spool, Finding, "4\n");
    assert_eq!(drain(&mut spool), "2\n3\n4\n");
    // Numbers go on behind those that are gone with their files.
    for class in ["states", "updates", "findings"] {
        for path in files(folder.path(), class) {
            fs::remove_file(path).unwrap();
        }
    }
    drop(spool);
    let mut spool = open(folder.path());
    add(&mut spool, Finding, "5\n");
    assert_eq!(drain(&mut spool), "5\n");
}

#[test]
fn two_cannot_share_one() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    let error = Spool::open(folder.path(), ROOM).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    drop(spool);
    open(folder.path());
}

#[test]
fn segments_that_were_taken_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    for _ in 0..60 {
        add(&mut spool, Update, &long("u"));
    }
    assert_eq!(files(folder.path(), "updates").len(), 4);
    assert_eq!(drain(&mut spool).len(), 60 * long("u").len());
    assert_eq!(files(folder.path(), "updates").len(), 1);
    drop(spool);
    drop(open(folder.path()));
    assert_eq!(files(folder.path(), "updates").len(), 0);
}

#[test]
fn state_changes_make_room_first_and_findings_last() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 8 << 20).unwrap();
    let fill = |spool: &mut Spool, class, letter: &str, mib: usize| {
        let mut dropped = Tally::default();
        for _ in 0..mib * 17 {
            dropped += add(spool, class, &long(letter));
            assert!(spool.bytes() <= 8 << 20);
        }
        dropped
    };
    assert_eq!(fill(&mut spool, Finding, "f", 2), Tally::default());
    assert_eq!(fill(&mut spool, Update, "u", 2), Tally::default());
    let states = fill(&mut spool, StateChange, "s", 5);
    assert!(states.of(StateChange) > 0);
    assert_eq!(states.total(), states.of(StateChange), "{states}");
    // More findings: the rest of the state changes goes before any update.
    let more = fill(&mut spool, Finding, "g", 5);
    assert_eq!(more.of(Finding), 0, "{more}");
    assert_eq!(states.of(StateChange) + more.of(StateChange), 5 * 17);
    assert!(more.of(Update) > 0 && more.of(Update) < 34, "{more}");
    // And lesser lines get no room from greater ones.
    let refused = fill(&mut spool, StateChange, "t", 1);
    assert_eq!(refused.total(), refused.of(StateChange));
    let last = fill(&mut spool, Finding, "h", 5);
    assert_eq!(more.of(Update) + last.of(Update), 34);
    assert!(last.of(Finding) > 0, "{last}");
    // Of findings the oldest went.
    let left = drain(&mut spool);
    let count = |letter: &str| {
        left.split('\n')
            .filter(|line| line.starts_with(letter))
            .count()
    };
    assert_eq!((count("s"), count("u")), (0, 0));
    assert_eq!(count("h"), 5 * 17);
    let kept = count("f") + count("g") + count("h");
    assert_eq!(kept as u64 + last.of(Finding), 12 * 17);
}

/// They had to make room while they were on their way: they are lost only if they do not arrive.
#[test]
fn lines_on_their_way_are_not_lost_before_they_are() {
    for arrives in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
        add(&mut spool, StateChange, "s\n");
        assert_eq!(spool.next(ALL).unwrap(), (Some(b"s\n".to_vec()), 0));
        add(&mut spool, StateChange, "t\n");
        let mut dropped = Tally::default();
        for _ in 0..20 {
            dropped += add(&mut spool, Finding, &long("f"));
        }
        assert_eq!(dropped.of(StateChange), 1, "{dropped}");
        if arrives {
            spool.taken().unwrap();
        }
        let flying = spool.dropped_in_flight();
        assert_eq!(flying.total(), u64::from(!arrives));
        assert!(drain(&mut spool).starts_with('f'));
    }
}

/// What is larger than the whole spool costs nothing else.
#[test]
fn what_can_never_fit_drops_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
    add(&mut spool, Finding, "small\n");
    let dropped = add(&mut spool, Finding, &("x".repeat(2 << 20) + "\n"));
    assert_eq!(dropped.total(), 1);
    assert_eq!(drain(&mut spool), "small\n");
}

#[test]
fn an_unfinished_record_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    add(&mut spool, Finding, "one\n");
    add(&mut spool, Finding, "two\n");
    drop(spool);
    let path = files(folder.path(), "findings").remove(0);
    let whole = fs::read(&path).unwrap();
    for missing in 1..20 {
        fs::write(&path, &whole[..whole.len() - missing]).unwrap();
        let (mut spool, given) = Spool::open(folder.path(), ROOM).unwrap();
        assert_eq!(given.damaged, 20 - missing as u64);
        add(&mut spool, Finding, "three\n");
        assert_eq!(drain(&mut spool), "one\nthree\n");
        fs::remove_file(folder.path().join("taken")).unwrap();
    }
}

#[test]
fn a_damaged_byte_costs_its_record_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    for letter in ["a", "b", "c"] {
        add(&mut spool, Finding, &long(letter));
    }
    drop(spool);
    let path = files(folder.path(), "findings").remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut spool = open(folder.path());
    let (left, damaged) = drain_by(&mut spool, ALL);
    assert_eq!(damaged, segment::size_of(long("b").as_bytes()));
    assert_eq!(left, (long("a") + &long("c")).into_bytes());
    assert_eq!(drain_by(&mut spool, ALL), (Vec::new(), 0));
}

/// A mark that lags behind, as after a kill: twice, never not at all.
#[test]
fn a_mark_that_is_old_or_no_mark_loses_nothing() {
    for mark in ["", "00000000000000000009 00000000\n", "nonsense"] {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        add(&mut spool, Finding, "one\n");
        add(&mut spool, Update, "two\n");
        spool.next(1).unwrap();
        spool.taken().unwrap();
        drop(spool);
        fs::write(folder.path().join("taken"), mark).unwrap();
        assert_eq!(drain(&mut open(folder.path())), "one\ntwo\n");
    }
}

/// Files of a version that knew no classes.
#[test]
fn what_an_older_version_has_left_is_delivered_first() {
    let folder = tempfile::tempdir().unwrap();
    let record = |lines: &str| {
        let length = u32::try_from(lines.len()).unwrap();
        let checksum = crc32fast::hash(lines.as_bytes());
        [
            &length.to_le_bytes(),
            &checksum.to_le_bytes(),
            lines.as_bytes(),
        ]
        .concat()
    };
    let old = |number: u64, records: &[&str], cut: usize| {
        let bytes: Vec<u8> = records.iter().flat_map(|lines| record(lines)).collect();
        let path = folder.path().join(format!("{number:016x}.spool"));
        fs::write(path, &bytes[..bytes.len() - cut]).unwrap();
    };
    old(3, &["gone\n"], 0);
    old(4, &["taken\n", "one\n"], 0);
    old(5, &["two\n", "cut off\n"], 3);
    let taken = record("taken\n").len();
    fs::write(folder.path().join("cursor"), format!("4 {taken}\n")).unwrap();
    let (mut spool, given) = Spool::open(folder.path(), ROOM).unwrap();
    assert_eq!(given.damaged, 8 + 8 - 3);
    add(&mut spool, StateChange, "three\n");
    assert_eq!(drain(&mut spool), "one\ntwo\nthree\n");
    drop(spool);
    assert!(!folder.path().join("cursor").exists());
    assert!(open(folder.path()).is_empty());
}
