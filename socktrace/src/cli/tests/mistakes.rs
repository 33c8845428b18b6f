//! Wrong command lines: one line each, which names the cause and the cure, and status 2.

use insta::assert_snapshot;

use super::super::Exit;
use super::*;

#[test]
fn every_mistake_is_one_line_that_helps() {
    let lines = [
        "rum",
        "run --prot 80",
        "run --leak-after 60",
        "run --leak-after 5ms",
        "run --leak-after 10years",
        "run --leak-after soon",
        "run --leak-after",
        "replay --leak-after 1ms x.rec",
        "replay",
        "replay a.rec b.rec",
        "run --port 0",
        "run --port 65536",
        "run --port http",
        "run --pid 0",
        "run --pid 4194305",
        "run --pid 1,,2",
        "run --comm sixteen-bytes-xx",
        "run --comm=",
        "run --cgroup system.slice",
        "run --netns 0",
        "run --netns red",
        "run --netns /proc/1/ns/none",
        "run --family 5",
        "run --state CLOSEWAIT",
        "run --state ESTABLISHED",
        "scan --state LISTEN,SYN_SENT",
        "run --kind close-wait",
        "run --kind close_wait --state ESTABLISHED",
        "trace --kind close_wait --state ESTABLISHED",
        "run --kind half_closed,closed_held --state CLOSE_WAIT",
        "run --format xml",
        "run --output gopher://broker/topic",
        "run --output - --output -",
        "run --output a.json --output a.json",
        "run --record -",
        "run --record a --output a",
        "run --ring-size 3MiB",
        "run --ring-size 2048",
        "run --ring-size 4GiB",
        "run --ring-size 8MB",
        "run --max-sockets 0",
        "run --hooks state=kprobe",
        "run --color sometimes",
        "scan --by pid",
        "scan --leak-after 10s",
        "scan --record x",
        "doctor --pid 1",
        "run leftover",
    ];
    let said = lines.map(|line| {
        let error = mistake(line);
        let text = error.to_string();
        assert!(!text.contains(['\n', '\r', '\x1b']), "{line}: {text}");
        assert!(!text.is_empty(), "{line}");
        format!("$ socktrace {line}\nsocktrace: {text}")
    });
    assert_snapshot!(said.join("\n"));
}

#[test]
fn a_mistake_has_status_2() {
    for line in [
        "run --leak-after 60",
        "run --kind close_wait --state ESTABLISHED",
        "rum",
    ] {
        assert_eq!(mistake(line).print(), Exit::Usage, "{line}");
    }
}

#[test]
fn what_was_typed_cannot_forge_a_line() {
    for typed in [
        "--port=\n1\n",
        "--comm=\x1b[31m-far-too-long-a-name",
        "--\nflag",
        "--output=x://\u{9b}31m",
    ] {
        let arguments = ["socktrace", "run", typed].map(OsString::from);
        let text = parse(arguments, &environment()).unwrap_err().to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    for line in ["--help", "run -h", "--version"] {
        let CliError::Flags(error) = mistake(line) else {
            panic!("{line}")
        };
        assert!(!error.use_stderr(), "{line}");
    }
    let CliError::Flags(error) = mistake("") else {
        panic!()
    };
    assert!(error.use_stderr());
}
