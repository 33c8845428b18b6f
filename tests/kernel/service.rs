//! The agent as a service: a user of its own with few capabilities, less once it is attached, and a service
//! manager that is told.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use socktrace_tests::agent::{ATTACH, Agent};
use socktrace_tests::child::{Outcome, Signal};
use socktrace_tests::json::{check, field, number, text};
use socktrace_tests::program;
use socktrace_tests::rung::{AcceptHook, Deed, Hooks};
use socktrace_tests::user::{Capability, as_service, of_the_unit, set};
use socktrace_tests::wait::{stretched, until};
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::{FOUND, Leak};
use crate::stage::Stage;

/// What must work on every rung: attaching is what needs the capabilities.
pub(crate) const CASES: &[Case] = &[("service::as_the_unit_runs_it", as_the_unit_runs_it)];

/// What needs one rung.
pub(crate) const MORE: &[Case] = &[
    ("service::root_gives_up_what_it_does_not_need", as_root),
    ("service::privileges_may_be_kept", without_sandbox),
    ("service::files_are_opened_anew", files_are_opened_anew),
    ("service::the_manager_is_told", the_manager_is_told),
    ("service::doctor_names_what_is_not_granted", doctor),
];

/// The number of a user that no machine has.
const USER: u32 = 61_234;

/// What watching needs.
const FACTS: u64 = set(&[Capability::SysPtrace, Capability::DacReadSearch]);

/// For the network namespaces of others, and for perf events on strict kernels.
const ADMIN: u64 = set(&[Capability::SysAdmin]);

/// As its own user, with the capabilities of the unit and no others, the agent finds another user's leak,
/// and everything about it. Then it has given up all but two.
fn as_the_unit_runs_it(stage: &Stage) {
    let home = Home::make();
    let usual = ["--leak-after", "1s", "--max-lines-per-process", "1000000"];
    let mut args = stage.agent_args("run", &usual);
    args.extend(["--format", "json"]);
    let start = |granted| Agent::of(as_service(&mut home.command(&args), USER, granted));
    let mut expected = stage.hooks();
    let mut granted = of_the_unit();
    if needs_perf_events(&expected) && is_strict_about_perf_events() {
        if stage.rung().hooks.is_none() {
            // The best that is left.
            expected.accept = AcceptHook::None;
        } else {
            let refused = start(granted).expect_err("the rung needs more").0;
            refused.check_code(77);
            assert!(
                refused.one_error_line().contains("perf_event_paranoid=2"),
                "{refused:?}"
            );
            granted |= ADMIN;
        }
    }
    let agent = start(granted).unwrap_or_else(|err| panic!("{err}"));
    let hooks = Hooks::of(agent.started());
    assert_eq!(hooks, expected, "the hooks that root gets");
    let workload = Workload::start(Program::C("close_wait"), &[]);
    let mut incidents = agent.watch();
    let mut leak = Leak::of(hooks, agent.watch_from_start(), workload);
    let tid = leak.tid();
    let line = leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    let executable = fs::read_link(format!("/proc/{}/exe", leak.pid())).expect("it runs");
    check(
        &line.value,
        &[
            ("process.executable", json!(executable)),
            ("process.user.id", json!("0")),
        ],
    );
    let pid = leak.pid();
    let incident = incidents.expect("an incident", FOUND, |line| {
        text(line, "event.action") == "process.leak" && number(line, "process.pid") == pid
    });
    // Another user's descriptors can be counted.
    assert!(
        number(&incident.value, "socktrace.incident.open_fds") > 2,
        "{}",
        incident.raw
    );
    leak.resolves_when_told_to_close();
    check_sandbox(agent.started(), "ok");
    // Whether bpf(2) still takes a capability depends on the kernel.
    let kept = FACTS | set(&[Capability::Bpf]);
    for (thread, status) in threads(agent.pid()) {
        let kept = if thread == "asker" {
            kept | granted & ADMIN
        } else {
            kept
        };
        assert_eq!(status["Uid"], format!("{USER}\t{USER}\t{USER}\t{USER}"));
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(bits(&status, set) & !kept, 0, "{set} of {thread}");
        }
        assert_eq!(bits(&status, "CapEff") & FACTS, FACTS, "{thread}");
        check_confined(&thread, &status);
    }
    agent.stop(Signal::Term);
}

/// Whether hooks are attached by perf_event_open(2).
fn needs_perf_events(hooks: &Hooks) -> bool {
    hooks.state == "tracepoint"
        || hooks.release == "kprobe"
        || hooks.accept == AcceptHook::Kretprobe
}

/// Whether that takes more than `CAP_PERFMON`: a level that kernels of Debian have, and begin with.
fn is_strict_about_perf_events() -> bool {
    let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").expect("a setting");
    level.trim().parse::<i32>().expect("a number") > 2
}

/// What root may is more, but an attached agent does not need it.
fn as_root(stage: &Stage) {
    let agent = stage.running();
    check_sandbox(agent.started(), "ok");
    let never = !set(&[
        Capability::SysPtrace,
        Capability::DacReadSearch,
        Capability::SysAdmin,
        Capability::Bpf,
    ]) & !FILES;
    let threads = threads(agent.pid());
    for name in ["asker", "reporter"] {
        assert!(threads.iter().any(|(thread, _)| thread == name), "{name}");
    }
    for (thread, status) in threads {
        let may = bits(&status, "CapPrm");
        assert_eq!(may & never, 0, "{thread}");
        // The one that enters other network namespaces.
        assert_eq!(may & ADMIN != 0, thread == "asker", "{thread}");
        check_confined(&thread, &status);
    }
}

/// `CAP_CHOWN`, `CAP_DAC_OVERRIDE`, `CAP_FOWNER`, `CAP_NET_BIND_SERVICE`: root's files and ports.
const FILES: u64 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 10;

fn without_sandbox(stage: &Stage) {
    let agent = stage.agent("run", &["--no-sandbox"]);
    check_sandbox(agent.started(), "missing");
    let net_admin = set(&[Capability::NetAdmin]);
    for (thread, status) in threads(agent.pid()) {
        assert_ne!(bits(&status, "CapEff") & net_admin, 0, "{thread}");
        assert_eq!(status["Seccomp"], "0", "{thread}");
    }
}

/// A file that is moved away is opened anew at SIGUSR1, although nothing is left of what root can do.
fn files_are_opened_anew(_: &Stage) {
    let home = Home::make();
    let file = home.path("lines.json");
    let name = file.to_str().expect("UTF-8");
    let args = ["run", "--format", "json", "--output", "-", "--output", name];
    let agent = Agent::of(as_service(&mut home.command(&args), USER, of_the_unit()));
    let agent = agent.unwrap_or_else(|err| panic!("{err}"));
    let has_lines = || fs::metadata(&file).is_ok_and(|file| file.len() > 0);
    assert!(until(FOUND, has_lines), "lines in the file");
    fs::rename(&file, home.path("lines.1.json")).expect("it is there");
    agent.signal(Signal::Usr1);
    assert!(until(FOUND, || file.exists()), "a new file");
    agent.stop(Signal::Term);
    assert!(has_lines(), "the last line is in the new file");
}

/// Attached, watching, alive, stopping: sd_notify(3).
fn the_manager_is_told(stage: &Stage) {
    for command in ["run", "trace"] {
        let home = Home::make();
        let socket = UnixDatagram::bind(home.path("notify")).expect("a socket");
        let mut buffer = [0; 512];
        let mut next = || {
            let limit = stretched(FOUND);
            socket.set_read_timeout(Some(limit)).expect("a socket");
            let len = socket.recv(&mut buffer).expect("a word for the manager");
            String::from_utf8_lossy(&buffer[..len]).into_owned()
        };
        let mut args = stage.agent_args(command, &[]);
        args.extend(["--format", "json"]);
        let mut started = home.command(&args);
        started
            .env("NOTIFY_SOCKET", home.path("notify"))
            .env("WATCHDOG_USEC", "2000000");
        let agent = Agent::of(&mut started).unwrap_or_else(|err| panic!("{err}"));
        assert_eq!(next(), "READY=1", "{command}");
        let mut words = vec![];
        while words.iter().filter(|word| *word == "WATCHDOG=1").count() < 3 {
            words.push(next());
            assert!(words.len() < 100, "{command}: {words:?}");
        }
        if command == "run" {
            let is_status = |word: &String| word.starts_with("STATUS=watching: ");
            assert!(words.iter().any(is_status), "{words:?}");
        }
        if command == "run" {
            agent.signal(Signal::Hup);
            while !next().starts_with("RELOADING=1\nMONOTONIC_USEC=") {}
            while next() != "READY=1" {}
        }
        // What the reload says of itself is another's to check.
        agent.signal(Signal::Term);
        while next() != "STOPPING=1" {}
    }
}

/// Without a capability there is a line on it, with a cure; without those that loading needs the status is 77.
fn doctor(_: &Stage) {
    let home = Home::make();
    let mut command = home.command(&["doctor", "--format", "json"]);
    let outcome = Outcome::of(as_service(&mut command, USER, 0), ATTACH);
    outcome.check_code(77);
    let supports: BTreeMap<String, (String, String)> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|line| {
            let hook = |name: &str| text(&line, &format!("socktrace.hook.{name}")).to_owned();
            (hook("purpose"), (hook("support"), hook("cure")))
        })
        .collect();
    for (purpose, support) in [
        ("cap_bpf", "missing"),
        ("cap_perfmon", "missing"),
        ("cap_net_admin", "fallback"),
        ("cap_sys_ptrace", "fallback"),
        ("cap_dac_read_search", "fallback"),
        ("cap_sys_admin", "fallback"),
    ] {
        let cure = format!("grant {}", purpose.to_uppercase());
        assert_eq!(
            supports[purpose],
            (support.to_owned(), cure),
            "{supports:?}"
        );
    }
}

/// What the first status says of the sandbox.
#[track_caller]
fn check_sandbox(started: &Value, support: &str) {
    let hooks = field(started, "socktrace.status.hooks").as_array();
    let mut hooks = hooks.into_iter().flatten();
    let sandbox = hooks.find(|hook| hook["purpose"] == "sandbox");
    let sandbox = sandbox.unwrap_or_else(|| panic!("no word on the sandbox in {started}"));
    assert_eq!(text(sandbox, "support"), support, "{sandbox}");
}

/// New privileges are out of the question, and system calls are refused.
#[track_caller]
fn check_confined(thread: &str, status: &BTreeMap<String, String>) {
    assert_eq!(
        (status["NoNewPrivs"].as_str(), status["Seccomp"].as_str()),
        ("1", "2"),
        "{thread}"
    );
}

/// The names of a process's threads, with what the kernel says of each (proc_pid_status(5)).
fn threads(pid: u32) -> Vec<(String, BTreeMap<String, String>)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
        .map(|status| {
            let lines = status.lines().filter_map(|line| line.split_once(":\t"));
            let fields: BTreeMap<_, _> = lines
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            (fields["Name"].clone(), fields)
        })
        .collect()
}

fn bits(status: &BTreeMap<String, String>, set: &str) -> u64 {
    u64::from_str_radix(&status[set], 16).expect("hexadecimal")
}

/// A folder of the service's user, with the program in it: he may not go where it was built.
struct Home(tempfile::TempDir);

impl Home {
    fn make() -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(home.0.path(), open).expect("permissions");
        chown(home.0.path(), Some(USER), Some(USER)).expect("an owner");
        // By a process of its own: a file that is open for writing, be it in a child that another test has
        // just forked, cannot be run.
        let mut copy = Command::new("cp");
        let copy = copy.arg(program::path()).arg(home.path("socktrace"));
        Outcome::of(copy, ATTACH).check_code(0);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("socktrace"));
        command.args(args).current_dir(Path::new("/"));
        command
    }
}
