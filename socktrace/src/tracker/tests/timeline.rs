//! The lives of sockets, as `trace` tells them.

use super::records::{Spec, secs};
use super::script::EPOCH;
use crate::model::{BootTime, Connect, Event, Lifecycle, Record};
use crate::tracker::Timeline;

struct Run {
    timeline: Timeline,
    said: Vec<String>,
}

/// Runs `time verb socket` steps; says of each event: owner, role, milliseconds in state, lifetime.
fn run(max: usize, script: &str) -> Run {
    let mut run = Run {
        timeline: Timeline::new(max),
        said: Vec::new(),
    };
    for step in script
        .split(';')
        .map(str::trim)
        .filter(|step| !step.is_empty())
    {
        let mut words = step.split_whitespace();
        let at = BootTime(EPOCH + secs(words.next().expect("a time")));
        let verb = words.next().expect("a verb");
        let spec = Spec::parse(words.next().expect("a socket"));
        let event = match verb {
            "change" => spec.change(),
            "accept" => spec.accepted(),
            "release" => spec.release(false),
            "suspect" => spec.suspect(false),
            "connect" => connect(&spec),
            _ => panic!("no such verb: {verb}"),
        };
        let told = run.timeline.observe(&Record { at, event });
        run.said.push(told.map_or("nothing".to_owned(), |told| {
            assert_eq!((told.at, told.what.socket()), (at, &spec.socket));
            said(&told)
        }));
    }
    run
}

/// Called at `@since` by `by=`.
fn connect(spec: &Spec) -> Event {
    let (Event::Accept(accept), Event::Suspect(suspect)) = (spec.accepted(), spec.suspect(false))
    else {
        unreachable!("that is what they are")
    };
    Event::Connect(Connect {
        socket: accept.socket,
        task: accept.task,
        started: suspect.since,
    })
}

fn said(told: &Lifecycle) -> String {
    let owner = told.owner.map_or("?".to_owned(), |task| {
        format!("{}/{}", task.tgid.0, task.tid.0)
    });
    let ms = |duration: Option<std::time::Duration>| {
        duration.map_or("-".to_owned(), |duration| duration.as_millis().to_string())
    };
    let role = format!("{:?}", told.role).to_lowercase();
    format!("{owner} {role} {} {}", ms(told.in_state), ms(told.lifetime))
}

#[track_caller]
fn check(script: &str, expected: &[&str], left: usize) {
    let run = run(100, script);
    assert_eq!(run.said, expected);
    assert_eq!((run.timeline.len(), run.timeline.evicted()), (left, 0));
    assert_eq!(run.timeline.is_empty(), left == 0);
}

#[test]
fn a_client() {
    check(
        "1 change c1,state=SYN_SENT,old=CLOSE; \
         1.1 change c1,state=ESTABLISHED,old=SYN_SENT; 1.1 connect c1@1,by=10/11; \
         2 change c1,state=CLOSE_WAIT,old=ESTABLISHED; 5 release c1,by=10/12; \
         5 change c1,state=LAST_ACK,old=CLOSE_WAIT; 5.2 change c1,close,old=LAST_ACK,queued,dead",
        &[
            "? unknown - -",
            "? unknown 100 -",
            "10/11 connected - 100",
            "10/11 connected 900 1000",
            "10/12 connected 3000 4000",
            "10/11 connected 3000 4000",
            "10/11 connected 200 4200",
        ],
        0,
    );
}

#[test]
fn a_server_s_child() {
    check(
        "1 change c7,state=SYN_RECV,old=LISTEN; 1.001 change c7,state=ESTABLISHED,old=SYN_RECV,queued; \
         1.5 accept c7,by=10/11; 2 change c7,state=CLOSE_WAIT,old=ESTABLISHED; \
         3 release c7,by=10/11; 3 change c7,state=LAST_ACK,old=CLOSE_WAIT; 3.1 change c7,close,old=LAST_ACK",
        &[
            "? unknown - -",
            "? unknown 1 -",
            "10/11 accepted - 0",
            "10/11 accepted 999 500",
            "10/11 accepted 1000 1500",
            "10/11 accepted 1000 1500",
            "10/11 accepted 100 1600",
        ],
        0,
    );
}

#[test]
fn a_child_that_never_is() {
    let script = "1 change c7,state=SYN_RECV,old=LISTEN; 1.002 change c7,close,old=SYN_RECV,queued";
    check(script, &["? unknown - -", "? unknown 2 -"], 0);
    // Reset in the queue: nobody will release it.
    check(
        "1 change c7,state=ESTABLISHED,old=SYN_RECV,queued; 2 change c7,close,old=ESTABLISHED,queued",
        &["? unknown - -", "? unknown 1000 -"],
        0,
    );
}

#[test]
fn closed_with_the_descriptor_held() {
    check(
        "1 accept c1,by=10/11; 2 change c1,close,old=ESTABLISHED",
        &["10/11 accepted - 0", "10/11 accepted - 1000"],
        1,
    );
    check(
        "1 accept c1,by=10/11; 2 change c1,close,old=ESTABLISHED; 9 release c1,close,by=10/12",
        &[
            "10/11 accepted - 0",
            "10/11 accepted - 1000",
            "10/12 accepted 7000 8000",
        ],
        0,
    );
}

#[test]
fn first_sights() {
    check(
        "1 change c1,state=CLOSE_WAIT,old=ESTABLISHED",
        &["? unknown - -"],
        1,
    );
    check("1 release c1,by=10/12", &["10/12 unknown - -"], 0);
    check("1 release c1", &["? unknown - -"], 0);
    check(
        "1 change c1,close,old=LAST_ACK,queued",
        &["? unknown - -"],
        0,
    );
    check("1 suspect c1", &["nothing"], 0);
}

#[test]
fn a_refused_connection() {
    check(
        "1 change c1,state=SYN_SENT,old=CLOSE; 1.5 change c1,close,old=SYN_SENT,err=111; \
         1.5 connect c1@1,close,by=10/11; 2 release c1,close,by=10/11",
        &[
            "? unknown - -",
            "? unknown 500 -",
            "10/11 connected - 500",
            "10/11 connected 500 1000",
        ],
        0,
    );
}

#[test]
fn refused_connections_whose_release_is_not_told_are_forgotten() {
    let steps: Vec<_> = (0..200)
        .map(|n| {
            format!(
                "1 change c{n},state=SYN_SENT,old=CLOSE; 1 change c{n},close,old=SYN_SENT,err=111; \
                 1 connect c{n}@1,close,by=10/11"
            )
        })
        .collect();
    let run = run(1000, &steps.join(";"));
    assert_eq!((run.timeline.len(), run.timeline.evicted()), (64, 0));
}

/// It succeeds at the second try, and lives on while others fail.
#[test]
fn a_connection_that_was_refused_before() {
    let others: Vec<_> = (1..100)
        .map(|n| {
            format!(
                "2 change c{n},state=SYN_SENT,old=CLOSE; 2 change c{n},close,old=SYN_SENT,err=111"
            )
        })
        .collect();
    let script = format!(
        "1 change c1000,state=SYN_SENT,old=CLOSE; 1 change c1000,close,old=SYN_SENT,err=111; \
         1 change c1000,state=SYN_SENT,old=CLOSE; 1 change c1000,state=ESTABLISHED,old=SYN_SENT; {}; \
         3 change c1000,state=CLOSE_WAIT,old=ESTABLISHED",
        others.join(";")
    );
    let run = run(1000, &script);
    assert_eq!(
        run.said.last().map(String::as_str),
        Some("? unknown 2000 -")
    );
}

#[test]
fn a_listener() {
    check(
        "1 change c1,state=LISTEN,old=CLOSE; 5 release c1,state=LISTEN,by=10/11; \
         5 change c1,close,old=LISTEN",
        &["? unknown - -", "10/11 unknown 4000 -", "? unknown 4000 -"],
        0,
    );
}

#[test]
fn sockets_are_not_mixed_up() {
    check(
        "1 accept c1,by=10/11; 2 accept c2,by=20/21; 3 change c1,state=CLOSE_WAIT; 4 change c2,state=CLOSE_WAIT",
        &[
            "10/11 accepted - 0",
            "20/21 accepted - 0",
            "10/11 accepted - 2000",
            "20/21 accepted - 2000",
        ],
        2,
    );
}

#[test]
fn the_oldest_makes_room() {
    let run = run(
        2,
        "1 accept c1,by=10/11; 2 accept c2,by=10/12; 3 accept c3,by=10/13; \
         4 change c1,state=CLOSE_WAIT; 5 change c3,state=CLOSE_WAIT",
    );
    assert_eq!(run.said[3..], ["? unknown - -", "10/13 accepted - 2000"]);
    assert_eq!((run.timeline.len(), run.timeline.evicted()), (2, 2));
}

#[test]
fn children_whose_next_record_is_lost() {
    let steps: Vec<_> = (0..50)
        .map(|n| format!("1 change c{n},state=SYN_RECV,old=LISTEN"))
        .collect();
    let script = steps.join(";");
    let run = run(4, &script);
    assert_eq!((run.timeline.len(), run.timeline.evicted()), (0, 0));
}
