//! What changes about an open finding, and what does not.

use super::script::check;

const OPEN: &str = "10.3 walk c1@0; 10.4 truth c1:10/3; ";
const QUEUED: &str = "10.3 walk c1@0,queued; 10.4 truth c1:-; ";

#[track_caller]
fn after_open(script: &str, expected: &str) {
    check(
        &format!("{OPEN}{script}"),
        &format!("open c1 close_wait 10/3; {expected}"),
    );
}

#[track_caller]
fn after_queued(script: &str, expected: &str) {
    check(
        &format!("{QUEUED}{script}"),
        &format!("open c1 unaccepted; {expected}"),
    );
}

#[test]
fn nothing_new() {
    after_open("40.4 truth c1:10/3", "");
    after_open("40.4 truth c1:10/3,comm=a; 80 truth c1:10/3,comm=b", "");
    after_open("40.4 truth c1:10/3 c1:10/3", "");
    after_open("40.4 truth c1:? ", "");
    after_open("40.4 fail", "");
    after_open("40.4 fail c1:11/3", "");
    after_open("40.4 walk c1@0", "");
    after_open("40 tick; 41 tick; 100 tick", "");
}

#[test]
fn holders() {
    after_open(
        "40.4 truth c1:10/3 c1:11/3",
        "update c1 close_wait 10/3,11/3 at=40.4 since=0",
    );
    after_open("40.4 truth c1:11/3", "update c1 close_wait 11/3");
    after_open("40.4 truth c1:10/4", "update c1 close_wait 10/4");
    after_open("40.4 truth c1:10/3,start=5", "update c1 close_wait 10/3");
    after_open(
        "40.4 truth c1:10/3 c1:11/3; 80 truth c1:11/3; 120 truth c1:11/3",
        "update c1 10/3,11/3; update c1 close_wait 11/3",
    );
    after_open(
        "40.4 truth c1:10/3 c1:11/3; 80 truth c1:11/3 c1:10/3",
        "update c1",
    );
}

#[test]
fn diagnosis() {
    after_open(
        "40.4 truth c1:10/3,rx=0",
        "update c1 close_wait eof_unknown since=0",
    );
    after_open("40.4 walk c1@0,rx=0,eof", "update c1 eof_read at=40.4");
    after_open(
        "40.4 walk c1@0,rx=0,eof; 50 truth c1:10/3,rx=0; 80 walk c1@0,rx=0,eof",
        "update c1 eof_read",
    );
    // The kernel's table of owners has lost what it knew: the evidence stays.
    after_open(
        "40.4 walk c1@0,rx=0,eof; 50 walk c1@0,rx=0",
        "update c1 eof_read",
    );
}

#[test]
fn queue_lengths_are_no_news() {
    check(
        "10.3 walk c1@0,rx=50; 10.4 truth c1:10/3,rx=50; 40 truth c1:10/3,rx=50,w=0",
        "open c1 unread_data",
    );
}

#[test]
fn kind_in_a_reading() {
    after_open(
        "40.4 truth c1:10/3,close",
        "update c1 closed_held since=0 ep=0 undiagnosed CLOSE",
    );
    after_open(
        "40.4 truth c1:10/3,close,err=32",
        "update c1 closed_held reset",
    );
    after_open(
        "40.4 truth c1:11/3,close,err=32",
        "update c1 closed_held 11/3 reset",
    );
}

#[test]
fn kind_in_a_walk() {
    after_open("40 walk c1@0,close,err=32", "update c1 closed_held 10/3");
    after_queued("40 walk c1@0,queued", "");
}

/// A reading saw the socket between the record of the change and the change.
#[test]
fn kind_in_a_state_change_that_was_overtaken() {
    let mut run = super::script::Script::started(super::script::CONFIG);
    run.run(&format!("{OPEN}40.5 truth c1:10/3; 41 walk"));
    run.wishes.clear();
    run.run("40.4 change c1,close,err=32; 41 tick");
    assert_eq!(run.wishes, ["prove c1"]);
    run.run("41.1 truth c1:10/3,close");
    run.expect("open c1 close_wait; update c1 closed_held reset at=41.1");
    // It had seen it after the change.
    run.wishes.clear();
    run.run("41.05 change c1,close,err=32; 42 tick");
    assert!(!run.wishes.iter().any(|wish| wish.starts_with("prove")));
}

#[test]
fn kind_in_a_state_change() {
    after_open(
        "40 change c1,close,err=32",
        "update c1 closed_held 10/3 at=40 since=0 ep=0 reset",
    );
    after_open(
        "40 change c1,close,err=110",
        "update c1 closed_held timeout",
    );
    after_open(
        "40 change c1,close,old=LAST_ACK",
        "update c1 closed_held after_fin",
    );
    after_open("40 change c1,close", "update c1 closed_held undiagnosed");
    after_open(
        "40 change c1,close,err=32; 41 truth c1:10/3,close",
        "update c1 closed_held reset",
    );
    after_open(
        "40 change c1,close,err=32; 50 release c1,close",
        "update c1; closed c1 closed_held",
    );
}

#[test]
fn our_own_shutdown() {
    // LAST_ACK is no leak; TCP is over a moment later, and the descriptor is still there.
    after_open("40 change c1,state=LAST_ACK,w=1", "");
    after_open(
        "40 change c1,state=LAST_ACK,w=1; 40.1 change c1,close,old=LAST_ACK,w=1,a=1",
        "update c1 closed_held after_fin since=0 ep=0",
    );
    after_open(
        "40 change c1,state=LAST_ACK,w=1; 41 truth c1:10/3,close,w=1,a=1",
        "update c1 closed_held since=0 ep=0",
    );
    after_open(
        "40 truth c1:?,state=LAST_ACK,w=1; 80 truth c1:?,state=LAST_ACK,w=1; 90 change c1,close,old=LAST_ACK,w=1,a=1",
        "update c1 closed_held 10/3 after_fin since=0 ep=0",
    );
    after_open(
        "40 truth c1:?,state=LAST_ACK,w=1; 50 release c1,by=10/12",
        "closed c1 close_wait",
    );
    after_open(
        "40 truth c1:?,state=LAST_ACK,w=1; 50 truth",
        "closed c1 close_wait by=?",
    );
    after_open("40 truth c1:?,state=LAST_ACK,w=9", "progress c1");
}

#[test]
fn half_closed_to_closed() {
    check(
        "10.3 walk c1@0,fw2; 10.4 truth c1:10/3,fw2; 20 change c1,close,old=FIN_WAIT2",
        "open c1 half_closed; update c1 closed_held after_fin since=0",
    );
}

#[test]
fn accepted_at_last() {
    after_queued("40 truth c1:10/5", "update c1 close_wait 10/5 since=0 ep=0");
    after_queued("40 truth c1:- c1:10/5", "update c1 close_wait 10/5");
    after_queued("40 truth c1:?", "");
    after_queued("40 accept c1,by=10/12", "");
    after_queued(
        "40 accept c1,by=10/12; 41 truth c1:10/5",
        "update c1 close_wait via=accept blame=10/12",
    );
    after_queued(
        "40 truth c1:10/5; 50 change c1,close,err=32; 60 release c1,close,by=10/12",
        "update c1 close_wait; update c1 closed_held reset; closed c1 closed_held by=10/12",
    );
}

#[test]
fn records_out_of_order() {
    // The reading looked before the state changed, and its record comes after.
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3; 40 begin; 40.2 change c1,close,err=32; 40.1 see c1:10/3; 41 end",
        "open c1; update c1 closed_held reset",
    );
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3; 40 begin; 40.2 see c1:10/3,close; 40.1 change c1,state=LAST_ACK; 41 end",
        "open c1; update c1 closed_held",
    );
}

#[test]
fn untracked_changes_are_nobody_s_business() {
    check(
        "5 change c1,close,err=104; 6 accept c1,by=10/12; 7 release c1",
        "",
    );
}
