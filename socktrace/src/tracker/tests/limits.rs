//! Bounded tables, counted losses, small entries, and time that grows with the work only.

use super::records::Spec;
use super::script::{CONFIG, EPOCH, Script};
use crate::model::{BootTime, Cookie, Event, Mark, Record};
use crate::tracker::entry::Entry;
use crate::tracker::{Action, TrackerConfig};

#[track_caller]
fn small(max_tracked: usize, script: &str) -> Script {
    let mut run = Script::started(TrackerConfig {
        max_tracked,
        ..CONFIG
    });
    run.run(script);
    run
}

#[test]
fn no_more_than_fits() {
    let run = small(2, "10.3 walk c1@0 c2@0 c3@0 c4@0");
    assert_eq!((run.tracker.tracked(), run.tracker.lost()), (2, 2));
    assert_eq!(
        run.wishes.join("; "),
        "lost tracker 1; lost tracker 1; prove c1 c2"
    );
}

#[test]
fn nothing_fits() {
    let run = small(0, "10.3 walk c1@0; 10.4 truth c1:10/3; 20 release c1");
    assert_eq!((run.tracker.tracked(), run.tracker.lost()), (0, 1));
    run.expect("");
}

#[test]
fn what_did_not_fit_is_taken_up_when_there_is_room() {
    let run = small(
        1,
        "10.3 walk c1@0 c2@0; 10.4 truth c1:10/3 c2:10/4,told; 20 release c1; \
         22 truth c2:10/4,told; 23 truth c2:10/4,told c2:?@0",
    );
    run.expect("open c1; closed c1; open c2 at=23 since=0 seen");
    assert_eq!((run.tracker.lost(), run.tracker.untracked()), (1, 0));
}

#[test]
fn each_that_does_not_fit_is_counted_once() {
    let run = small(
        1,
        "10.3 walk c1@0 c2@0; 10.4 truth c1:10/3 c2:10/4,told c2:11/4,told c3:10/5,new; \
         20 truth c1:10/3 c2:10/4,told c3:10/5,told",
    );
    assert_eq!((run.tracker.lost(), run.tracker.untracked()), (2, 2));
    // An unfinished reading does not change that.
    let mut run = run;
    run.run("30 fail c1:10/3 c2:10/4,told");
    assert_eq!((run.tracker.lost(), run.tracker.untracked()), (2, 2));
    // What is gone is not missing any more.
    run.run("40 truth c1:10/3 c3:10/5,told");
    assert_eq!((run.tracker.lost(), run.tracker.untracked()), (2, 1));
    run.run("41 release c3");
    assert_eq!((run.tracker.lost(), run.tracker.untracked()), (2, 0));
}

#[test]
fn room_that_a_reading_makes_is_used_at_once() {
    let run = small(
        1,
        "10.3 walk c1@0 c2@0; 10.4 truth c1:10/3 c2:10/4,told; 10.5 walk; 10.6 tick; \
         20 truth c2:10/4,told; 20 walk; 21 tick",
    );
    assert_eq!(
        run.wishes.join("; "),
        "lost tracker 1; prove c1; walk; prove c1; walk; prove"
    );
}

#[test]
fn more_releases_than_can_be_remembered() {
    // Nothing that such a reading shows can be trusted to be there still.
    let mut run = Script::cold(CONFIG);
    run.run("0 tick; 0 begin");
    for cookie in 1..70_000 {
        let event = Spec::new(cookie).release(false);
        let at = BootTime(EPOCH);
        run.tracker.handle_event(&Record { at, event });
    }
    run.run("0 see c80000:10/3,idle=90,new; 0.1 end");
    run.expect("");
    run.run("3 truth c80000:10/3,idle=93,new");
    run.expect("open c80000");
}

#[test]
fn counts() {
    let run = small(
        10,
        "10.3 walk c1@0 c2@0 c3@0; 10.4 truth c1:10/3 c2:10/4 c3:?",
    );
    assert_eq!((run.tracker.tracked(), run.tracker.open()), (3, 2));
    let run = small(
        10,
        "10.3 walk c1@0 c2@0; 10.4 truth c1:10/3 c2:10/4; 20 release c1",
    );
    assert_eq!((run.tracker.tracked(), run.tracker.open()), (1, 1));
    let run = small(
        10,
        "10.3 walk c1@0; 10.4 truth c1:10/3; 20 truth c1:10/3,w=9",
    );
    assert_eq!((run.tracker.tracked(), run.tracker.open()), (1, 0));
    let run = small(10, "10.3 walk c1@0; 10.4 truth c1:10/3; 20 truth");
    assert_eq!((run.tracker.tracked(), run.tracker.open()), (0, 0));
}

#[test]
fn an_entry_is_small() {
    // 100,000 of them, each with a trail (80 bytes), a holder (64) and a slot in the table (22), are
    // to take less than 40 MB.
    assert!(size_of::<Entry>() <= 232, "{}", size_of::<Entry>());
}

/// One reading with a hundred thousand findings, another that changes all of them, and their releases.
#[test]
fn a_hundred_thousand() {
    const MANY: u64 = 100_000;
    let config = TrackerConfig {
        max_tracked: 200_000,
        ..CONFIG
    };
    let mut run = Script::cold(config);
    run.run("0 tick; 0 begin");
    let every = |run: &mut Script, seconds: u64, event: &dyn Fn(&Spec) -> Event| {
        let at = BootTime(EPOCH + seconds * 1_000_000_000);
        let mut spec = Spec::parse("c1:10/3,idle=90");
        for cookie in 1..=MANY {
            spec.socket.cookie = Cookie(cookie);
            run.tracker.handle_event(&Record {
                at,
                event: event(&spec),
            });
        }
    };
    let reports = |run: &mut Script| {
        let actions = std::iter::from_fn(|| run.tracker.poll_action());
        actions
            .filter(|action| matches!(action, Action::Report(_)))
            .count()
    };
    let ended = Event::Mark(Mark::TruthEnd { complete: true });
    every(&mut run, 0, &Spec::sight);
    run.tracker.handle_event(&Record {
        at: BootTime(EPOCH),
        event: ended,
    });
    assert_eq!((reports(&mut run), run.tracker.open()), (100_000, 100_000));
    run.run("0.6 walk; 40 begin");
    every(&mut run, 40, &Spec::sight);
    let other = Spec::parse("c1:11/4");
    every(&mut run, 40, &|spec| {
        let mut other = other.clone();
        other.socket = spec.socket;
        other.sight()
    });
    assert_eq!(reports(&mut run), 0);
    run.tracker.handle_event(&Record {
        at: BootTime(EPOCH + 41_000_000_000),
        event: ended,
    });
    assert_eq!(reports(&mut run), 100_000);
    every(&mut run, 42, &|spec| spec.release(false));
    assert_eq!((reports(&mut run), run.tracker.tracked()), (100_000, 0));
}
