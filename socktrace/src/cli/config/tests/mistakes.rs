//! What is wrong with a configuration.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use super::super::super::CliError;
use super::{Machine, names};

#[test]
fn mistakes_are_told_with_file_line_and_what_was_probably_meant() {
    let check = |text: &str, expected: &[&str]| {
        let mistakes = Machine::new(&[("socktrace.toml", text)]).mistakes("run");
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:?}");
        for (mistake, expected) in mistakes.iter().zip(expected) {
            let expected = format!("socktrace.toml:{expected}");
            assert!(mistake.starts_with(&expected), "{mistake:?} {expected:?}");
            assert!(!mistake.contains('\n'), "{mistake:?}");
        }
    };
    check(
        "\nleek-after = \"1s\"\n",
        &["2: there is no key leek-after; did you mean leak-after?"],
    );
    check(
        "port = 1",
        &["1: there is no key port; did you mean filter.port?"],
    );
    check(
        "[filter]\nprot = 1",
        &["2: there is no key filter.prot; did you mean filter.port?"],
    );
    check("xyzzy = 1", &["1: there is no key xyzzy; the keys are "]);
    check(
        "[outptu]\nx = 1",
        &["1: there is no key outptu; did you mean output?"],
    );
    check(
        "leak-after = 60",
        &["1: invalid value '60' for '--leak-after <DURATION>': a duration needs"],
    );
    check(
        "leak-after = \"1ms\"",
        &["1: --leak-after 1ms is too short"],
    );
    check(
        "leak-after = [\"1s\", \"2s\"]",
        &["1: leak-after: it has one value"],
    );
    check(
        "leak-after = {}",
        &["1: leak-after: it is a text, a number"],
    );
    check("leak-after = \"\"", &["1: leak-after: it is empty"]);
    check(
        "max-sockets = 99999999999999999999",
        &["1: max-sockets: the number is too large"],
    );
    check("record = \"a\\u0000b\"", &["1: record: it has a NUL"]);
    check("filter = 1", &["1: filter is a table"]);
    check("output = \"a\"", &["1: outputs are tables in a list"]);
    check(
        "[output]\npath = \"/a\"",
        &["1: outputs are tables in a list"],
    );
    check(
        "[[output]]\nformat = \"json\"",
        &["1: an output needs a url or a path"],
    );
    check(
        "[[output]]\npath = \"a.json\"",
        &["2: path: it is an absolute path"],
    );
    check(
        "[[output]]\npath = \"/a\"\nurl = \"-\"",
        &["3: url: an output has a url or a path"],
    );
    check(
        "[[output]]\nurl = \"gopher://h\"",
        &["1: gopher is not supported"],
    );
    check(
        "[[output]]\nurl = \"syslog+tcp://h\"\n\nfacilty = \"local3\"",
        &["4: facilty is no option of syslog+tcp; did you mean facility?"],
    );
    check(
        "[[output]]\npath = \"/a\"\nformat = \"xml\"",
        &["3: format=xml: the formats are"],
    );
    check(
        "[[output]]\nurl = \"syslog://\"\nformat = \"text\"",
        &["1: text is for people"],
    );
    check("a = 1\nb = 2\nleak-after = 3\n", &["1: ", "2: ", "3: "]);
    // Of TOML itself.
    check("leak-after = ", &["1: "]);
    check(
        "leak-after = \"1s\"\nleak-after = \"2s\"",
        &["2: duplicate key"],
    );
    check("[[[", &["1: "]);
}

#[test]
fn hostile_files_are_refused_in_one_line() {
    let check = |bytes: &[u8], hint: &str| {
        let machine = Machine::new(&[]);
        fs::write(machine.folder.path().join("socktrace.toml"), bytes).unwrap();
        let mistakes = machine.mistakes("run");
        assert!(mistakes[0].contains(hint), "{mistakes:?}");
        assert!(!mistakes[0].bytes().any(|byte| byte < b' '), "{mistakes:?}");
        assert!(mistakes[0].len() < 2000, "{}", mistakes[0].len());
    };
    check(
        b"leak-after = \"1s\"\nrecord = \"\xff\"",
        "socktrace.toml:2: it is not UTF-8",
    );
    check(&b"#".repeat((1 << 20) + 1), "more than 1 MiB");
    check(
        format!("x = {}", "[".repeat(100_000)).as_bytes(),
        "socktrace.toml:1: ",
    );
    check(
        format!("x = {}", "{a=".repeat(50_000)).as_bytes(),
        "socktrace.toml:1: ",
    );
    check("\"a\\u001b[31m\\nb\" = 1".as_bytes(), "there is no key");
    check(b"a\x1b[31m = 1", "socktrace.toml:1: ");
    check(b"\0", "socktrace.toml:1: ");
}

#[test]
fn files_that_cannot_be_read_are_mistakes_unless_nobody_named_them() {
    let machine = Machine::new(&[]);
    assert_eq!(machine.run("run").leak_after, Duration::from_mins(1));
    let mistakes = machine.mistakes("run --config {}/none.toml");
    assert!(
        mistakes[0].starts_with("cannot read none.toml: No such file"),
        "{mistakes:?}"
    );
    let mistakes = machine.mistakes("run --config {}/conf.d");
    assert!(
        mistakes[0].starts_with("cannot read conf.d: Is a directory"),
        "{mistakes:?}"
    );
    let named = Machine::new(&[]).with(&[("SOCKTRACE_CONFIG", "/none.toml")]);
    assert!(named.mistakes("run")[0].contains("/none.toml"));
    // A folder where a file should be cannot be read by root either.
    fs::create_dir(machine.folder.path().join("conf.d/10.toml")).unwrap();
    let mistakes = machine.mistakes("run");
    assert!(
        mistakes[0].starts_with("cannot read conf.d/10.toml: "),
        "{mistakes:?}"
    );
}

#[test]
fn variables_that_cannot_be_meant_are_mistakes_and_strangers_are_left_alone() {
    let check = |name: &str, value: &str, expected: Option<&str>| {
        let machine = Machine::new(&[]).with(&[(name, value)]);
        match expected {
            None => {
                machine.run("run");
            }
            Some(expected) => {
                let mistakes = machine.mistakes("run");
                assert!(mistakes[0].starts_with(expected), "{mistakes:?}");
            }
        }
    };
    check(
        "SOCKTRACE_LEEK_AFTER",
        "1s",
        Some("SOCKTRACE_LEEK_AFTER: there is no such variable; did you mean SOCKTRACE_LEAK_AFTER?"),
    );
    check(
        "SOCKTRACE_LEAK_AFTER",
        "60",
        Some("SOCKTRACE_LEAK_AFTER: invalid value"),
    );
    check(
        "SOCKTRACE_OUTPUT",
        "gopher://h",
        Some("SOCKTRACE_OUTPUT: gopher://h is no output"),
    );
    // Kubernetes makes them for a service of that name.
    check("SOCKTRACE_PORT", "tcp://10.0.0.1:80", None);
    check("SOCKTRACE_PORT_80_TCP", "tcp://10.0.0.1:80", None);
    check("SOCKTRACE_SERVICE_HOST", "10.0.0.1", None);
    check("SOCKTRACE_BIN", "/x", None);
    check("LEAK_AFTER", "x", None);
}

#[test]
fn bytes_that_are_no_utf8_do_no_harm() {
    let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
    let mut machine = Machine::new(&[]);
    machine.variables = vec![
        (bytes(b"SOCKTRACE_\xff"), bytes(b"1")),
        (bytes(b"SOCKTRACE_RECORD"), bytes(b"/tmp/\xff.rec")),
        (bytes(b"SOCKTRACE_OUTPUT"), bytes(b"/tmp/\xff.json")),
        (bytes(b"SOCKTRACE_FILTER_COMM"), bytes(b"a\xff")),
    ];
    let run = machine.run("run");
    assert!(run.kernel.record.is_some() && run.filter.comms.len() == 1);
    assert_eq!(names(&run), [r"/tmp/\xff.json"]);
    assert!(machine.report("check-config").contains("SOCKTRACE_RECORD"));
    machine.variables = vec![(bytes(b"SOCKTRACE_LEAK_AFTER"), bytes(b"\xff"))];
    let mistakes = machine.mistakes("run");
    assert!(
        mistakes[0].starts_with("SOCKTRACE_LEAK_AFTER: "),
        "{mistakes:?}"
    );
}

#[test]
fn what_does_not_go_together_is_the_configurations_fault_if_it_has_a_part_in_it() {
    let text = "[filter]\nkind = \"close_wait\"\n";
    let machine = Machine::new(&[("socktrace.toml", text)]);
    let mistakes = machine.mistakes("run --state CLOSE");
    assert!(
        mistakes[0].contains("do not go together: no socket can match"),
        "{mistakes:?}"
    );
    assert!(matches!(
        machine.parse("run --state SYN_SENT"),
        Err(CliError::Usage(_))
    ));
    assert!(matches!(
        machine.parse("run --leak-after 1"),
        Err(CliError::Flags(_))
    ));
    let twice = "[[output]]\npath = \"/a\"\n[[output]]\npath = \"/a\"\n";
    let machine = Machine::new(&[("socktrace.toml", twice)]);
    assert!(machine.mistakes("check-config")[0].contains("given twice"));
}
