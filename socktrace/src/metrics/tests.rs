//! The server, asked over a connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::{Counted, Machine, TableUse, Tally, Vitals, start};
use crate::clock::{self, Clock as _};
use crate::enrich::ProcFs;
use crate::model::{BootTime, GapPlace, HookReport, Support};
use crate::sink::{Account, Batch, Class, Outcome};

/// An agent with two sinks, and what is entered for it.
struct Served {
    at: SocketAddr,
    vitals: Arc<Vitals>,
    sinks: [Arc<Account>; 2],
}

fn served() -> Served {
    served_since(clock::System.boot())
}

fn served_since(started: BootTime) -> Served {
    let hook = |purpose, support| HookReport {
        purpose,
        support,
        used: String::new(),
        lost: String::new(),
        cure: String::new(),
    };
    let hooks = [
        hook("release", Support::Ok),
        hook("accept", Support::Missing),
    ];
    let vitals = Arc::new(Vitals::new(started, &hooks));
    let sinks = [Arc::<Account>::default(), Arc::default()];
    vitals.set_sinks(vec![
        ("stdout".to_owned(), Arc::clone(&sinks[0])),
        ("syslog".to_owned(), Arc::clone(&sinks[1])),
    ]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let table = TableUse {
        name: "suspects",
        entries: Some(12),
        most: 100,
    };
    let machine = Machine::new(ProcFs::new("/proc"), Box::new(move || vec![table]));
    start(listener, Arc::clone(&vitals), machine).unwrap();
    Served { at, vitals, sinks }
}

impl Served {
    /// Status, content type and body of the answer to a request.
    fn ask(&self, request: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.at).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let content = head
            .lines()
            .find_map(|line| line.strip_prefix("content-type: "));
        (
            status,
            content.unwrap_or_default().to_owned(),
            body.to_owned(),
        )
    }

    fn get(&self, path: &str, accept: &str) -> (u16, String, String) {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"
        ))
    }

    #[track_caller]
    fn page(&self) -> String {
        let (status, content, body) = self.get("/metrics", "application/openmetrics-text");
        assert_eq!(status, 200, "{body}");
        assert!(content.starts_with("application/openmetrics-text; version=1.0.0"));
        body
    }
}

#[track_caller]
fn check_line(page: &str, line: &str) {
    assert!(page.lines().any(|l| l == line), "{line} is not in:\n{page}");
}

#[test]
fn the_page_tells_what_was_entered() {
    let served = served();
    let lost = [(GapPlace::Ring, 3), (GapPlace::Decode, 4)].into();
    let counted = Counted {
        lost,
        tracked: 5,
        untracked: 6,
        unproven: 7,
        longest_pause: Duration::from_micros(2500),
    };
    served.vitals.tick(clock::System.boot(), counted);
    assert!(!served.page().contains("history"));
    served.vitals.set_history(Arc::new(12.into()));
    served.sinks[0].delivered(8);
    let dropped = Batch::of(Class::StateChange, &b"line\n".repeat(9)).tally();
    served.sinks[1].drops(Outcome::SpoolFull, dropped, "full");
    served.sinks[1].set_spooled(10, 11);
    let page = served.page();
    for line in [
        concat!(
            "socktrace_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1"
        ),
        "socktrace_hook{purpose=\"accept\",support=\"missing\"} 1",
        "socktrace_tracked_sockets 5",
        "socktrace_untracked_sockets 6",
        "socktrace_unproven_sockets 7",
        "socktrace_longest_pause_seconds 0.0025",
        "socktrace_ringbuf_events_lost_total 3",
        "socktrace_events_lost_total{place=\"decode\"} 4",
        "socktrace_events_lost_total{place=\"tracker\"} 0",
        "socktrace_history_lost_total 12",
        "socktrace_bpf_map_entries{map=\"suspects\"} 12",
        "socktrace_bpf_map_max_entries{map=\"suspects\"} 100",
        "socktrace_sink_events_total{sink=\"stdout\",result=\"delivered\"} 8",
        "socktrace_sink_events_total{sink=\"syslog\",result=\"spool_full\"} 9",
        "socktrace_sink_dropped_total{sink=\"syslog\",class=\"state_change\"} 9",
        "socktrace_sink_dropped_total{sink=\"syslog\",class=\"finding\"} 0",
        "socktrace_sink_up{sink=\"stdout\"} 1",
        "socktrace_sink_up{sink=\"syslog\"} 0",
        "socktrace_sink_spool_bytes{sink=\"syslog\"} 10",
        "socktrace_sink_spool_max_bytes{sink=\"syslog\"} 11",
        "socktrace_close_wait_duration_seconds_bucket{le=\"+Inf\"} 0",
        "# UNIT socktrace_oldest_leak_timestamp_seconds seconds",
        "# EOF",
    ] {
        check_line(&page, line);
    }
    let success = "socktrace_sink_last_success_timestamp_seconds{sink=\"";
    let succeeded: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with(success))
        .collect();
    assert!(
        succeeded.len() == 1 && succeeded[0].contains("\"stdout\"}"),
        "{succeeded:?}"
    );
    assert!(!page.contains("socktrace_sink_spool_bytes{sink=\"stdout\"}"));
}

/// Names are what processes have chosen, and no choice may make another sample of them.
#[test]
fn a_hostile_name_forges_no_sample() {
    let served = served();
    let mut tally = Tally::new();
    let name = b"x\"} 1\n# EOF\n\\";
    tally.leak(&super::tally::samples::leak(100, 1, name));
    served.vitals.set_leaks(tally.leaks(0, 0));
    let page = served.page();
    check_line(
        &page,
        "socktrace_leaked_sockets{process=\"x\\\"} 1\\\\n# EOF\\\\n\\\\\\\\\",kind=\"close_wait\"} 1",
    );
    assert_eq!(page.matches("# EOF\n").count(), 1);
}

#[test]
fn the_format_is_the_one_that_is_asked_for() {
    let served = served();
    for classic in [
        "*/*",
        "text/plain",
        "application/openmetrics-text;q=0, text/plain",
        "",
    ] {
        let (status, content, body) = served.get("/metrics", classic);
        assert_eq!(status, 200);
        assert_eq!(
            content, "text/plain; version=0.0.4; charset=utf-8",
            "{classic}"
        );
        check_line(&body, "# TYPE socktrace_ringbuf_events_lost_total counter");
        check_line(&body, "# TYPE socktrace_build_info gauge");
        assert!(
            !body.contains("# EOF") && !body.contains("# UNIT"),
            "{body}"
        );
    }
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                      version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let (_, content, body) = served.get("/metrics", prometheus);
    assert!(content.starts_with("application/openmetrics-text"));
    check_line(&body, "# TYPE socktrace_ringbuf_events_lost counter");
}

#[test]
fn a_reader_that_is_stuck_is_told_of() {
    let well = served();
    assert_eq!(well.get("/healthz", "*/*").0, 200);
    let (status, content, body) = well.get("/readyz", "*/*");
    assert_eq!((status, content.as_str()), (200, "application/json"));
    assert!(
        body.starts_with("{\"status\":\"ready\",\"hooks_missing\":[\"accept\"]"),
        "{body}"
    );
    let an_hour_ago = clock::System.boot().before(Duration::from_hours(1));
    let stuck = served_since(an_hour_ago);
    assert_eq!(stuck.get("/healthz", "*/*").0, 503);
    let (status, _, body) = stuck.get("/readyz", "*/*");
    assert_eq!(status, 503);
    assert!(body.contains("\"reader_stalled_seconds\":36"), "{body}");
}

#[test]
fn a_sink_that_is_away_is_told_of_with_its_reason() {
    let served = served();
    served.sinks[1].away("connection refused");
    let (status, _, body) = served.get("/readyz", "*/*");
    assert_eq!(status, 200);
    assert!(body.contains("\"status\":\"degraded\""), "{body}");
    assert!(body.contains("\"reason\":\"connection refused\""), "{body}");
    served.sinks[0].loses(Outcome::QueueFull, 1, "full");
    assert_eq!(served.get("/readyz", "*/*").0, 503);
    served.sinks[0].keeps(Outcome::QueueFull);
    served.sinks[1].delivered(1);
    assert!(
        served
            .get("/readyz", "*/*")
            .2
            .contains("\"status\":\"ready\"")
    );
}

#[test]
fn nothing_else_is_answered() {
    let served = served();
    for path in ["/", "/metrics/", "/debug", "/metrics/../healthz"] {
        assert_eq!(served.get(path, "*/*").0, 404, "{path}");
    }
    let (status, _, _) =
        served.ask("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(status, 405);
    let (status, _, body) = served.ask("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((status, body.as_str()), (200, ""));
    let (status, _, _) = served.ask("nonsense\r\n\r\n");
    assert_eq!(status, 400);
}

/// Connections that say nothing take places, and give them back.
#[test]
fn silent_connections_do_not_last() {
    let served = served();
    let silent: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(served.at).unwrap())
        .collect();
    assert_eq!(served.get("/healthz", "*/*").0, 200);
    drop(silent);
}
