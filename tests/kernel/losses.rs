//! What is lost is counted, one by one.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::agent::Agent;
use socktrace_tests::child::Signal;
use socktrace_tests::json::{field, text};
use socktrace_tests::log::{Line, Watch};
use socktrace_tests::wait::Deadline;

use crate::Case;
use crate::expect::FOUND;
use crate::lines::is_between;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[(
    "losses::a_reader_that_cannot_keep_up_counts_what_it_misses",
    all_are_counted,
)];

/// Some five thousand records: many times what the small ring holds.
const CONNECTIONS: usize = 400;

/// The ends of a connection: its client's and its server's.
type Ends = (SocketAddr, SocketAddr);

/// How many connections may have to be made until both agents have seen one, and how long each may take.
const TRIES: usize = 5;
const AT_ONCE: Duration = Duration::from_secs(5);

/// A trace reads the counts of losses once a second; by then it has read them.
const LOOK: Duration = Duration::from_millis(2500);

/// Two agents trace the same connections. One of them is stopped meanwhile, and its ring is small: what it
/// tells and what it says it has lost is together what the other one tells.
fn all_are_counted(stage: &Stage) {
    let all = stage.tracing_with(&["--ring-size", "16777216"]);
    let between = (0..TRIES).find_map(|_| {
        let slow = stage.tracing_with(&["--ring-size", "65536"]);
        only_while_stopped(&all, &slow).map(|ends| (slow, ends))
    });
    let Some((slow, (first, last, lost))) = between else {
        panic!("the ring overflows of what others do, {TRIES} times");
    };
    let [
        (told, none, missed),
        (told_by_slow, lost_in_all, missed_by_slow),
    ] = [&all, &slow].map(|agent| account(agent, first, last));
    assert_eq!(none, 0, "the large ring was large enough");
    assert_eq!(lost, lost_in_all, "others made it lose more at the end");
    let connections = CONNECTIONS as u64;
    assert!(
        told >= 10 * connections && lost > 5 * connections,
        "{told} told, {lost} lost"
    );
    // What a program did not see is in no ring.
    assert!(
        told.abs_diff(told_by_slow + lost) <= missed + missed_by_slow,
        "{told} told by one; {told_by_slow} told and {lost} lost by the other; missed {missed} and {missed_by_slow}"
    );
}

/// Stops `slow` while there are more connections than its ring has room for. Returns connections before and
/// after, and what it says it has lost between them; `None` if it has lost something before, since other cases run
/// at the same time.
fn only_while_stopped(all: &Agent, slow: &Agent) -> Option<(Ends, Ends, u64)> {
    let mut watches = [all.watch_from_start(), slow.watch_from_start()];
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let first = seen_by_both(&mut watches, &listener, is_end);
    let mut before = slow.watch_from_start();
    let looked = Deadline::within(LOOK);
    while let Ok(line) = before.next(looked) {
        if lost(&line.value, "ring") > 0 {
            return None;
        }
    }
    slow.signal(Signal::Halt);
    for _ in 0..CONNECTIONS {
        connect(&listener);
    }
    slow.signal(Signal::Resume);
    // By then the ring is empty again, so that of this one nothing is lost.
    let told = watches[1].expect("a status that tells of losses", FOUND, |line| {
        lost(line, "ring") > 0
    });
    let last = seen_by_both(&mut watches, &listener, is_begin);
    Some((first, last, lost(&told.value, "ring")))
}

/// A connection of which both have told. Of one or the other a kernel may not have run a program, because it
/// was running on that CPU already.
fn seen_by_both(
    watches: &mut [Watch; 2],
    listener: &TcpListener,
    wanted: fn(&Value, Ends) -> bool,
) -> Ends {
    for _ in 0..TRIES {
        let ends = connect(listener);
        let is_seen = |watch: &mut Watch| {
            let deadline = Deadline::within(AT_ONCE);
            while let Ok(line) = watch.next(deadline) {
                if wanted(&line.value, ends) {
                    return true;
                }
            }
            false
        };
        let [first, second] = watches;
        if is_seen(first) && is_seen(second) {
            return ends;
        }
    }
    panic!("none of {TRIES} connections was seen by both agents")
}

/// A connection that is over: the ends of its client and of its server.
fn connect(listener: &TcpListener) -> Ends {
    let to = listener.local_addr().expect("an address");
    let client = TcpStream::connect(to).expect("a client");
    let ends = (client.local_addr().expect("an address"), to);
    let server = listener.accept().expect("a server");
    drop(client);
    drop(server);
    ends
}

fn at_server(line: &Value, (client, server): Ends) -> bool {
    is_between(line, &server.to_string(), &client.to_string())
}

fn is_change(line: &Value, old: &str, new: &str) -> bool {
    text(line, "event.action") == "socket.state_change"
        && text(line, "socktrace.socket.old_state") == old
        && text(line, "socktrace.socket.state") == new
}

fn is_begin(line: &Value, ends: Ends) -> bool {
    at_server(line, ends) && is_change(line, "SYN_RECV", "ESTABLISHED")
}

fn is_end(line: &Value, ends: Ends) -> bool {
    at_server(line, ends) && is_change(line, "LAST_ACK", "CLOSE")
}

fn lost(line: &Value, place: &str) -> u64 {
    field(field(line, "socktrace.status.lost"), place)
        .as_u64()
        .unwrap_or(0)
}

/// How many events were told between the two connections, and how many lost and missed in all.
fn account(agent: &Agent, first: Ends, last: Ends) -> (u64, u64, u64) {
    let lines: Vec<Arc<Line>> = agent.stop(Signal::Term);
    let is_event = |line: &&Arc<Line>| text(&line.value, "event.action") != "socktrace.status";
    let told = lines
        .iter()
        .skip_while(|line| !is_end(&line.value, first))
        .take_while(|line| !is_begin(&line.value, last))
        .filter(is_event)
        .count();
    let end = &lines.last().expect("a status").value;
    (told as u64, lost(end, "ring"), lost(end, "missed"))
}
