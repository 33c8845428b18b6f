//! Progress: what ends a finding, what delays one, and what is none.

use super::script::check;

#[track_caller]
fn after_open(script: &str, expected: &str) {
    let script = format!("10.3 walk c1@0,rx=50; 10.4 truth c1:10/3,rx=50; {script}");
    check(
        &script,
        &format!("open c1 close_wait 10/3 ep=0; {expected}"),
    );
}

#[test]
fn told_by_a_walk() {
    after_open(
        "20 walk c1@20,rx=40,prog,ep=1",
        "progress c1 close_wait 10/3 at=20 since=0 ep=0",
    );
    after_open("20 walk c1@20,rx=50,w=5,prog,ep=1", "progress c1");
    after_open("20 walk c1@20,rx=50,a=5,prog,ep=1", "progress c1");
    after_open("20 walk c1@20,rx=40", "progress c1");
}

#[test]
fn seen_in_a_reading() {
    after_open("20 truth c1:10/3,rx=40", "progress c1 at=20 since=0 ep=0");
    after_open("20 truth c1:10/3,rx=50,w=1", "progress c1");
    after_open("20 truth c1:10/3,rx=50,a=1", "progress c1");
    after_open("20 truth c1:10/3,rx=0", "progress c1");
    after_open("20 truth c1:?,rx=40", "progress c1");
    after_open("20 fail c1:10/3,rx=40", "");
}

#[test]
fn seen_in_a_state_change() {
    after_open("20 change c1,close,rx=40,err=32", "progress c1 close_wait");
    after_open("20 change c1,state=LAST_ACK,rx=50,w=6", "progress c1");
    after_open("20 change c1,close,rx=50,err=32", "update c1 closed_held");
}

#[test]
fn the_kernel_s_flag_alone_is_none() {
    // Reading the end moves copied_seq, which is no byte.
    check(
        "10.3 walk c1@0,rx=1; 10.4 truth c1:10/3,rx=1; 20 walk c1@20,rx=0,prog,ep=1",
        "open c1 eof_unread; update c1 eof_unknown since=0 ep=0",
    );
    // A reading has seen this progress before the walk does.
    after_open(
        "20 truth c1:10/3,rx=40; 21 walk c1@21,rx=40,prog,ep=1",
        "progress c1",
    );
}

#[test]
fn leaks_again() {
    after_open(
        "20 walk c1@20,rx=40,prog,ep=1; 30.2 walk c1@20,rx=40,ep=1; 30.3 truth c1:10/3,rx=40",
        "progress c1 ep=0; open c1 at=30.3 since=20 ep=1",
    );
    after_open(
        "20 walk c1@20,rx=40,prog,ep=1; 30.2 walk c1@20,rx=40,ep=1; 30.3 truth c1:10/3,rx=40; \
         40 release c1,by=10/12",
        "progress c1 ep=0; open c1 ep=1; closed c1 ep=1",
    );
    after_open(
        "20 truth c1:10/3,rx=40; 21 walk c1@21,rx=40,prog,ep=1; 31.2 walk c1@21,rx=40,ep=1; \
         31.3 truth c1:10/3,rx=40; 50 truth c1:10/3,rx=30",
        "progress c1 ep=0; open c1 since=21 ep=1; progress c1 ep=1",
    );
    // Should the kernel not tell of it again, a reading proves it all the same.
    after_open(
        "20 truth c1:10/3,rx=40; 25 truth c1:10/3,rx=40; 50 truth c1:10/3,rx=40",
        "progress c1 ep=0; open c1 at=50 since=20 ep=1",
    );
}

#[test]
fn progress_again_and_again() {
    after_open(
        "20 truth c1:10/3,rx=40; 35 truth c1:10/3,rx=30; 50 truth c1:10/3,rx=20; 55 truth c1:10/3,rx=20",
        "progress c1",
    );
}

#[test]
fn a_suspect_s_progress_delays_it() {
    check(
        "10.3 walk c1@0,rx=9; 10.4 truth c1:10/3,rx=5; 15 truth c1:10/3,rx=5",
        "",
    );
    check(
        "10.3 walk c1@0,rx=9; 10.4 truth c1:10/3,rx=5; 20.4 truth c1:10/3,rx=5",
        "open c1 since=10.4 seen ep=0",
    );
    check(
        "10.3 walk c1@10.3,rx=9,prog,ep=1; 11 truth c1:10/3,rx=9",
        "",
    );
    check(
        "10.3 walk c1@10.3,rx=9,prog,ep=1; 21 truth c1:10/3,rx=9",
        "open c1 since=10.3 ep=0",
    );
}

#[test]
fn what_the_kernel_knows_of_since() {
    // Found by a reading after a loss, then told with the time the kernel saw.
    check(
        "5 decode; 5 truth c1:10/3,new; 12 walk c1@1; 12.1 truth c1:10/3",
        "open c1 since=1 seen",
    );
    check(
        "5 decode; 5 truth c1:10/3,new; 12 walk c1@1,found; 12.1 truth c1:10/3",
        "open c1 since=1 found",
    );
    check(
        "5 decode; 5 truth c1:10/3,new; 17 walk c1@6,found; 17.1 truth c1:10/3",
        "open c1 since=5 found",
    );
}

#[test]
fn what_the_kernel_says_is_still_is() {
    // Told of without progress: nothing has moved since `since`, whatever had before.
    check(
        "10.3 walk c1@0,rx=40,base=50; 10.4 truth c1:10/3,rx=40",
        "open c1 since=0",
    );
    check("10.3 walk c1@0,rx=40,base=50; 10.4 truth c1:10/3,rx=30", "");
}

#[test]
fn progress_long_ago() {
    // The kernel knows when bytes moved last, and that may be long before the walk that notices.
    check(
        "10.3 walk c1@0,rx=50; 10.4 truth c1:10/3,rx=50; 60 walk c1@20,rx=40,prog,ep=1; \
         60.1 truth c1:10/3,rx=40",
        "open c1 ep=0; progress c1 at=60 ep=0; open c1 at=60.1 since=20 ep=1",
    );
}
