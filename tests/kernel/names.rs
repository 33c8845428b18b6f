//! Addresses of every family, names of every malice, processes of strange build.

use std::process::Command;

use serde_json::json;
use socktrace_tests::agent::ATTACH;
use socktrace_tests::child::{Running, Signal};
use socktrace_tests::json::{check, text};
use socktrace_tests::program::socktrace;
use socktrace_tests::rung::Deed;
use socktrace_tests::text::Text;
use socktrace_tests::workload::{Program, Workload};

use crate::Case;
use crate::expect::FOUND;
use crate::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    ("names::ipv6", |stage| family(stage, "--ipv6", "ipv6")),
    ("names::v4_mapped_is_ipv4", |stage| {
        family(stage, "--mapped", "ipv4");
    }),
    ("names::ipv6_after_reset", ipv6_after_reset),
    ("names::hostile_name_in_json", hostile_in_json),
    ("names::hostile_name_in_text", hostile_in_text),
    ("names::leader_has_exited", leader_exited),
];

fn family(stage: &Stage, flag: &str, network: &str) {
    let mut leak = stage.leak(Program::C("close_wait"), &[flag]);
    let tid = leak.tid();
    let line = leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    check(&line.value, &[("network.type", json!(network))]);
    leak.resolves_when_told_to_close();
}

fn ipv6_after_reset(stage: &Stage) {
    let mut leak = stage.leak(Program::C("closed_by_reset"), &["--ipv6"]);
    let tid = leak.tid();
    leak.opens("closed_held", Some("reset"), &[Deed::Accepted(tid)]);
    leak.resolves_when_told_to_close();
}

/// That the line came at all says that it is one line of valid JSON.
fn hostile_in_json(stage: &Stage) {
    let mut leak = stage.leak(Program::C("hostile_name"), &[]);
    let tid = leak.tid();
    let line = leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    let name = text(&line.value, "process.name");
    assert!(
        name.starts_with('a') && name.ends_with("{}"),
        "a name that is recognised: {name:?}"
    );
    for text in [name, text(&line.value, "message")] {
        assert!(
            !text.chars().any(char::is_control),
            "a control character in {text:?}"
        );
        assert!(
            !text.contains('\u{fffd}'),
            "invalid bytes are shown, not replaced: {text:?}"
        );
    }
    leak.resolves_when_told_to_close();
}

/// In text, too, one finding is one line, and nothing in it can steer a terminal.
fn hostile_in_text(stage: &Stage) {
    let mut workload = Workload::gated(Program::C("hostile_name"), &[]);
    let pid = workload.pid().to_string();
    let more = [
        "--leak-after",
        "1s",
        "--pid",
        &pid,
        "--format",
        "text",
        "--color",
        "never",
    ];
    let args = stage.agent_args("run", &more);
    let mut command: Command = socktrace(&args);
    let mut agent = Running::spawn(&mut command).expect("an agent");
    let mut text = Text::of(agent.take_stdout().expect("a pipe"));
    // The first line says that everything is attached.
    text.line(ATTACH);
    workload.go();
    workload.step("leaked");
    let line = text.line(FOUND);
    assert!(
        line.contains("close_wait") && line.contains(&pid),
        "not the leak: {line:?}"
    );
    assert!(
        !line.chars().any(char::is_control),
        "a control character in {line:?}"
    );
    agent.signal(Signal::Int);
    let status = agent.wait(ATTACH).expect("the agent ends");
    assert_eq!(status.code(), Some(0), "{}", agent.stderr());
    for line in text.rest(ATTACH) {
        assert!(
            !line.contains(&pid),
            "more than one line for one leak: {line:?}"
        );
    }
}

/// Its first thread is a zombie; another one lives and holds the descriptor.
fn leader_exited(stage: &Stage) {
    let mut leak = stage.leak(Program::C("leader_exited"), &[]);
    let tid = leak.tid();
    assert_ne!(tid, leak.pid());
    leak.opens("close_wait", Some("eof_unread"), &[Deed::Accepted(tid)]);
    leak.resolves_when_told_to_close();
}
