//! A spool behind a sink.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::super::courier::{Refusal, Transport};
use super::super::super::tests::wait_until;
use super::super::super::{Outcome, Report, Sink};
use super::*;

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
    for _ in 0..6 * 17 {
        sink.take(&Batch::of(StateChange, long("s").as_bytes()))
            .unwrap();
    }
    let lost = account.lines(Outcome::SpoolFull);
    // Not those that were on their way.
    assert!(lost >= 20, "{lost}");
    assert_eq!(account.dropped(StateChange), lost);
    assert_eq!(account.troubles().losing[0].0, Outcome::SpoolFull);
    counterpart.come_back();
    wait_until(|| account.spooled() == Some((0, 4 << 20)));
    sink.write(b"small\n").unwrap();
    assert!(account.troubles().losing.is_empty());
    let news = board.news();
    let told: Vec<String> = news.iter().map(ToString::to_string).collect();
    let told: Vec<&String> = told.iter().filter(|line| line.contains("spool")).collect();
    assert_eq!(
        told,
        [
            "the spool of counterpart is full; lines are being dropped, findings last",
            &format!(
                "the spool of counterpart was full; dropped {lost} lines: {lost} state changes"
            ),
        ]
    );
}

#[test]
fn what_is_left_at_the_end_is_told_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = Spooled::start(Counterpart::default(), folder.path(), ROOM).unwrap();
    sink.write(b"one\n").unwrap();
    let board = sink.board().unwrap();
    sink.settle(Duration::from_millis(1));
    let kept = |report: &Report| matches!(report, Report::Kept { bytes: 20, .. });
    assert!(board.news().iter().any(kept));
}
