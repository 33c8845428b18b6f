//! When a suspect becomes a finding, and what is said of it.

use super::script::{check, check_cold};

#[test]
fn told_then_proven() {
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3",
        "open c1 close_wait 10/3 at=10.4 since=0 seen ep=0",
    );
    check(
        "10.3 walk c1@0,close; 10.4 truth c1:10/3,close",
        "open c1 closed_held 10/3 CLOSE",
    );
    check(
        "10.3 walk c1@0,fw2; 10.4 truth c1:10/3,fw2",
        "open c1 half_closed 10/3 FIN_WAIT2",
    );
    check("10.3 walk c1@0; 10.4 truth c1:-", "open c1 unaccepted -");
    // Outside any walk, as in a recording cut short.
    check(
        "10.3 told c1@0; 10.4 truth c1:10/3",
        "open c1 close_wait 10/3",
    );
}

#[test]
fn not_without_proof() {
    check("10.3 walk c1@0", "");
    check("10.3 walk c1@0; 10.4 truth", "");
    check("10.3 walk c1@0; 10.4 truth c1:?", "");
    check("10.3 walk c1@0; 10.4 truth c2:10/3", "");
    check("10.3 walk c1@0; 10.4 fail c1:10/3", "");
    check("10.3 walk c1@0; 10.4 begin; 10.4 see c1:10/3", "");
    check("10.3 walk c1@0; 10.4 see c1:10/3; 10.5 end", "");
}

#[test]
fn not_in_another_state() {
    check("10.3 walk c1@0; 10.4 truth c1:10/3,close,never", "");
    check("10.3 walk c1@0; 10.4 truth c1:10/3,close,nopeer", "");
    check("10.3 walk c1@0; 10.4 truth c1:10/3,dead", "");
    check("10.3 walk c1@0; 10.4 truth c1:-,dead", "");
    check("10.3 walk c1@0; 10.4 truth c1:10/3,state=ESTABLISHED", "");
    check("10.3 walk c1@0; 10.4 truth c1:10/3,state=LAST_ACK", "");
    check("10.3 walk c1@0; 10.4 truth c1:-,close", "");
    check(
        "10.3 walk c1@0,state=LAST_ACK; 10.4 truth c1:?,state=LAST_ACK",
        "",
    );
    check("10.3 walk c1@0,dead; 10.4 truth c1:10/3", "");
}

#[test]
fn not_untold() {
    check("10.4 truth c1:10/3", "");
    check("10.4 truth c1:10/3,idle=100", "");
    check("10.4 truth c1:-,idle=100", "");
    check("10.4 truth c1:10/3; 20 truth c1:10/3; 40 truth c1:10/3", "");
}

#[test]
fn not_after_its_release() {
    check("10.3 walk c1@0; 10.35 release c1; 10.4 truth", "");
    check("10.3 walk c1@0; 10.35 release c1; 10.4 truth c1:10/3", "");
    check(
        "10.3 walk c1@0; 10.35 exit c1; 10.4 truth c1:10/3; 50 truth",
        "",
    );
    check(
        "10.3 walk c1@0; 10.4 begin; 10.4 release c1; 10.4 see c1:10/3; 10.5 end",
        "",
    );
    check(
        "10.3 walk c1@0; 10.4 begin; 10.4 see c1:10/3; 10.4 release c1; 10.5 end",
        "",
    );
}

#[test]
fn not_before_it_is_ripe() {
    check("8 walk c1@0; 8.1 truth c1:10/3", "");
    check("8 walk c1@0; 9.999 truth c1:10/3", "");
    check("8 walk c1@0; 10 truth c1:10/3", "open c1 at=10");
    check(
        "8 walk c1@0; 9 truth c1:10/3; 11 truth c1:10/3",
        "open c1 at=11 since=0",
    );
}

#[test]
fn not_by_a_reading_that_began_before() {
    // Descriptors that the reading had passed by then would be missing from the holders.
    check("10.3 begin; 10.3 told c1@0; 10.4 see c1:10/3; 10.5 end", "");
    check(
        "10.3 begin; 10.3 told c1@0; 10.4 see c1:10/3; 10.5 end; 12 truth c1:10/3",
        "open c1 at=12",
    );
}

#[test]
fn not_with_progress_between() {
    check("10.3 walk c1@0,rx=9; 10.4 truth c1:10/3,rx=5", "");
    check("10.3 walk c1@0; 10.4 truth c1:10/3,w=1", "");
    check("10.3 walk c1@0,w=9; 10.4 truth c1:10/3,w=9,a=5", "");
    check(
        "10.3 walk c1@0,rx=1; 10.4 truth c1:10/3,rx=0",
        "open c1 eof_unknown",
    );
}

#[test]
fn holders() {
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3 c1:11/3",
        "open c1 close_wait 10/3,11/3",
    );
    check(
        "10.3 walk c1@0; 10.4 truth c1:11/3 c1:10/7 c1:10/3",
        "open c1 close_wait 10/3,10/7,11/3",
    );
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3 c1:10/3",
        "open c1 close_wait 10/3",
    );
    check(
        "10.3 walk c1@0; 10.4 truth c1:- c1:10/3",
        "open c1 close_wait 10/3",
    );
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3 c1:?",
        "open c1 close_wait 10/3",
    );
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3 c2:11/3",
        "open c1 close_wait 10/3",
    );
}

#[test]
fn several_sockets_oldest_first() {
    check(
        "10.3 walk c2@0.2 c1@0.1 c3@0; 10.4 truth c1:10/3 c2:10/4 c3:10/5",
        "open c3 10/5 since=0; open c1 10/3 since=0.1; open c2 10/4 since=0.2",
    );
    check(
        "10.3 walk c2@0 c1@0; 10.4 truth c1:10/3 c2:10/4",
        "open c1; open c2",
    );
    check(
        "10.3 walk c1@0 c2@0; 10.4 truth c2:10/4",
        "open c2 close_wait 10/4",
    );
}

#[test]
fn told_twice_is_told_once() {
    check(
        "10.3 walk c1@0 c1@0; 10.4 truth c1:10/3; 11 walk c1@0; 12 truth c1:10/3",
        "open c1",
    );
}

#[test]
fn proven_later() {
    // In flight to another process; then somebody holds it.
    check(
        "10.3 walk c1@0; 10.4 truth c1:?; 11.5 truth c1:10/3",
        "open c1 close_wait 10/3 at=11.5",
    );
    check(
        "10.3 walk c1@0; 10.4 fail; 11.5 truth c1:10/3",
        "open c1 at=11.5",
    );
    check(
        "10.3 walk c1@0; 10.4 truth c1:?; 11.5 truth; 13 truth c1:10/3",
        "",
    );
    check(
        "10.3 walk c1@0; 10.4 truth c1:?; 11.5 truth c1:?; 13 truth c1:20/3",
        "open c1 20/3",
    );
}

#[test]
fn diagnosis() {
    check(
        "10.3 walk c1@0,rx=5; 10.4 truth c1:10/3,rx=5",
        "open c1 unread_data",
    );
    check(
        "10.3 walk c1@0,rx=1; 10.4 truth c1:10/3,rx=1",
        "open c1 eof_unread",
    );
    check(
        "10.3 walk c1@0,rx=0; 10.4 truth c1:10/3,rx=0",
        "open c1 eof_unknown",
    );
    check(
        "10.3 walk c1@0,rx=0,eof; 10.4 truth c1:10/3,rx=0",
        "open c1 eof_read",
    );
    check(
        "10.3 walk c1@0,rx=0,noeof; 10.4 truth c1:10/3,rx=0",
        "open c1 eof_unknown",
    );
    check(
        "10.3 walk c1@0,close,err=104; 10.4 truth c1:10/3,close",
        "open c1 reset",
    );
    check(
        "10.3 walk c1@0,close,err=110; 10.4 truth c1:10/3,close",
        "open c1 timeout",
    );
    check(
        "10.3 walk c1@0,close; 10.4 truth c1:10/3,close",
        "open c1 after_fin",
    );
    check(
        "10.3 walk c1@0,close,found; 10.4 truth c1:10/3,close",
        "open c1 undiagnosed",
    );
    check(
        "10.3 walk c1@0,close,found; 10.4 truth c1:10/3,close,err=104",
        "open c1 reset",
    );
    check(
        "10.3 walk c1@0,fw2; 10.4 truth c1:10/3,fw2",
        "open c1 undiagnosed",
    );
}

#[test]
fn blame() {
    let told = |owner: &str, expected: &str| {
        check(
            &format!("10.3 walk c1@0{owner}; 10.4 truth c1:10/3 c1:20/3,start=5"),
            expected,
        );
    };
    told("", "open c1 unknown via=holder blame=10/?");
    told(",acc=20/21", "open c1 accepted via=accept blame=20/21");
    told(",acc=10/12", "open c1 accepted via=accept blame=10/12");
    told(",con=10/12", "open c1 connected via=connect blame=10/12");
    told(
        ",acc=10/12,used=10/15",
        "open c1 accepted via=last_io blame=10/15",
    );
    told(
        ",acc=30/31,used=30/32",
        "open c1 accepted via=holder blame=10/?",
    );
}

#[test]
fn leaked_before_the_start() {
    let start = |reading: &str, expected: &str| {
        check_cold(&format!("0 tick; 0.1 truth {reading}"), expected);
    };
    start(
        "c1:10/3,idle=90",
        "open c1 close_wait 10/3 at=0.1 since=-89.9 found",
    );
    start("c1:10/3,idle=10", "open c1 close_wait 10/3");
    start("c1:10/3,idle=9.9", "");
    start("c1:10/3", "");
    start(
        "c1:10/3,idle=90 c1:11/3,idle=90",
        "open c1 close_wait 10/3,11/3",
    );
    // A reset or a timer leads to TCP_CLOSE without a segment that would show in the idleness.
    start("c1:10/3,close,idle=90", "");
    start("c1:10/3,fw2,idle=90", "open c1 half_closed");
    start("c1:-,idle=90", "open c1 unaccepted");
    start("c1:10/3,rx=0,idle=90", "open c1 eof_unknown");
    start("c1:10/3,close,never,idle=90", "");
    start("c1:10/3,dead,idle=90", "");
    // Unread data may be being read: the wire does not show it.
    start("c1:10/3,rx=500,idle=90", "");
}

#[test]
fn leaked_before_the_start_and_told_of_later() {
    check_cold(
        "0 tick; 0.1 truth c1:10/3,idle=90; 10.4 walk c1@0.1,found; 11 truth c1:10/3",
        "open c1 since=-89.9",
    );
    check_cold(
        "0 tick; 0.1 truth c1:10/3,rx=500,idle=90; 10.4 walk c1@0.1,rx=500,found; \
         10.5 truth c1:10/3,rx=500,idle=100",
        "open c1 unread_data found since=0.1",
    );
    // Told as soon as it was found: what the network shows of its age is taken with the proof.
    check_cold(
        "0 tick; 0.1 truth; 10.4 walk c1@0.1,found; 10.5 truth c1:10/3,idle=100",
        "open c1 since=-89.5 found",
    );
}

#[test]
fn the_first_complete_reading_is_the_first() {
    check_cold(
        "0 tick; 0.1 fail c1:10/3,idle=90; 2 truth c1:10/3,idle=92",
        "open c1 since=-90",
    );
    check_cold("0 tick; 0.1 truth; 2 truth c1:10/3,idle=92", "");
}

#[test]
fn the_first_reading_and_a_release() {
    check_cold(
        "0 tick; 0 begin; 0 release c1; 0 see c1:10/3,idle=90; 0.1 end",
        "",
    );
    check_cold(
        "0 tick; 0 begin; 0 see c1:10/3,idle=90; 0 release c1; 0.1 end",
        "",
    );
    check_cold(
        "0 tick; 0 begin; 0 see c1:10/3,idle=90; 0.1 end; 0.2 release c1",
        "open c1; closed c1",
    );
}

#[test]
fn found_and_told_at_once() {
    // The kernel tells of what a reading has found without waiting; here it ripens.
    check("1 walk c1@1,found; 9 truth c1:10/3", "");
    check(
        "1 walk c1@1,found; 11 truth c1:10/3",
        "open c1 since=1 found",
    );
    check("1 walk c1@1,found,rx=50; 2 truth c1:10/3,rx=50,idle=90", "");
    check(
        "1 walk c1@1,found; 2 truth c1:10/3,idle=90",
        "open c1 at=2 since=-88 found",
    );
    check(
        "1 walk c1@1,found; 2 truth c1:-,idle=90",
        "open c1 unaccepted since=-88",
    );
    check(
        "1 walk c1@1,found,fw2; 2 truth c1:10/3,fw2,idle=90",
        "open c1 half_closed since=-88",
    );
    check("1 walk c1@1,found,close; 2 truth c1:10/3,close,idle=90", "");
    check("1 walk c1@1,found,rx=9; 2 truth c1:10/3,rx=0,idle=90", "");
    check("1 walk c1@1; 2 truth c1:10/3,idle=90", "");
}

#[test]
fn shut_down_while_a_suspect() {
    let told = "10.3 walk c1@0,state=LAST_ACK,w=1";
    check(&format!("{told}; 10.4 truth c1:?,state=LAST_ACK,w=1"), "");
    check(
        &format!("{told}; 10.4 truth c1:?,state=LAST_ACK,w=1; 12 truth c1:10/3,close,w=1,a=1"),
        "open c1 closed_held since=0 seen",
    );
    check(
        &format!("{told}; 10.4 truth; 12 truth c1:10/3,close,w=1,a=1"),
        "",
    );
}

#[test]
fn told_between_the_question_and_the_reading() {
    // That reading was not asked about it, so that its silence means nothing.
    check(
        "10.3 walk c1@0; 10.35 told c2@0; 10.4 truth c1:10/3; 12 truth c1:10/3 c2:10/4",
        "open c1; open c2 10/4 at=12",
    );
}

#[test]
fn an_episode_is_a_finding_that_was_over() {
    // The kernel counts suspects that were told of, which need not have been proven. An agent that starts
    // later could not know of them, and would give another name.
    check("10.3 walk c1@0,ep=2; 10.4 truth c1:10/3", "open c1 ep=0");
    check(
        "10.3 walk c1@0; 10.4 truth c1:?; 10.5 walk c1@0,ep=2; 12 truth c1:10/3",
        "open c1 ep=0",
    );
    // The name of a finding does not change while it is open.
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3; 20 walk c1@0,ep=2; 21 release c1",
        "open c1 ep=0; closed c1 ep=0",
    );
}

#[test]
fn the_inode_is_kept() {
    // Not every record carries it.
    check(
        "10.3 walk c1@0,ino=7; 10.4 truth c1:10/3; 20 release c1",
        "open c1 ino=7; closed c1 ino=7",
    );
    check("10.3 walk c1@0; 10.4 truth c1:10/3,ino=7", "open c1 ino=7");
}
