//! What the agent tells Prometheus, and what a real one makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use socktrace_tests::agent::Agent;
use socktrace_tests::child::{Running, Signal};
use socktrace_tests::http::{free_port, get};
use socktrace_tests::wait::until;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::FOUND;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("metrics::leaks_are_counted_and_health_is_told", counted),
    ("metrics::a_sink_that_is_away_is_told_of", away),
];

pub(crate) const WITH_PROGRAMS: &[(&str, Case)] = &[(
    "prometheus promtool",
    ("metrics::a_prometheus_finds_the_leak", prometheus),
)];

const RULES: &str = include_str!("../../socktrace/packaging/prometheus/socktrace.rules.yml");
const DASHBOARD: &str = include_str!("../../socktrace/packaging/grafana/socktrace.json");
const DOCS: &str = include_str!("../../socktrace/docs/metrics.md");

/// How many sockets are leaked.
const MANY: u64 = 30;

/// An agent that serves metrics about one process only, and where.
fn agent(stage: &Stage, workload: &Workload, more: &[&str]) -> (Agent, u16) {
    let port = free_port();
    let (pid, address) = (workload.pid().to_string(), format!("127.0.0.1:{port}"));
    let mut args = vec!["--pid", &pid, "--metrics-listen", &address];
    args.extend(more);
    (stage.agent("run", &args), port)
}

/// The samples of a page, and the names of its families.
fn page(port: u16) -> (BTreeMap<String, f64>, BTreeSet<String>) {
    let answer = get(port, "/metrics", "*/*").expect("a page");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (mut samples, mut names) = (BTreeMap::new(), BTreeSet::new());
    for line in answer.body.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').expect("a type");
            names.insert(name.to_owned());
            if kind == "histogram" {
                names.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
            }
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            samples.insert(name.to_owned(), value.parse().expect("a number"));
        }
    }
    (samples, names)
}

/// Waits until a sample has a value.
#[track_caller]
fn expect(port: u16, sample: &str, value: u64) {
    let now = || page(port).0.get(sample).copied();
    let is_so = |now: Option<f64>| now == u32::try_from(value).ok().map(f64::from);
    assert!(
        until(FOUND * 3, || is_so(now())),
        "{sample} is {:?}, not {value}",
        now()
    );
}

fn leaked(kind: &str) -> String {
    format!("socktrace_leaked_sockets{{process=\"many_leaks\",kind=\"{kind}\"}}")
}

/// A process leaks, closes some of it and dies.
fn counted(stage: &Stage) {
    let mut workload = Workload::gated(Program::C("many_leaks"), &[&MANY.to_string()]);
    let (agent, port) = agent(stage, &workload, &[]);
    workload.go();
    workload.step("leaked");
    expect(port, &leaked("close_wait"), MANY);
    let (samples, names) = page(port);
    let at_least = |sample: &str, value: u64| {
        let least = u32::try_from(value).map(f64::from).expect("it is small");
        assert!(
            samples.get(sample).is_some_and(|n| *n >= least),
            "{sample}: {samples:#?}"
        );
    };
    at_least("socktrace_tcp_sockets{state=\"close_wait\"}", MANY);
    at_least("socktrace_bpf_map_entries{map=\"suspects\"}", MANY);
    at_least("socktrace_tracked_sockets", MANY);
    at_least(
        "socktrace_sink_events_total{sink=\"stdout\",result=\"delivered\"}",
        MANY,
    );
    at_least("process_resident_memory_bytes", 1 << 20);
    assert!(samples.contains_key("socktrace_oldest_leak_timestamp_seconds"));
    // Every name that is used is there, and every one that is there is explained.
    for (what, text) in [("rules", RULES), ("dashboard", DASHBOARD)] {
        for name in names_in(text) {
            assert!(
                names.contains(name),
                "the {what} use {name}, which is not there: {names:#?}"
            );
        }
    }
    let parts = |name: &str| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .any(|part| name.ends_with(part))
    };
    for name in names.iter().filter(|name| !parts(name)) {
        assert!(
            DOCS.contains(&format!("`{name}`")),
            "{name} is not explained"
        );
    }
    let ready = get(port, "/readyz", "*/*").expect("an answer");
    assert_eq!(ready.status, 200, "{}", ready.body);
    let state: Value = serde_json::from_str(&ready.body).expect("JSON");
    assert_eq!(state["status"], "ready", "{state}");
    assert_eq!(get(port, "/healthz", "*/*").expect("an answer").status, 200);

    workload.say("close 10");
    workload.step("closed");
    expect(port, &leaked("close_wait"), MANY - 10);
    expect(port, "socktrace_leaks_resolved_total{cause=\"closed\"}", 10);
    workload.kill();
    expect(port, &leaked("close_wait"), 0);
    expect(
        port,
        "socktrace_leaks_resolved_total{cause=\"exited\"}",
        MANY - 10,
    );
    let detected = leaked("close_wait").replace("leaked_sockets", "leaks_detected_total");
    expect(port, &detected, MANY);
    expect(port, "socktrace_close_wait_duration_seconds_count", MANY);
    expect(port, "socktrace_incidents", 0);
    agent.stop(Signal::Term);
}

/// The names of metrics that a text has.
fn names_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |word: &&str| word.starts_with("socktrace_") || word.starts_with("process_");
    let names: BTreeSet<_> = words.filter(is_name).collect();
    assert!(names.len() > 5, "{names:?}");
    names
}

/// One of two sinks has nobody behind it; then the agent has only that one.
fn away(stage: &Stage) {
    let mut workload = Workload::gated(Program::C("close_wait"), &[]);
    let nobody = format!("syslog+tcp://127.0.0.1:{}", free_port());
    let (agent, port) = agent(stage, &workload, &["--output", "-", "--output", &nobody]);
    workload.go();
    expect(port, "socktrace_sink_up{sink=\"syslog\"}", 0);
    expect(port, "socktrace_sink_up{sink=\"stdout\"}", 1);
    let ready = get(port, "/readyz", "*/*").expect("an answer");
    let state: Value = serde_json::from_str(&ready.body).expect("JSON");
    assert_eq!(ready.status, 200, "the other sink has everything: {state}");
    assert_eq!(state["status"], "degraded", "{state}");
    assert_eq!(state["sinks"][1]["sink"], "syslog", "{state}");
    let reason = state["sinks"][1]["away"]["reason"]
        .as_str()
        .unwrap_or_default();
    assert!(reason.contains("refused"), "{state}");
    // It tells on standard error that the syslog is away, so it cannot be stopped as one that is well.
    agent.kill();
}

/// A Prometheus that scrapes one agent, with our rules.
struct Prometheus {
    _folder: tempfile::TempDir,
    daemon: Running,
    port: u16,
}

impl Prometheus {
    fn start(agent: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("socktrace.rules.yml"), RULES).expect("a file");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [socktrace.rules.yml]\n\
             scrape_configs:\n  - job_name: socktrace\n    static_configs: [{{targets: ['127.0.0.1:{agent}']}}]\n"
        );
        fs::write(path("prometheus.yml"), config).expect("a file");
        let port = free_port();
        let daemon = Self::command(&path("prometheus.yml"), &path("data"), port);
        Self {
            _folder: folder,
            daemon,
            port,
        }
    }

    fn command(config: &Path, data: &Path, port: u16) -> Running {
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn");
        Running::spawn(&mut command)
            .expect("prometheus does not start; `cargo xtask setup --tests` installs it")
    }

    /// What it answers to a query, once that is not nothing.
    #[track_caller]
    fn query(&self, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/query?query={}", encoded(query));
        let ask = || {
            let answer = get(self.port, &path, "application/json").ok()?;
            let value: Value = serde_json::from_str(&answer.body).ok()?;
            assert_eq!(value["status"], "success", "{query}: {value}");
            value["data"]["result"]
                .as_array()
                .cloned()
                .filter(|found| !found.is_empty())
        };
        assert!(
            until(FOUND * 6, || ask().is_some()),
            "{query}: {}",
            self.daemon.stderr()
        );
        ask().expect("it was there")
    }
}

/// A text as a part of a URL.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match char::from(byte) {
        plain if plain.is_ascii_alphanumeric() => plain.to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// `promtool check metrics` on a page in the classic format.
fn promtool(port: u16) {
    let page = get(port, "/metrics", "text/plain").expect("a page").body;
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool does not start");
    let mut stdin = check.stdin.take().expect("a pipe");
    stdin.write_all(page.as_bytes()).expect("it reads");
    drop(stdin);
    let said = check.wait_with_output().expect("it ends");
    let complaints = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.status.success() && complaints.is_empty(),
        "{complaints}"
    );
}

/// A real Prometheus scrapes the agent, finds the leak, runs every query of the dashboard and loads the rules.
fn prometheus(stage: &Stage) {
    let mut workload = Workload::gated(Program::C("many_leaks"), &[&MANY.to_string()]);
    let (agent, port) = agent(stage, &workload, &[]);
    workload.go();
    workload.step("leaked");
    expect(port, &leaked("close_wait"), MANY);
    promtool(port);
    let prometheus = Prometheus::start(port);
    let found = prometheus.query("socktrace_leaked_sockets > 0");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["metric"]["process"], "many_leaks");
    assert_eq!(found[0]["metric"]["kind"], "close_wait");
    assert_eq!(found[0]["value"][1], MANY.to_string());
    let pending = prometheus.query("ALERTS{alertname=\"SocktraceLeakFound\"}");
    assert_eq!(
        pending[0]["metric"]["alertstate"], "pending",
        "{pending:#?}"
    );
    let rules = get(prometheus.port, "/api/v1/rules", "*/*")
        .expect("an answer")
        .body;
    assert!(!rules.contains("\"health\":\"err\""), "{rules}");
    for query in queries(DASHBOARD) {
        let path = format!("/api/v1/query?query={}", encoded(&query));
        let answer = get(prometheus.port, &path, "*/*").expect("an answer");
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    }
    agent.stop(Signal::Term);
}

/// The queries of a dashboard, for any instance.
fn queries(dashboard: &str) -> Vec<String> {
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries: Vec<_> = targets
        .flatten()
        .filter_map(|target| Some(target["expr"].as_str()?.replace("$instance", ".*")))
        .collect();
    assert!(queries.len() >= panels.len(), "{queries:?}");
    queries
}
