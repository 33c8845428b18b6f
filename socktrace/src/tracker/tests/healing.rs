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
    check("5 decode; 5 truth c1:10/3; 14 truth c1:10/3", "");
    check(
        "5 decode; 5 truth c1:10/3; 15 truth c1:10/3",
        "open c1 close_wait at=15 since=5 found ep=0",
    );
    check(
        "5 decode; 5 truth c1:-; 15 truth c1:-",
        "open c1 unaccepted",
    );
    check(
        "5 decode; 5 truth c1:10/3; 15 truth c1:10/3,w=5; 16 truth c1:10/3,w=5",
        "",
    );
    check("5 decode; 5 truth c1:10/3; 8 truth; 20 truth c1:10/3", "");
    check(
        "5 decode; 5 begin; 5 release c1; 5 see c1:10/3; 5.1 end; 16 truth c1:10/3",
        "",
    );
    // A later reading does not take up.
    check("5 decode; 5 truth; 8 truth c1:10/3; 20 truth c1:10/3", "");
    // One that failed does not count.
    check(
        "5 decode; 5 fail; 7 truth c1:10/3; 17 truth c1:10/3",
        "open c1 since=7",
    );
    // Idleness on the wire proves no age any more.
    check(
        "5 decode; 5 truth c1:10/3,idle=90; 14 truth c1:10/3,idle=99",
        "",
    );
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
    wishes("10.2 tick; 10.3 tick; 131 tick; 132 tick", "walk; walk");
    // What it has told is marked as told: the next reading takes up what it sees.
    check(
        "10.3 tick; 131 tick; 131 truth c1:10/3; 142 truth c1:10/3",
        "open c1 since=131",
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
fn now_and_then_a_reading_takes_up_what_it_sees() {
    check(
        "290 truth c1:10/3; 295 truth c1:10/3; 305 truth; 320 truth c1:10/3",
        "",
    );
    check("300 truth c1:10/3; 309 truth c1:10/3", "");
    check(
        "300 truth c1:10/3; 310 truth c1:10/3",
        "open c1 since=300 found",
    );
    check(
        "200 tick; 200 decode; 200 truth; 200 walk; 400 truth c1:10/3; 420 truth c1:10/3",
        "",
    );
}
