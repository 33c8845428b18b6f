//! How findings end.

use super::records::Spec;
use super::script::{CONFIG, EPOCH, Script, check};
use crate::model::{BootTime, Event, Mark, Record};

#[track_caller]
fn after_open(script: &str, expected: &str) {
    let script = format!("10.3 walk c1@0; 10.4 truth c1:10/3; {script}");
    check(&script, &format!("open c1 close_wait 10/3; {expected}"));
}

#[test]
fn released() {
    after_open(
        "20 release c1,by=10/12",
        "closed c1 close_wait 10/3 at=20 since=0 by=10/12",
    );
    after_open("20 release c1,by=77/78", "closed c1 10/3 by=77/78");
    after_open("20 release c1", "closed c1 by=?");
    after_open(
        "20 release c1,state=LAST_ACK,by=10/12",
        "closed c1 close_wait by=10/12",
    );
    after_open(
        "20 release c1,by=10/12; 20 release c1,by=10/12",
        "closed c1",
    );
    after_open("20 release c1,by=10/12; 21 truth; 60 truth", "closed c1");
}

#[test]
fn exited() {
    after_open("20 exit c1,by=10/10", "exited c1 close_wait 10/3 by=10/10");
    after_open("20 exit c1", "exited c1 by=?");
}

#[test]
fn release_lost() {
    after_open("20 truth", "closed c1 close_wait 10/3 at=20 by=?");
    after_open("20 truth c2:10/3", "closed c1");
    after_open("20 truth c1:10/3,dead", "closed c1 by=?");
    after_open("20 truth c1:?,dead", "closed c1 by=?");
    after_open("20 fail; 30 truth", "closed c1 at=30");
    after_open("20 truth; 21 release c1,by=10/12", "closed c1 at=20");
    after_open("20 truth; 40 truth c1:10/3", "closed c1");
}

#[test]
fn not_while_the_kernel_has_it() {
    after_open("20 truth c1:?", "");
    after_open("20 truth c1:?; 40 truth c1:?", "");
    after_open("20 truth c1:?; 40 truth c1:11/3", "update c1 11/3");
    after_open("20 truth c1:?; 40 truth", "closed c1 at=40");
}

#[test]
fn not_by_a_reading_without_it() {
    after_open("20 fail", "");
    after_open("20 begin; 21 see c2:10/4", "");
    after_open("20 begin; 20 see c1:10/3; 20.5 begin", "");
}

#[test]
fn a_release_during_a_reading() {
    after_open(
        "20 begin; 20 release c1,by=10/12; 20.1 see c1:10/3; 21 end",
        "closed c1 at=20 by=10/12",
    );
    after_open(
        "20 begin; 20 see c1:10/3; 20.1 release c1,by=10/12; 21 end",
        "closed c1 at=20.1",
    );
}

#[test]
fn closed_and_reopened_is_another_socket() {
    after_open(
        "20 release c1; 30 walk c2@19; 30.1 truth c2:10/3",
        "closed c1; open c2 close_wait 10/3 since=19 ep=0",
    );
}

#[test]
fn disconnected() {
    after_open("20 change c1,close,nopeer", "");
    after_open("20 truth c1:10/3,close,nopeer", "reset c1 close_wait");
    after_open(
        "20 truth c1:10/3,close,nopeer; 40 truth c1:10/3,close,nopeer",
        "reset c1",
    );
}

#[test]
fn a_new_life() {
    after_open(
        "20 change c1,state=SYN_SENT,old=CLOSE",
        "progress c1 close_wait",
    );
    after_open("20 change c1,state=ESTABLISHED", "progress c1");
    after_open("20 change c1,state=LISTEN,old=CLOSE", "progress c1");
}

/// An agent that is late to ask is told the same: reports are made before their sockets change.
#[test]
fn a_late_listener() {
    let mut run = Script::started(CONFIG);
    run.run("10.3 walk c1@0 c2@0; 10.4 begin; 10.4 see c1:10/3 c2:10/4");
    let at = BootTime(EPOCH + 11_000_000_000);
    let end = Event::Mark(Mark::TruthEnd { complete: true });
    run.tracker.handle_event(&Record { at, event: end });
    let event = Spec::parse("c1,by=10/12").release(false);
    run.tracker.handle_event(&Record { at, event });
    assert_eq!((run.tracker.tracked(), run.tracker.open()), (1, 1));
    run.run("12 tick");
    run.expect("open c1 10/3 at=11; open c2 10/4 at=11; closed c1 by=10/12");
}
