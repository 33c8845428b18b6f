//! nats-server, asked in its own protocol.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};
use socktrace_tests::child::{Outcome, Running};
use socktrace_tests::http::free_port;
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::{SOON, until};

use crate::authority::{Authority, LOCALHOST};
use crate::outage::Counterpart;
use crate::{outage, stored};

/// A client of a few lines.
struct Client {
    reader: BufReader<TcpStream>,
    /// Messages of the stream that came before the answer to the question that asked for them.
    feed: VecDeque<String>,
}

impl Client {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("nats-server");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        let mut client = Self {
            reader: BufReader::new(stream),
            feed: VecDeque::new(),
        };
        client.line();
        client
            .say("CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB answer 1\r\nSUB feed 2\r\n");
        client
    }

    fn say(&mut self, text: &str) {
        let stream = self.reader.get_mut();
        stream.write_all(text.as_bytes()).expect("nats-server");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("nats-server");
        line
    }

    /// The next message, and whether it is one of the stream's, not an answer.
    fn next(&mut self) -> (bool, String) {
        loop {
            let line = self.line();
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let number = |at: usize| words[words.len() - at].parse::<usize>().expect("a number");
            let (skip, total) = match words.first() {
                Some(&"PING") => {
                    self.say("PONG\r\n");
                    continue;
                }
                Some(&"MSG") => (0, number(1)),
                Some(&"HMSG") => (number(2), number(1)),
                _ => continue,
            };
            let is_feed = words[2] == "2";
            let mut bytes = vec![0; total + 2];
            self.reader.read_exact(&mut bytes).expect("a message");
            let text = String::from_utf8(bytes[skip..total].to_vec()).expect("UTF-8");
            return (is_feed, text);
        }
    }

    fn answer(&mut self) -> String {
        loop {
            match self.next() {
                (false, text) => return text,
                (true, text) => self.feed.push_back(text),
            }
        }
    }

    fn fed(&mut self) -> String {
        if let Some(text) = self.feed.pop_front() {
            return text;
        }
        loop {
            if let (true, text) = self.next() {
                return text;
            }
        }
    }

    fn ask(&mut self, subject: &str, question: &Value) -> Value {
        let question = question.to_string();
        self.say(&format!(
            "PUB {subject} answer {}\r\n{question}\r\n",
            question.len()
        ));
        serde_json::from_str(&self.answer()).expect("JSON")
    }

    /// Every message of the stream, in order.
    fn messages(&mut self) -> Vec<String> {
        let info = self.ask("$JS.API.STREAM.INFO.LEAKS", &json!({}));
        let count = info["state"]["messages"].as_u64().unwrap_or(0);
        if count == 0 {
            return Vec::new();
        }
        let consumer = json!({"stream_name": "LEAKS", "config": {
            "deliver_subject": "feed", "deliver_policy": "all", "ack_policy": "none"}});
        let made = self.ask("$JS.API.CONSUMER.CREATE.LEAKS", &consumer);
        assert!(made.get("error").is_none(), "{made}");
        (0..count).map(|_| self.fed()).collect()
    }
}

/// A server with more options than it needs.
fn start_with(folder: &Path, port: u16, more: &[&str]) -> Running {
    let mut command = Command::new("nats-server");
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]);
    let server = Running::spawn(command.arg(folder).args(more))
        .expect("nats-server does not start; `cargo xtask setup --tests` installs it");
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(until(SOON * 3, listens), "{}", server.stderr());
    server
}

/// A server with a stream that takes every subject below `leaks`.
fn start(folder: &Path, port: u16) -> Running {
    let server = start_with(folder, port, &[]);
    let stream = json!({"name": "LEAKS", "subjects": ["leaks.>"]});
    let mut client = Client::connect(port);
    let made = until(SOON, || {
        let made = Client::connect(port).ask("$JS.API.STREAM.CREATE.LEAKS", &stream);
        made.get("error").is_none()
    });
    assert!(made, "{}", client.ask("$JS.API.INFO", &json!({})));
    server
}

#[test]
fn nothing_is_lost_while_the_server_is_down_or_the_agent_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let server = Mutex::new(None);
    outage::check(
        &format!("nats://127.0.0.1:{port}/leaks.{{action}}"),
        || *server.lock().expect("a lock") = Some(start(folder.path(), port)),
        || {
            let messages = Client::connect(port).messages();
            outage::ids(messages.iter().map(String::as_str))
        },
    );
}

#[test]
fn a_message_sent_twice_is_stored_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let _server = start(folder.path(), port);
    let output = format!("nats://localhost:{port}/leaks.all");
    for _ in 0..2 {
        let mut command = socktrace(&["replay", "--output", &output]);
        let outcome = Outcome::of(command.arg(stored("close_wait.strec")), SOON);
        outcome.check_code(0);
        assert_eq!(outcome.stderr, "");
    }
    let mut printed = socktrace(&["replay"]);
    let printed = Outcome::of(printed.arg(stored("close_wait.strec")), SOON);
    let messages = Client::connect(port).messages();
    assert_eq!(messages, printed.stdout.lines().collect::<Vec<_>>());
}

#[test]
fn a_subject_that_no_stream_has_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let _server = start(folder.path(), port);
    let output = format!("nats://127.0.0.1:{port}/elsewhere");
    let mut command = socktrace(&["replay", "--output", &output]);
    let outcome = Outcome::of(command.arg(stored("close_wait.strec")), SOON);
    outcome.check_code(0);
    assert_eq!(outcome.stderr.lines().count(), 2, "{outcome:#?}");
    let said = "no stream has the subject elsewhere";
    assert!(outcome.stderr.contains(said), "{outcome:#?}");
}

/// A server that keeps its stream on disk.
struct Kept {
    folder: tempfile::TempDir,
    port: u16,
    server: Option<Running>,
}

impl Counterpart for Kept {
    fn output(&self) -> String {
        format!("nats://127.0.0.1:{}/leaks.{{action}}", self.port)
    }

    fn up(&mut self) {
        self.server = Some(start(self.folder.path(), self.port));
    }

    fn down(&mut self) {
        self.server = None;
    }

    fn ids(&self) -> Vec<String> {
        let messages = Client::connect(self.port).messages();
        outage::ids(messages.iter().map(String::as_str))
    }
}

/// It is killed and started again.
#[test]
fn servers_go_and_come() {
    let mut kept = Kept {
        folder: tempfile::tempdir().expect("a folder"),
        port: free_port(),
        server: None,
    };
    outage::check_under_load("nats", &mut kept, true);
}

/// A server that asks who is there: whoever logs in gets through, everybody else is told why not.
#[track_caller]
fn check_login(server: &[&str], right: &str, wrong: &[(String, &str)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    // The stream is made while nobody is asked.
    drop(start(folder.path(), port));
    let asking = start_with(folder.path(), port, server);
    let replay = |options: &str| {
        let sign = if options.is_empty() { "" } else { "?" };
        let output = format!("nats://localhost:{port}/leaks.all{sign}{options}");
        let mut command = socktrace(&["replay", "--output", &output]);
        Running::spawn(command.arg(stored("close_wait.strec"))).expect("socktrace")
    };
    let refused: Vec<_> = wrong.iter().map(|(options, _)| replay(options)).collect();
    for (mut agent, (options, said)) in refused.into_iter().zip(wrong) {
        assert!(agent.wait(SOON * 3).is_some(), "{options}: it does not end");
        let told = agent.stderr();
        assert!(told.contains(said), "{options}: {told}");
        assert_eq!(told.lines().count(), 2, "{options}: {told}");
    }
    let mut agent = replay(right);
    assert!(agent.wait(SOON * 3).is_some_and(|status| status.success()));
    assert_eq!(agent.stderr(), "");
    drop(asking);
    let _server = start(folder.path(), port);
    assert_eq!(Client::connect(port).messages().len(), 4);
}

#[test]
fn users_log_in_with_a_password_or_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (right, wrong) = (file("right", "wonderland\n"), file("wrong", "hunter2"));
    let refused = "it does not accept our login";
    let login = |password: &str| format!("user=alice&password-file={password}");
    check_login(
        &["--user", "alice", "--pass", "wonderland"],
        &login(&right),
        &[(login(&wrong), refused), (String::new(), refused)],
    );
    let token = |token: &str| format!("token-file={token}");
    check_login(
        &["--auth", "wonderland"],
        &token(&right),
        &[(token(&wrong), refused)],
    );
}

#[test]
fn certificates_are_looked_at_on_both_sides() {
    let authority = Authority::new();
    authority.certificate("server", LOCALHOST, "2");
    authority.certificate("agent", "DNS:agent", "2");
    let stranger = Authority::new();
    let [ca, cert, key, agent, secret] = [
        "ca.pem",
        "server.pem",
        "server.key",
        "agent.pem",
        "agent.key",
    ]
    .map(|name| authority.name(name));
    let of = |ca: &str| format!("ca={ca}&cert={agent}&key={secret}");
    check_login(
        &[
            "--tlsverify",
            "--tlscert",
            &cert,
            "--tlskey",
            &key,
            "--tlscacert",
            &ca,
        ],
        &of(&ca),
        &[
            (
                of(&stranger.name("ca.pem")),
                "signed by nobody who is trusted",
            ),
            (format!("ca={ca}"), "certificate"),
        ],
    );
}
