//! rsyslog, as a collector over TCP and as the daemon behind a unix socket.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use socktrace_tests::child::{Outcome, Running};
use socktrace_tests::http::free_port;
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::{SOON, until};

use crate::outage::{self, Counterpart};
use crate::stored;

/// What rsyslog understood of a message.
#[derive(Debug)]
struct Parsed {
    priority: String,
    host: String,
    app_name: String,
    msgid: String,
    structured_data: String,
    message: Value,
}

/// A running rsyslog.
struct Rsyslog {
    folder: tempfile::TempDir,
    daemon: Option<Running>,
    port: u16,
}

impl Rsyslog {
    /// Prepares one: a port that nobody else has, and a folder.
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            daemon: None,
            port: free_port(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address for `--output` over TCP.
    fn tcp(&self) -> String {
        format!("syslog+tcp://127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it listens.
    fn start(&mut self) {
        let config = self.path("rsyslog.conf");
        fs::write(&config, self.config()).expect("a file");
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(&config);
        command.arg("-i").arg(self.path("pid"));
        let daemon = Running::spawn(&mut command)
            .expect("rsyslogd does not start; `cargo xtask setup --tests` installs rsyslog");
        let socket = self.path("log");
        let listens = until(SOON * 3, || {
            socket.exists() && std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        assert!(listens, "rsyslogd does not listen: {}", daemon.stderr());
        self.daemon = Some(daemon);
    }

    fn config(&self) -> String {
        let properties = [
            "pri-text",
            "hostname",
            "app-name",
            "msgid",
            "structured-data",
        ]
        .map(|name| format!("property(name=\"{name}\") constant(value=\"\\t\") "))
        .concat();
        format!(
            "module(load=\"imtcp\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             $MaxMessageSize 64k\n\
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
             input(type=\"imuxsock\" Socket=\"{socket}\" UseSpecialParser=\"off\" ParseHostname=\"on\")\n\
             template(name=\"parsed\" type=\"list\") {{ {properties} property(name=\"msg\") \
             constant(value=\"\\n\") }}\n\
             action(type=\"omfile\" file=\"{out}\" template=\"parsed\")\n",
            port = self.port,
            socket = self.path("log").display(),
            out = self.path("out").display(),
        )
    }

    /// The messages it has understood, once there are `count`.
    fn parsed(&self, count: usize) -> Vec<Parsed> {
        let read = || fs::read_to_string(self.path("out")).unwrap_or_default();
        assert!(
            until(SOON, || read().lines().count() >= count),
            "{} of {count} messages arrived",
            read().lines().count()
        );
        read().lines().map(parse).collect()
    }
}

fn parse(line: &str) -> Parsed {
    let fields: Vec<&str> = line.splitn(6, '\t').collect();
    let [priority, host, app_name, msgid, structured_data, message] = fields.as_slice() else {
        panic!("{line}");
    };
    Parsed {
        priority: (*priority).to_owned(),
        host: (*host).to_owned(),
        app_name: (*app_name).to_owned(),
        msgid: (*msgid).to_owned(),
        structured_data: (*structured_data).to_owned(),
        message: serde_json::from_str(message).unwrap_or_else(|e| panic!("{e}: {message}")),
    }
}

fn replay(recording: &Path, output: &str) -> Command {
    let mut command = socktrace(&["replay", "--output", output]);
    command.arg(recording);
    command
}

/// What playing it back prints.
fn printed(recording: &Path) -> Vec<Value> {
    let printed = Outcome::of(&mut replay(recording, "-"), SOON);
    let lines = printed.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// A field of those messages that are about single leaks, in their order.
fn of_leaks(parsed: &[Parsed], field: &str) -> Vec<Value> {
    let leaks = parsed.iter().filter(|parsed| parsed.msgid == "socket.leak");
    leaks
        .map(|parsed| parsed.message["socktrace"]["leak"][field].clone())
        .collect()
}

/// Plays a recording back to `output` and compares with what the same command prints.
fn check_arrives(rsyslog: &Rsyslog, output: &str) {
    let recording = stored("closed_held.strec");
    let told = Outcome::of(&mut replay(&recording, output), SOON);
    told.check_code(0);
    assert_eq!(told.stderr, "");
    let expected = printed(&recording);
    assert!(expected.len() > 2, "{expected:#?}");
    let parsed = rsyslog.parsed(expected.len());
    for (sequence, (parsed, expected)) in parsed.iter().zip(&expected).enumerate() {
        assert_eq!(parsed.message, *expected);
        assert_eq!(parsed.app_name, "socktrace");
        assert_eq!(
            parsed.msgid,
            expected["event"]["action"].as_str().unwrap_or("?")
        );
        assert_eq!(
            parsed.host,
            expected["host"]["name"].as_str().unwrap_or("?")
        );
        let start = format!("[socktrace@32473 sequence=\"{sequence}\" ");
        assert!(parsed.structured_data.starts_with(&start), "{parsed:?}");
        assert!(parsed.priority.starts_with("local3."), "{parsed:?}");
    }
    assert_eq!(parsed[0].priority, "local3.warning");
}

#[test]
fn a_collector_understands_every_header_and_message() {
    let mut rsyslog = Rsyslog::new();
    rsyslog.start();
    check_arrives(&rsyslog, &format!("{}?facility=local3", rsyslog.tcp()));
}

#[test]
fn the_daemon_of_this_machine_does_too() {
    let mut rsyslog = Rsyslog::new();
    rsyslog.start();
    let socket = rsyslog.path("log");
    let output = format!("syslog://{}?facility=local3", socket.display());
    check_arrives(&rsyslog, &output);
}

/// It is down when the first line is to be sent, and comes up while the agent waits.
#[test]
fn a_collector_that_is_down_gets_its_lines_when_it_is_up() {
    let mut rsyslog = Rsyslog::new();
    let recording = stored("close_wait.strec");
    let mut replay = Running::spawn(&mut replay(&recording, &rsyslog.tcp())).expect("socktrace");
    rsyslog.start();
    let ended = replay.wait(SOON).expect("it ends");
    assert!(ended.success(), "{}", replay.stderr());
    let parsed = rsyslog.parsed(printed(&recording).len());
    let phases = of_leaks(&parsed, "phase");
    assert_eq!(phases, ["open", "resolved"]);
}

/// Nobody ever listens: the command ends all the same, and says what was not taken.
#[test]
fn a_collector_that_is_never_there_is_told_of() {
    let rsyslog = Rsyslog::new();
    let recording = stored("close_wait.strec");
    let outcome = Outcome::of(&mut replay(&recording, &rsyslog.tcp()), SOON * 2);
    outcome.check_code(0);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{outcome:#?}");
    assert!(lines[0].contains("Connection refused"), "{outcome:#?}");
    let left = format!(
        "did not take the last {} lines in time",
        printed(&recording).len()
    );
    assert!(lines[1].contains(&left), "{outcome:#?}");
}

/// What could not be delivered before the end is delivered by the next run, before its own lines.
#[test]
fn a_spool_outlives_the_agent() {
    let mut rsyslog = Rsyslog::new();
    let spool = rsyslog.path("spool");
    let output = format!("{}?spool={}", rsyslog.tcp(), spool.display());
    let recordings = ["close_wait.strec", "progress.strec"].map(stored);
    let outcome = Outcome::of(&mut replay(&recordings[0], &output), SOON);
    outcome.check_code(0);
    assert!(outcome.stderr.contains("wait in its spool"), "{outcome:#?}");
    rsyslog.start();
    let outcome = Outcome::of(&mut replay(&recordings[1], &output), SOON);
    outcome.check_code(0);
    assert_eq!(outcome.stderr, "");
    let all: Vec<Value> = recordings
        .iter()
        .flat_map(|recording| printed(recording))
        .collect();
    let parsed = rsyslog.parsed(all.len());
    let messages: Vec<Value> = parsed.iter().map(|parsed| parsed.message.clone()).collect();
    assert_eq!(messages, all);
    assert_eq!(of_leaks(&parsed, "cause")[1], "closed");
}

impl Counterpart for Rsyslog {
    fn output(&self) -> String {
        self.tcp()
    }

    fn up(&mut self) {
        self.start();
    }

    fn down(&mut self) {
        self.daemon = None;
    }

    fn ids(&self) -> Vec<String> {
        let out = fs::read_to_string(self.path("out")).unwrap_or_default();
        // A line that is being written is not there yet.
        let whole = out.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let id = |parsed: Parsed| parsed.message["event"]["id"].as_str().map(str::to_owned);
        whole.lines().filter_map(|line| id(parse(line))).collect()
    }

    fn answers(&self) -> bool {
        false
    }
}

#[test]
fn collectors_go_and_come() {
    outage::check_under_load("syslog+tcp", &mut Rsyslog::new(), true);
}
