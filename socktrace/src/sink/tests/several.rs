//! Several sinks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::super::{
    Account, Batch, Class, LineSink, Outcome, Report, Sink, SinkError, Sinks, Target, WhenFull,
    open,
};
use super::{Memory, PATIENCE};

/// A sink that waits for permission before every batch.
struct Gated {
    permission: Receiver<()>,
    /// How often it has begun to write.
    begun: Arc<AtomicUsize>,
    inner: LineSink<Memory>,
}

impl Sink for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn write(&mut self, batch: &[u8]) -> Result<(), SinkError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _ = self.permission.recv();
        self.inner.write(batch)
    }
}

fn gated() -> (Box<dyn Sink>, Sender<()>, Memory) {
    let (sink, permit, memory) = gate();
    (Box::new(sink), permit, memory)
}

fn gate() -> (Gated, Sender<()>, Memory) {
    let memory = Memory::new(usize::MAX, |_| None);
    let (permit, permission) = channel();
    let sink = Gated {
        permission,
        begun: Arc::default(),
        inner: memory.sink(),
    };
    (sink, permit, memory)
}

fn findings(lines: &[u8]) -> Batch {
    Batch::of(Class::Finding, lines)
}

fn accounts(sinks: &Sinks) -> Vec<Arc<Account>> {
    sinks.accounts().map(Arc::clone).collect()
}

#[test]
fn all_sinks_get_all_lines() {
    let memories = [(); 3].map(|()| Memory::new(usize::MAX, |_| None));
    let boxed = memories
        .iter()
        .map(|m| Box::new(m.sink()) as Box<dyn Sink>)
        .collect();
    let mut sinks = Sinks::new(boxed, WhenFull::Drop).unwrap();
    sinks.write(&findings(b"one\n"));
    sinks.write(&findings(b""));
    sinks.write(&findings(b"two\n"));
    assert!(sinks.finish(PATIENCE).is_empty());
    for memory in memories {
        assert_eq!(memory.text(), "one\ntwo\n");
    }
}

#[test]
fn a_failing_sink_stops_no_other_and_is_reported_once() {
    let well = Memory::new(usize::MAX, |_| None);
    let ill = Memory::new(usize::MAX, |call| {
        (call <= 3).then_some(io::ErrorKind::StorageFull)
    });
    let boxed: Vec<Box<dyn Sink>> = vec![Box::new(ill.sink()), Box::new(well.sink())];
    let mut sinks = Sinks::new(boxed, WhenFull::Drop).unwrap();
    let accounts = accounts(&sinks);
    let mut written = String::new();
    // Batches that wait together are written at once, so wait for each to have been tried.
    for n in 1..=5 {
        let line = format!("{n}\n");
        sinks.write(&findings(line.as_bytes()));
        written.push_str(&line);
        wait_until(|| *ill.calls.lock().unwrap() >= n && well.text() == written);
    }
    let lost: Vec<_> = sinks
        .lost()
        .map(|(name, lost)| (name.to_owned(), lost))
        .collect();
    assert_eq!(lost, [("memory".to_owned(), 3), ("memory".to_owned(), 0)]);
    assert!(!sinks.all_closed());
    let news: Vec<_> = sinks
        .finish(PATIENCE)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(news.len(), 2, "{news:?}");
    assert!(news[0].starts_with("cannot write to memory: "), "{news:?}");
    assert_eq!(news[1], "memory works again; lost 3 lines");
    assert_eq!(ill.text(), "4\n5\n");
    for (account, delivered, failed) in [(&accounts[0], 2, 3), (&accounts[1], 5, 0)] {
        assert_eq!(account.lines(Outcome::Delivered), delivered);
        assert_eq!(account.lines(Outcome::Failed), failed);
        assert_eq!(account.troubles().losing, []);
    }
}

/// Polls `condition`; fails if it does not come true.
#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let (_keep, never) = channel::<()>();
    for _ in 0..2000 {
        if condition() {
            return;
        }
        let _ = never.recv_timeout(Duration::from_millis(10));
    }
    panic!("it did not come true");
}

#[test]
fn a_closed_sink_ends_quietly_once_all_are() {
    let (reader, writer) = io::pipe().unwrap();
    let (other_reader, other_writer) = io::pipe().unwrap();
    let boxed: Vec<Box<dyn Sink>> = vec![
        Box::new(LineSink::new("a".into(), writer)),
        Box::new(LineSink::new("b".into(), other_writer)),
    ];
    let mut sinks = Sinks::new(boxed, WhenFull::Wait).unwrap();
    drop(reader);
    let accounts = accounts(&sinks);
    sinks.write(&findings(b"one\n"));
    let mut news = Vec::new();
    wait_until(|| {
        news.extend(sinks.news());
        !news.is_empty()
    });
    assert!(
        news.iter().all(Report::is_closed) && news.len() == 1,
        "{news:?}"
    );
    assert!(!sinks.all_closed());
    drop(other_reader);
    sinks.write(&findings(b"two\n"));
    wait_until(|| sinks.all_closed());
    sinks.write(&findings(b"three\n"));
    assert!(sinks.finish(PATIENCE).iter().all(Report::is_closed));
    assert_eq!(accounts[0].lines(Outcome::Closed), 3);
    // It may have had the first line before its reader went.
    let (had, closed) = (Outcome::Delivered, Outcome::Closed);
    assert_eq!(accounts[1].lines(had) + accounts[1].lines(closed), 3);
}

#[test]
fn a_slow_sink_loses_lines_and_delays_nobody() {
    let (slow, permit, slow_memory) = gated();
    let quick = Memory::new(usize::MAX, |_| None);
    let mut sinks = Sinks::new(vec![slow, Box::new(quick.sink())], WhenFull::Drop).unwrap();
    let account = Arc::clone(sinks.accounts().next().unwrap());
    let line = format!("{}\n", "x".repeat(1024 * 1024 - 1));
    // One batch is being written, four MiB wait: of twelve, some must have been dropped.
    for n in 1..=12 {
        sinks.write(&findings(line.as_bytes()));
        wait_until(|| quick.bytes().len() == n * line.len());
    }
    let lost = sinks.lost().next().unwrap().1;
    assert!((7..=8).contains(&lost), "{lost}");
    assert_eq!(account.lines(Outcome::QueueFull), lost);
    assert_eq!(account.troubles().losing[0].0, Outcome::QueueFull);
    assert!(account.queued() > 3 << 20);
    let news: Vec<_> = sinks.news().iter().map(ToString::to_string).collect();
    assert_eq!(news, ["gated is too slow; lines are being dropped"]);
    permit.send(()).unwrap();
    permit.send(()).unwrap();
    wait_until(|| slow_memory.bytes().len() >= 4 * line.len());
    drop(permit);
    sinks.write(&findings(b"last\n"));
    let news: Vec<_> = sinks
        .finish(PATIENCE)
        .iter()
        .map(ToString::to_string)
        .collect();
    let told = format!("gated was too slow; dropped {lost} lines: {lost} findings");
    assert_eq!(news, [told]);
    assert!(slow_memory.text().ends_with("last\n"));
    assert_eq!(account.lines(Outcome::Delivered), 13 - lost);
    assert_eq!(account.queued(), 0);
    assert!(account.troubles().losing.is_empty());
}

/// A line of some length that begins with `name`.
fn line(name: &str, bytes: usize) -> String {
    format!("{name} {}\n", "x".repeat(bytes - name.len() - 2))
}

#[test]
fn state_changes_make_room_for_updates_and_both_for_findings() {
    let (slow, permit, memory) = gate();
    let begun = Arc::clone(&slow.begun);
    let mut sinks = Sinks::new(vec![Box::new(slow)], WhenFull::Drop).unwrap();
    // The sink is busy with a first line while the others come.
    sinks.write(&findings(b"first\n"));
    wait_until(|| begun.load(Ordering::SeqCst) == 1);
    let account = accounts(&sinks).remove(0);
    let kib = 1024;
    let push = |sinks: &mut Sinks, class, name: &str, bytes| {
        sinks.write(&Batch::of(class, line(name, bytes).as_bytes()));
    };
    for n in 0..64 {
        push(&mut sinks, Class::StateChange, &format!("s{n}"), 64 * kib);
    }
    push(&mut sinks, Class::StateChange, "late", 64 * kib);
    push(&mut sinks, Class::StateChange, "later", 64 * kib);
    push(&mut sinks, Class::Update, "u0", 1024 * kib);
    for n in 0..5 {
        push(&mut sinks, Class::Finding, &format!("f{n}"), 768 * kib);
    }
    let news: Vec<_> = sinks.news().iter().map(ToString::to_string).collect();
    assert_eq!(news, ["gated is too slow; lines are being dropped"]);
    drop(permit);
    let news: Vec<_> = sinks
        .finish(PATIENCE)
        .iter()
        .map(ToString::to_string)
        .collect();
    let told = "gated was too slow; dropped 67 lines: 66 state changes, 1 updates";
    assert_eq!(news, [told]);
    let dropped = Class::ALL.map(|class| account.dropped(class));
    assert_eq!(dropped, [66, 1, 0]);
    let text = memory.text();
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, ["first", "f0", "f1", "f2", "f3", "f4"]);
}

#[test]
fn waiting_loses_nothing() {
    let (slow, permit, memory) = gated();
    drop(permit);
    let mut sinks = Sinks::new(vec![slow], WhenFull::Wait).unwrap();
    let line = format!("{}\n", "x".repeat(1024 * 1024 - 1));
    for _ in 0..12 {
        sinks.write(&findings(line.as_bytes()));
    }
    assert!(sinks.finish(PATIENCE).is_empty());
    assert_eq!(memory.bytes().len(), 12 * line.len());
}

#[test]
fn a_sink_that_is_stuck_does_not_hold_up_the_end() {
    let (stuck, permit, _memory) = gated();
    let quick = Memory::new(usize::MAX, |_| None);
    let mut sinks = Sinks::new(vec![stuck, Box::new(quick.sink())], WhenFull::Drop).unwrap();
    sinks.write(&findings(b"one\ntwo\n"));
    wait_until(|| quick.text() == "one\ntwo\n");
    let news: Vec<_> = sinks
        .finish(Duration::from_millis(50))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(news, ["gated did not take the last 2 lines in time"]);
    drop(permit);
}

#[test]
fn standard_output_can_be_opened() {
    assert_eq!(open(&Target::Stdout).unwrap().name(), "standard output");
}
