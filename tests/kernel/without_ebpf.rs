//! `scan` of one who may not load programs: the same answer from sock_diag and /proc.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::{Value, json};
use socktrace_tests::agent::ATTACH;
use socktrace_tests::child::Outcome;
use socktrace_tests::json::{check, field, number};
use socktrace_tests::program::socktrace;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::scan::{FOUND, lines_and_summary};
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("without_ebpf::the_same_answer", same_answer),
    ("without_ebpf::what_is_closed_is_only_counted", closed),
];

/// CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF (include/uapi/linux/capability.h).
const FORBIDDEN: [libc::c_ulong; 3] = [21, 38, 39];

fn same_answer(_: &Stage) {
    for (program, args) in [
        ("close_wait", &[][..]),
        ("close_wait", &["--ipv6"]),
        ("close_wait", &["--mapped"]),
        ("half_closed", &[]),
        ("unaccepted", &["2"]),
        ("fork_holders", &["3"]),
        ("dup_holders", &[]),
        ("many_leaks", &["50"]),
    ] {
        let mut workload = Workload::start(Program::C(program), args);
        let pid = workload.step("leaked")["pid"].to_string();
        let args = ["scan", "--format", "json", "--pid", &pid];
        let with = Outcome::of(&mut socktrace(&args), ATTACH);
        let without = Outcome::of(&mut powerless(&args), ATTACH);
        for outcome in [&with, &without] {
            outcome.check_code(FOUND);
        }
        let (expected, summary) = lines_and_summary(&with);
        check(&summary, &[("socktrace.summary.source", json!("ebpf"))]);
        let (lines, summary) = lines_and_summary(&without);
        check(
            &summary,
            &[("socktrace.summary.source", json!("sock_diag"))],
        );
        let told = without.one_error_line();
        assert!(told.contains("closed_held"), "{told}");
        let facts = |lines: &[Value]| lines.iter().map(facts).collect::<Vec<_>>();
        assert_eq!(facts(&lines), facts(&expected), "{program} {args:?}");
    }
}

/// What both can know. The process's start is known to a tick only, and idleness goes on.
fn facts(line: &Value) -> Vec<Value> {
    let names = [
        "socktrace.leak.kind",
        "socktrace.leak.diagnosis",
        "socktrace.leak.holders",
        "socktrace.leak.owner_via",
        "socktrace.socket.inode",
        "socktrace.socket.netns",
        "socktrace.socket.state",
        "socktrace.socket.rx_queue",
        "socktrace.socket.tx_queue",
        "socktrace.local",
        "socktrace.peer",
        "socktrace.place",
        "network",
        "process.pid",
        "process.name",
        "process.executable",
        "process.command_line",
        "process.user",
    ];
    names.map(|name| field(line, name).clone()).into()
}

/// A socket in TCP_CLOSE is in no table: it is counted, and not blamed on anybody.
fn closed(_: &Stage) {
    let mut workload = Workload::start(Program::C("closed_after_fin"), &[]);
    let pid = workload.step("leaked")["pid"].to_string();
    let outcome = Outcome::of(
        &mut powerless(&["scan", "--format", "json", "--pid", &pid]),
        ATTACH,
    );
    outcome.check_code(0);
    let (lines, summary) = lines_and_summary(&outcome);
    assert_eq!(lines, Vec::<Value>::new());
    let unlisted = number(&summary, "socktrace.summary.closed.unlisted");
    assert!(unlisted >= 1, "{summary}");
}

/// Root without the capabilities that loading programs needs.
fn powerless(args: &[&str]) -> Command {
    let mut command = socktrace(args);
    let drop = || {
        for capability in FORBIDDEN {
            // SAFETY: prctl() takes integers here. Whoever is executed gets none of these capabilities.
            if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: prctl() may be called between fork and exec.
    unsafe { command.pre_exec(drop) };
    command
}
