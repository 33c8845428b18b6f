//! Connections in accept queues, and their listeners' holders.

use super::script::{check, check_cold};

#[track_caller]
fn holders(reading: &str, expected: &str) {
    let script = format!("10.3 walk c1@0,queued; 10.4 truth {reading}");
    check(&script, &format!("open c1 unaccepted {expected}"));
}

#[test]
fn the_listener_s_holders() {
    holders("c1:-", "- undiagnosed accepted");
    holders("c1:- L:20/4", "20/4 via=listener blame=20/?");
    holders("L:20/4 c1:-", "20/4");
    holders("c1:- L:21/4 L:20/4", "20/4,21/4 via=listener blame=20/?");
    holders("c1:- L:21/4 L:20/4,start=5", "20/4,21/4 blame=21/?");
    holders("c1:- L:20/4 L:20/4", "20/4");
}

#[test]
fn which_listener() {
    holders("c1:- L:20/4,local=127.0.0.1:81", "-");
    holders("c1:- L:20/4,local=0.0.0.0:80", "20/4");
    holders("c1:- L:20/4,local=0.0.0.0:81", "-");
    holders("c1:- L:20/4,local=10.0.0.1:80", "-");
    holders("c1:- L:20/4,netns=2", "-");
    holders("c1:- L:20/4,v6,local=[::]:80", "-");
    holders("c1:- L:20/4,local=0.0.0.0:80 L:21/4", "21/4");
}

#[test]
fn v4_mapped() {
    // A dual-stack listener's child is an AF_INET6 socket with IPv4 addresses.
    let mapped = "10.3 walk c1@0,queued,v6; 10.4 truth c1:-,v6";
    check(
        &format!("{mapped} L:20/4,v6,local=[::]:80"),
        "open c1 unaccepted 20/4",
    );
    check(
        &format!("{mapped} L:20/4,local=0.0.0.0:80"),
        "open c1 unaccepted -",
    );
}

#[test]
fn several_listeners_on_one_port() {
    holders("c1:- L:20/4,b=3 L:21/4,b=0", "20/4");
    holders("c1:- L:20/4,b=0 L:21/4,b=3", "21/4");
    holders("c1:- L:20/4,b=0 L:21/4,b=0", "20/4,21/4");
    holders("c1:- L:20/4,b=3 L:21/4,b=3", "20/4,21/4");
}

#[test]
fn listeners_are_no_leaks() {
    check_cold(
        "0 tick; 0 truth L:20/4,idle=90; 40 truth L:20/4,idle=130",
        "",
    );
    check("5 decode; 5 truth L:20/4; 20 truth L:20/4", "");
}

#[test]
fn another_acceptor() {
    check(
        "10.3 walk c1@0,queued; 10.4 truth c1:- L:20/4; 40 truth c1:- L:20/4 L:21/4; 80 truth c1:- L:20/4 L:21/4",
        "open c1 unaccepted 20/4; update c1 unaccepted 20/4,21/4",
    );
}

#[test]
fn gone_from_the_queue() {
    let open = "10.3 walk c1@0,queued; 10.4 truth c1:- L:20/4";
    let told = "open c1 unaccepted 20/4";
    check(
        &format!("{open}; 20 change c1,close,queued,err=104"),
        &format!("{told}; reset c1 unaccepted 20/4"),
    );
    check(
        &format!("{open}; 20 change c1,close,queued"),
        &format!("{told}; reset c1"),
    );
    check(
        &format!("{open}; 20 truth L:20/4"),
        &format!("{told}; reset c1 unaccepted at=20"),
    );
    check(
        &format!("{open}; 20 change c1,close,queued; 21 truth; 22 truth"),
        &format!("{told}; reset c1"),
    );
    check(
        &format!("{open}; 20 release c1,by=20/20"),
        &format!("{told}; closed c1 by=20/20"),
    );
}

#[test]
fn reset_in_the_queue_unseen() {
    check(
        "10.3 walk c1@0,queued; 10.4 truth c1:-; 20 truth c1:?,close,queued; 40 truth c1:10/5,close",
        "open c1 unaccepted; reset c1 unaccepted; open c1 closed_held 10/5 since=20 ep=1",
    );
}

#[test]
fn reset_in_the_queue_and_accepted_then() {
    check(
        "10.3 walk c1@0,queued; 10.4 truth c1:-; 20 change c1,close,queued,err=104; \
         29 truth c1:10/5,close; 31 truth c1:10/5,close",
        "open c1 unaccepted ep=0; reset c1 ep=0; open c1 closed_held 10/5 since=20 ep=1 reset",
    );
}

#[test]
fn data_in_the_queue_is_no_progress() {
    check(
        "10.3 walk c1@0,queued,rx=50; 10.4 truth c1:-,rx=50; 40 truth c1:10/5,rx=50; 50 truth c1:10/5,rx=0",
        "open c1 unaccepted; update c1 close_wait unread_data; progress c1 close_wait",
    );
}
