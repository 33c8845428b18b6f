//! Losses, and how the tracker comes back to the truth.

use super::script::{CONFIG, Script, check};

#[track_caller]
fn wishes(script: &str, expected: &str) {
    let mut run = Script::started(CONFIG);
    run.run(script);
    assert_eq!(run.wishes.join("; "), expected);
}

#[test]
fn a_gap_demands_a_reading() {
    wishes("5 tick; 5 ring", "prove");
    wishes("5 tick; 5 suspects", "prove");
    wishes("5 tick; 5 decode", "prove");
    wishes("5 tick; 5 owners", "");
    wishes("5 tick; 5 tracker", "");
    // A program that did not run may have had a suspect to tell of.
    wishes("5 tick; 5 missed", "prove");
    // Queues that could not be read will not be readable at once.
    wishes("5 tick; 5 queues", "");
}

#[test]
fn one_reading_for_many_gaps() {
    wishes("5 tick; 5 ring; 5 ring; 5 suspects; 5 decode", "prove");
    // Those that come before it begins are covered by it; one that comes later is not.
    wishes("5 tick; 5 ring; 5 ring; 5 truth", "prove; walk");
    wishes(
        "5 tick; 5 ring; 5 begin; 5 ring; 5 end; 5 walk; 6 tick",
        "prove; walk; prove",
    );
    wishes(
        "5 tick; 5 ring; 5 truth; 5 walk; 5.1 ring; 5.9 tick",
        "prove; walk",
    );
    wishes(
        "5 tick; 5 ring; 5 truth; 5 walk; 5.1 ring; 6 tick",
        "prove; walk; prove",
    );
}

#[test]
fn a_lost_release_is_found_out() {
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3; 20 ring; 20 truth",
        "open c1; closed c1 at=20 by=?",
    );
}

#[test]
fn a_lost_state_change_is_found_out() {
    check(
        "10.3 walk c1@0; 10.4 truth c1:10/3; 20 ring; 20 truth c1:10/3,close",
        "open c1; update c1 closed_held",
    );
}

#[test]
fn an_undecodable_suspect_is_taken_up() {
    // It is marked as told in the kernel's table, which is asked what it knows.
    wishes(
        "11 tick; 11 decode; 11 truth c1:10/3,told; 11 walk; 12 tick",
        "walk; prove; prove c1!",
    );
    check(
        "11 decode; 11 truth c1:10/3,told; 12 truth c1:10/3,told c1:?@1,acc=10/12",
        "open c1 at=12 since=1 seen ep=0 via=accept blame=10/12",
    );
    check(
        "11 decode; 11 truth c1:-,told; 12 truth c1:-,told c1:?@1,queued",
        "open c1 unaccepted since=1",
    );
    // Bytes have moved since, and the table has not noticed.
    check(
        "11 decode; 11 truth c1:10/3,told; 12 truth c1:10/3,told c1:?@1,base=5",
        "",
    );
    // The answer is lost too.
    check("5 decode; 5 truth c1:10/3,told; 14 truth c1:10/3,told", "");
    check(
        "5 decode; 5 truth c1:10/3,told; 15 truth c1:10/3,told",
        "open c1 close_wait at=15 since=5 found ep=0 via=holder",
    );
    check(
        "5 decode; 5 truth c1:10/3,told; 15 truth c1:10/3,told,w=5; 16 truth c1:10/3,told,w=5",
        "",
    );
    check("5 decode; 5 truth c1:10/3,told; 8 truth; 20 truth", "");
    // One that failed does not count.
    check(
        "5 decode; 5 fail c1:10/3,told; 7 truth c1:10/3,told; 17 truth c1:10/3,told",
        "open c1 since=5",
    );
    // Idleness on the wire proves no age any more.
    check(
        "5 decode; 5 truth c1:10/3,idle=90,told; 14 truth c1:10/3,idle=99,told",
        "",
    );
}

#[test]
fn what_was_released_meanwhile_is_not_taken_up() {
    check(
        "5 decode; 5 begin; 5 release c1; 5 see c1:10/3,told; 5.1 end; 16 truth",
        "",
    );
    // The record of the release is here before the reading's are.
    check(
        "0.1 ring; 40 tick; 40 release c1; 40 begin; 40 see c1:10/3,new; 40.1 end; 51 truth c1:10/3,waits",
        "",
    );
}

#[test]
fn an_owner_is_asked_for_before_a_finding_opens() {
    // Found by a reading; then a walk has told of it, which was lost.
    check(
        "5 truth c1:10/3,new; 15 truth c1:10/3,told; 16 truth c1:10/3,told c1:?@5,found,acc=10/12",
        "open c1 at=16 since=5 found via=accept blame=10/12",
    );
    check(
        "5 truth c1:10/3,new; 15 truth c1:10/3,told; 16 truth c1:10/3,told",
        "open c1 at=16 via=holder",
    );
}

/// A socket that was leaked a moment before a reading has its time and its owner in the kernel's table: the
/// walk that tells of them comes a moment after the reading that could prove it.
#[test]
fn a_reading_leaves_what_is_young_to_the_walk() {
    check(
        "5 decode; 5 truth c1:10/3,waits; 15 truth c1:10/3,waits; \
         15.2 walk c1@4.9,acc=10/12; 15.3 truth c1:10/3,told",
        "open c1 at=15.3 since=4.9 seen via=accept blame=10/12",
    );
    let mut run = Script::cold(CONFIG);
    run.run(
        "0 tick; 12 truth c1:10/3,waits,idle=11; 12 walk c1@1,acc=10/12; 12.1 truth c1:10/3,told",
    );
    run.expect("open c1 at=12.1 since=1 seen via=accept blame=10/12");
}

#[test]
fn a_ring_loss_takes_nothing_up() {
    check("5 ring; 5 truth c1:10/3; 20 truth c1:10/3", "");
}

#[test]
fn a_failed_reading_is_tried_again() {
    let mut run = Script::cold(CONFIG);
    run.run("0 tick; 0 fail; 0 walk; 0.9 tick; 1 tick; 1 fail; 1 walk; 2.9 tick; 3 tick; 3 truth; 3 walk");
    assert_eq!(
        run.wishes.join("; "),
        "prove; walk; prove; walk; prove; walk"
    );
    let mut run = Script::cold(CONFIG);
    run.run("0 tick; 0 fail; 0 walk; 0.9 tick");
    assert_eq!(run.wishes.join("; "), "prove; walk");
}

#[test]
fn readings_that_never_end_are_given_up() {
    wishes("5 tick; 5 ring; 5 begin; 124 tick", "prove");
    wishes(
        "5 tick; 5 ring; 5 begin; 125 tick; 126 tick; 126 walk",
        "prove; walk; prove",
    );
    check(
        "10.3 walk c1@0; 10.4 begin; 10.4 see c1:10/3; 140 tick; 140 end",
        "",
    );
    check(
        "10.3 walk c1@0; 10.4 begin; 10.4 see c1:10/3; 140 tick; 142 truth c1:10/3",
        "open c1 at=142",
    );
}

#[test]
fn walks_that_never_end_are_given_up() {
    wishes("10.2 tick; 11 tick; 100 tick", "walk");
    wishes(
        "10.2 tick; 10.3 tick; 131 tick; 131 truth; 132 tick",
        "walk; prove; walk",
    );
    // What it has told is marked as told, and asked for.
    check(
        "10.3 tick; 131 tick; 131 truth c1:10/3,told; 132 truth c1:10/3,told c1:?@0",
        "open c1 since=0",
    );
}

#[test]
fn marks_out_of_place() {
    check("1 end; 2 see c1:10/3; 3 end", "");
    check(
        "10.3 walk c1@0; 10.4 begin; 10.4 see c1:10/3; 10.4 end; 10.5 end",
        "open c1",
    );
}

#[test]
fn every_reading_takes_up_what_nobody_will_tell_of() {
    check("300 truth c1:10/3,new; 309 truth c1:10/3,new", "");
    check(
        "300 truth c1:10/3,new; 310 truth c1:10/3,new",
        "open c1 since=300 found",
    );
    check(
        "300 truth c1:-,new; 310 truth c1:-,new",
        "open c1 unaccepted",
    );
    check(
        "300 truth c1:10/3,new; 305 truth; 320 truth c1:10/3,waits",
        "",
    );
    check("300 truth c1:10/3,waits; 320 truth c1:10/3,waits", "");
    // Recordings of older agents do not say.
    check("300 truth c1:10/3; 320 truth c1:10/3", "");
}

#[test]
fn a_reading_with_a_hole_proves_what_it_shows_and_nothing_else() {
    let holed = "begin; {at} decode; {at} see c2:10/4; {at} end";
    let reading = |at: &str| holed.replace("{at}", at);
    let start = "10.3 walk c1@0 c2@0; 10.4 truth c1:10/3 c2:?";
    check(
        &format!("{start}; 12 {}", reading("12")),
        "open c1; open c2 at=12",
    );
    // One that is never shown again is gone at last.
    let readings: Vec<_> = ["12", "13", "14", "15", "16"]
        .map(|at| format!("{at} {}", reading(at)))
        .to_vec();
    check(
        &format!("{start}; {}", readings.join("; ")),
        "open c1; open c2; closed c1 at=16",
    );
}
