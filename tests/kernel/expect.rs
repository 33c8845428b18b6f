//! What the agent must say of a leak, compared with what the workload and the kernel say of it.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use socktrace_tests::json::{check, field, has, number, text};
use socktrace_tests::log::{Line, Watch};
use socktrace_tests::rung::{AcceptHook, Deed, Hooks};
use socktrace_tests::wait::stretched;
use socktrace_tests::workload::Workload;

use crate::lines::{check_age, check_end, check_holders, holders_in, is_between};
use crate::stage::LEAK_AFTER;
use crate::users::check_users;

/// How long to wait for what should come; lateness is judged apart.
pub(crate) const FOUND: Duration = Duration::from_secs(30);

/// How long to wait for what no event of the kernel tells, such as one holder of several that goes
/// away: the agent sees it when it next reads the kernel's tables.
pub(crate) const NOTICED: Duration = Duration::from_secs(45);

/// How long after leak-after a finding may come.
const PROMPT: Duration = Duration::from_secs(1);

/// A leak and what the agent says of it.
#[derive(Debug)]
pub(crate) struct Leak {
    /// The step `leaked`.
    pub(crate) step: Line,
    /// The program that leaks.
    pub(crate) workload: Workload,
    hooks: Hooks,
    watch: Watch,
}

impl Leak {
    /// Waits until `workload` has leaked; `watch` must have begun before.
    #[track_caller]
    pub(crate) fn of(hooks: Hooks, watch: Watch, mut workload: Workload) -> Self {
        let step = workload.step_line("leaked");
        Self::told(hooks, watch, workload, step)
    }

    /// A leak that `step` tells of.
    pub(crate) fn told(hooks: Hooks, watch: Watch, workload: Workload, step: Line) -> Self {
        Self {
            step,
            workload,
            hooks,
            watch,
        }
    }

    /// The pid the workload says.
    pub(crate) fn pid(&self) -> u64 {
        number(&self.step.value, "pid")
    }

    /// The tid the workload says.
    pub(crate) fn tid(&self) -> u64 {
        number(&self.step.value, "tid")
    }

    /// Waits for the finding and compares all of it with the truth. `deeds` is what was done to the
    /// socket, oldest first.
    #[track_caller]
    pub(crate) fn opens(&mut self, kind: &str, diagnosis: Option<&str>, deeds: &[Deed]) -> Line {
        let line = self.is_opened();
        check(
            &line.value,
            &[
                ("event.kind", json!("alert")),
                ("event.category", json!(["network", "process"])),
                ("event.type", json!(["info"])),
                ("event.dataset", json!("socktrace.leak")),
                ("ecs.version", json!("9.4.0")),
                ("socktrace.leak.kind", json!(kind)),
                ("socktrace.leak.diagnosis", json!(diagnosis)),
                ("socktrace.leak.cause", Value::Null),
                ("socktrace.socket.state", self.step.value["state"].clone()),
            ],
        );
        assert!(
            field(&line.value, "socktrace.leak").get("cause").is_some(),
            "no null cause"
        );
        for id in ["event.id", "socktrace.leak.id", "process.entity_id"] {
            assert!(!text(&line.value, id).is_empty(), "no {id} in {}", line.raw);
        }
        check_age(&line.value);
        check_holders(&line.value, &self.holders());
        self.check_blame(&line.value, deeds);
        check_users(&self.hooks, &line.value, deeds);
        self.check_ends(&line.value, deeds);
        self.check_socket(&line.value);
        line
    }

    /// Waits for the finding, whatever it says.
    #[track_caller]
    pub(crate) fn is_opened(&mut self) -> Line {
        self.next("open", FOUND, |_| true)
    }

    /// Waits for an update of the finding after which these hold the socket.
    #[track_caller]
    pub(crate) fn is_held_by(&mut self, holders: &BTreeSet<(u64, u64)>) -> Line {
        self.next("update", NOTICED, |line| holders_in(line) == *holders)
    }

    /// Waits for an update of the finding to another kind.
    #[track_caller]
    pub(crate) fn becomes(&mut self, kind: &str) -> Line {
        self.next("update", NOTICED, |line| {
            text(line, "socktrace.leak.kind") == kind
        })
    }

    /// Waits for the end of the finding, by `cause`.
    #[track_caller]
    pub(crate) fn resolves(&mut self, cause: &str) -> Line {
        let line = self.next("resolved", NOTICED, |_| true);
        check(&line.value, &[("socktrace.leak.cause", json!(cause))]);
        line
    }

    /// Has the workload close the socket and waits for the end of the finding, which must name the
    /// thread that the workload says has closed it.
    #[track_caller]
    pub(crate) fn resolves_when_told_to_close(&mut self) -> Line {
        self.workload.say("close");
        let closed = self.workload.step("closed");
        let line = self.resolves("closed");
        check(
            &line.value,
            &[
                ("socktrace.leak.closed_by.pid", closed["pid"].clone()),
                ("socktrace.leak.closed_by.tid", closed["tid"].clone()),
            ],
        );
        line
    }

    /// Asserts that the finding came within a second of leak-after.
    #[track_caller]
    pub(crate) fn came_in_time(&self, line: &Line) {
        let took = line.read_at.since(self.step.read_at);
        let allowed = LEAK_AFTER + stretched(PROMPT);
        assert!(
            took <= allowed,
            "found after {took:?}, which is more than {allowed:?}"
        );
    }

    /// Whether a line opens this leak.
    pub(crate) fn is_open(&self, line: &Value) -> bool {
        self.is_mine(line) && text(line, "socktrace.leak.phase") == "open"
    }

    /// Whether a line is about this leak's socket.
    pub(crate) fn is_mine(&self, line: &Value) -> bool {
        is_between(
            line,
            text(&self.step.value, "local"),
            text(&self.step.value, "peer"),
        )
    }

    /// A reader that stands where the last wait ended.
    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// The holders the workload says, as pairs of pid and fd.
    pub(crate) fn holders(&self) -> BTreeSet<(u64, u64)> {
        let step = &self.step.value;
        if let Some(holders) = step["holders"].as_array() {
            return holders
                .iter()
                .map(|at| (number(at, "pid"), number(at, "fd")))
                .collect();
        }
        if let Some(fds) = step["fds"].as_array() {
            return fds
                .iter()
                .filter_map(|fd| Some((self.pid(), fd.as_u64()?)))
                .collect();
        }
        BTreeSet::from([(self.pid(), number(step, "fd"))])
    }

    #[track_caller]
    fn next(&mut self, phase: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Line {
        let (local, peer) = (
            text(&self.step.value, "local"),
            text(&self.step.value, "peer"),
        );
        let is_mine = |line: &Value| is_between(line, local, peer);
        let is_it = |line: &Value| text(line, "socktrace.leak.phase") == phase && wanted(line);
        self.watch.expect_among(
            &format!("such {phase} of {local} {peer}"),
            limit,
            is_mine,
            is_it,
        )
    }

    #[track_caller]
    fn check_blame(&self, line: &Value, deeds: &[Deed]) {
        let (via, tid) = self.hooks.blamed(deeds);
        check(
            line,
            &[
                ("process.pid", json!(self.pid())),
                ("socktrace.leak.owner_via", json!(via)),
                ("process.thread.id", tid.map_or(Value::Null, Value::from)),
            ],
        );
        if tid.is_none() {
            assert!(
                !has(line, "process.thread"),
                "a thread is never guessed: {line}"
            );
        }
    }

    /// Addresses, and which end is the source: that of whoever connected.
    #[track_caller]
    fn check_ends(&self, line: &Value, deeds: &[Deed]) {
        let [local, peer] = ["local", "peer"].map(|end| self.step.value[end].as_str());
        let end = |text: Option<&str>| text.and_then(|text| text.parse::<SocketAddr>().ok());
        let (Some(local), Some(peer)) = (end(local), end(peer)) else {
            panic!("no addresses in {}", self.step.raw);
        };
        check_end(line, "socktrace.local", local);
        check_end(line, "socktrace.peer", peer);
        let network = if local.is_ipv4() { "ipv4" } else { "ipv6" };
        check(
            line,
            &[
                ("network.transport", json!("tcp")),
                ("network.type", json!(network)),
            ],
        );
        let role = text(line, "socktrace.socket.role");
        if deeds.iter().any(|deed| matches!(deed, Deed::Connected(_))) {
            assert_eq!(
                (role, text(line, "network.direction")),
                ("connected", "egress"),
                "{line}"
            );
            check_end(line, "source", local);
            check_end(line, "destination", peer);
        } else if self.hooks.accept != AcceptHook::None {
            assert_eq!(
                (role, text(line, "network.direction")),
                ("accepted", "ingress"),
                "{line}"
            );
            check_end(line, "source", peer);
            check_end(line, "destination", local);
        } else {
            // Nobody saw the accept: the agent may know or not, but must not claim the contrary.
            assert_ne!(role, "connected", "{line}");
            assert_ne!(text(line, "network.direction"), "egress", "{line}");
        }
    }

    /// What the kernel itself says of the descriptor.
    #[track_caller]
    fn check_socket(&self, line: &Value) {
        // A process whose first thread has ended shows its descriptors in its other threads only.
        let process = format!("/proc/{}", self.pid());
        let thread = format!("{process}/task/{}", self.tid());
        let proc = if fs::exists(&thread).unwrap_or(false) {
            thread
        } else {
            process
        };
        let link = fs::read_link(format!("{proc}/fd/{}", number(&self.step.value, "fd")));
        let link = link
            .expect("the workload holds the descriptor")
            .display()
            .to_string();
        let inode = format!("socket:[{}]", number(line, "socktrace.socket.inode"));
        assert_eq!(inode, link, "socktrace.socket.inode in {line}");
        let netns = fs::metadata(format!("{proc}/ns/net"))
            .expect("its namespace")
            .ino();
        check(line, &[("socktrace.socket.netns", json!(netns))]);
        assert!(
            number(line, "socktrace.socket.cookie") > 0,
            "no cookie in {line}"
        );
    }
}
