use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::super::courier::{Refusal, Transport};
use super::super::tests::wait_until;
use super::super::{Outcome, Report, Sink};
use super::*;

/// Far more than most tests write.
const ROOM: u64 = 64 << 20;

fn open(folder: &Path) -> Spool {
    let (spool, given) = Spool::open(folder, ROOM).unwrap();
    assert_eq!(given, Given::default());
    spool
}

/// Takes everything.
fn drain(spool: &mut Spool) -> Vec<u8> {
    let mut all = Vec::new();
    while let (Some(batch), 0) = spool.next().unwrap() {
        all.extend_from_slice(&batch);
        spool.taken(&batch).unwrap();
    }
    all
}

fn segments(folder: &Path) -> usize {
    segment::numbers(folder).unwrap().len()
}

#[test]
fn batches_come_out_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    assert!(spool.is_empty());
    spool.append(b"one\n").unwrap();
    spool.append(b"two\nthree\n").unwrap();
    assert_eq!(spool.next().unwrap(), (Some(b"one\n".to_vec()), 0));
    // Not taken yet: the same again.
    assert_eq!(drain(&mut spool), b"one\ntwo\nthree\n");
    assert!(spool.is_empty());
    spool.append(b"four\n").unwrap();
    assert_eq!(drain(&mut spool), b"four\n");
}

#[test]
fn what_was_not_taken_is_there_in_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    for batch in ["one\n", "two\n", "three\n"] {
        spool.append(batch.as_bytes()).unwrap();
    }
    let (first, _) = spool.next().unwrap();
    spool.taken(&first.unwrap()).unwrap();
    drop(spool);
    let mut spool = open(folder.path());
    spool.append(b"four\n").unwrap();
    assert_eq!(drain(&mut spool), b"two\nthree\nfour\n");
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
    let long = "x".repeat(300_000) + "\n";
    for _ in 0..12 {
        spool.append(long.as_bytes()).unwrap();
    }
    assert_eq!(segments(folder.path()), 3);
    assert_eq!(drain(&mut spool).len(), 12 * long.len());
    assert_eq!(segments(folder.path()), 1);
}

#[test]
fn the_oldest_make_room_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = Spool::open(folder.path(), 3 << 20).unwrap();
    let long = "x".repeat(300_000) + "\n";
    let mut dropped = 0;
    for _ in 0..20 {
        dropped += spool.append(long.as_bytes()).unwrap();
        assert!(spool.bytes() <= 3 << 20);
    }
    let left = drain(&mut spool).len() / long.len();
    assert!(left >= 6, "{left}");
    assert_eq!(dropped, 20 - left as u64);
}

#[test]
fn an_unfinished_record_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.append(b"one\n").unwrap();
    spool.append(b"two\n").unwrap();
    drop(spool);
    let path = folder.path().join(format!("{:016x}.spool", 1));
    let whole = fs::read(&path).unwrap();
    for missing in 1..12 {
        fs::write(&path, &whole[..whole.len() - missing]).unwrap();
        let (mut spool, given) = Spool::open(folder.path(), ROOM).unwrap();
        assert_eq!(given.damaged, 12 - missing as u64);
        spool.append(b"three\n").unwrap();
        assert_eq!(drain(&mut spool), b"one\nthree\n");
        fs::remove_file(folder.path().join(CURSOR)).unwrap();
    }
}

#[test]
fn damage_costs_the_rest_of_its_segment_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    let long = "x".repeat(600_000) + "\n";
    for _ in 0..4 {
        spool.append(long.as_bytes()).unwrap();
    }
    drop(spool);
    let path = folder.path().join(format!("{:016x}.spool", 1));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut spool = open(folder.path());
    let (first, damaged) = spool.next().unwrap();
    assert_eq!(damaged, 0);
    spool.taken(&first.unwrap()).unwrap();
    let (third, damaged) = spool.next().unwrap();
    assert_eq!(damaged, segment::size_of(long.as_bytes()));
    spool.taken(&third.unwrap()).unwrap();
    assert_eq!(drain(&mut spool).len(), long.len());
}

proptest! {
    #[test]
    fn any_bytes_in_a_segment_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("{:016x}.spool", 1)), &bytes).unwrap();
        fs::write(folder.path().join(CURSOR), &bytes).unwrap();
        let (mut spool, _) = Spool::open(folder.path(), ROOM).unwrap();
        spool.append(b"new\n").unwrap();
        let mut last = Vec::new();
        while let (Some(batch), _) = spool.next().unwrap() {
            spool.taken(&batch).unwrap();
            last = batch;
        }
        prop_assert_eq!(last, b"new\n");
    }
}

/// A counterpart that may be away.
#[derive(Clone, Default)]
struct Counterpart(Arc<Mutex<(bool, Vec<u8>)>>);

impl Transport for Counterpart {
    fn name(&self) -> &'static str {
        "counterpart"
    }

    fn most_bytes(&self) -> usize {
        1 << 20
    }

    fn send(&mut self, batch: &[u8]) -> Result<(), Refusal> {
        let mut state = self.0.lock().unwrap();
        if state.0 {
            state.1.extend_from_slice(batch);
            return Ok(());
        }
        Err(Refusal::Later {
            reason: "away".to_owned(),
            after: Some(Duration::from_millis(1)),
        })
    }
}

impl Counterpart {
    fn come_back(&self) {
        self.0.lock().unwrap().0 = true;
    }

    fn has(&self) -> Vec<u8> {
        self.0.lock().unwrap().1.clone()
    }
}

#[test]
fn a_counterpart_that_is_away_gets_all_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let counterpart = Counterpart::default();
    let mut sink = Spooled::start(counterpart.clone(), folder.path(), ROOM).unwrap();
    let mut expected = Vec::new();
    for n in 0..1000 {
        let line = format!("line {n}\n");
        sink.write(line.as_bytes()).unwrap();
        expected.extend_from_slice(line.as_bytes());
    }
    let board = sink.board().unwrap();
    let account = board.account();
    let spooled = account.spooled().unwrap();
    assert!(spooled.0 > 8000 && spooled.1 == ROOM, "{spooled:?}");
    wait_until(|| account.troubles().away.is_some());
    counterpart.come_back();
    wait_until(|| counterpart.has().len() >= expected.len());
    assert_eq!(counterpart.has(), expected);
    wait_until(|| account.spooled() == Some((0, ROOM)));
    assert_eq!(account.lines(Outcome::Delivered), 1000);
    assert_eq!(account.troubles().away, None);
}

#[test]
fn what_has_no_room_on_disk_is_entered_until_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let counterpart = Counterpart::default();
    let mut sink = Spooled::start(counterpart.clone(), folder.path(), 4 << 20).unwrap();
    let board = sink.board().unwrap();
    let account = board.account();
    let line = format!("{}\n", "x".repeat(1 << 20));
    let written: Vec<_> = (0..6).map(|_| sink.write(line.as_bytes())).collect();
    let lost = account.lines(Outcome::SpoolFull);
    assert_eq!(
        written.iter().filter(|result| result.is_err()).count() as u64,
        lost
    );
    assert!(lost >= 2, "{lost}");
    assert_eq!(account.troubles().losing[0].0, Outcome::SpoolFull);
    counterpart.come_back();
    wait_until(|| account.spooled() == Some((0, 4 << 20)));
    sink.write(b"small\n").unwrap();
    assert!(account.troubles().losing.is_empty());
}

#[test]
fn what_is_left_at_the_end_is_told_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = Spooled::start(Counterpart::default(), folder.path(), ROOM).unwrap();
    sink.write(b"one\n").unwrap();
    let board = sink.board().unwrap();
    sink.settle(Duration::from_millis(1));
    let kept = |report: &Report| matches!(report, Report::Kept { bytes: 12, .. });
    assert!(board.news().iter().any(kept));
}
