//! Wrong arguments: status 2 and a line that says what is wrong.

use crate::{check_failure, run};

const COMMANDS: [&str; 7] = [
    "run", "trace", "scan", "doctor", "history", "replay", "schema",
];

#[test]
fn unknown_words() {
    for args in [
        &["run", "--no-such-flag"][..],
        &["no-such-command"],
        &["run", "--kind", "no_such_kind"],
        &["run", "--format", "no_such_format"],
        &["scan", "--state", "NO_SUCH_STATE"],
        &["scan", "--by", "no_such_group"],
        &["scan", "--family", "5"],
        &["schema", "--format", "text"],
        &["run", "extra"],
    ] {
        let wrong = args.last().copied().unwrap_or_default();
        check_failure(args, 2, &[wrong]);
    }
}

#[test]
fn durations_need_a_unit_and_a_size() {
    for wrong in ["60", "soon", "", "-1s", "0s", "1ms"] {
        check_failure(
            &["run", &format!("--leak-after={wrong}")],
            2,
            &["--leak-after"],
        );
    }
}

#[test]
fn filters_that_nothing_can_pass() {
    for (args, words) in [
        (
            &["run", "--kind", "close_wait", "--state", "ESTABLISHED"][..],
            &["--kind", "--state"][..],
        ),
        (&["scan", "--port", "0"], &["--port"]),
        (&["scan", "--port", "65536"], &["--port"]),
        (&["scan", "--pid", "0"], &["--pid"]),
        (&["trace", "--comm", "a-name-of-17-byte"], &["--comm"]),
    ] {
        check_failure(args, 2, words);
    }
}

#[test]
fn outputs_of_no_kind_that_there_is() {
    check_failure(
        &["run", "--output", "carrier-pigeon://home"],
        2,
        &["carrier-pigeon"],
    );
}

#[test]
fn a_missing_command_or_file() {
    for args in [&[][..], &["replay"]] {
        let outcome = run(args);
        outcome.check_code(2);
        assert_eq!(outcome.stdout, "", "{outcome:#?}");
        assert_ne!(outcome.stderr, "", "{outcome:#?}");
    }
}

#[test]
fn help_is_given_to_whoever_asks() {
    for command in COMMANDS {
        let help = run(&[command, "--help"]);
        help.check_code(0);
        assert!(
            help.stdout.contains("Usage:") && help.stdout.contains(command),
            "{help:#?}"
        );
        assert_eq!(help.stderr, "");
    }
    let help = run(&["--help"]);
    help.check_code(0);
    for command in COMMANDS {
        assert!(
            help.stdout.contains(command),
            "no {command} in {}",
            help.stdout
        );
    }
    let version = run(&["--version"]);
    version.check_code(0);
    assert_eq!(
        version.stdout,
        format!("socktrace {}\n", env!("CARGO_PKG_VERSION"))
    );
}
