//! What lines look like, told without a kernel.

use serde_json::Value;
use socktrace_tests::child::Running;
use socktrace_tests::program::socktrace;

use crate::{AT_ONCE, run};

#[test]
fn the_schema_is_json_and_names_every_kind_of_line() {
    for args in [&["schema"][..], &["schema", "--format", "ecs"]] {
        let outcome = run(args);
        outcome.check_code(0);
        let schema: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let kinds = schema["oneOf"].as_array().expect("kinds of lines");
        for kind in kinds {
            let name = kind["$ref"].as_str().expect("a reference");
            assert!(schema.pointer(&name[1..]).is_some(), "no {name}");
        }
        assert!(kinds.len() >= 8, "{kinds:?}");
    }
}

/// Every format has the same events; what collectors have no class for is told in the native one alone.
#[test]
fn examples_are_there_in_every_format() {
    let native = run(&["schema", "--examples"]);
    native.check_code(0);
    let actions: Vec<_> = native
        .stdout
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            line["event"]["action"]
                .as_str()
                .expect("an action")
                .to_owned()
        })
        .collect();
    for action in ["socket.leak", "process.leak", "socktrace.status"] {
        assert!(actions.iter().any(|other| other == action), "no {action}");
    }
    let count = |format| {
        let outcome = run(&["schema", "--format", format]);
        outcome.check_code(0);
        outcome.stdout.lines().count()
    };
    let (ocsf, cef, otlp) = (count("ocsf"), count("cef"), count("otlp"));
    assert!(
        ocsf > 30 && ocsf == cef && cef == otlp,
        "{ocsf} {cef} {otlp}"
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_a_quiet_end() {
    let mut child = Running::spawn(&mut socktrace(&["schema"])).expect("socktrace");
    drop(child.take_stdout());
    let status = child.wait(AT_ONCE).expect("it ends");
    assert_eq!((status.code(), child.stderr().as_str()), (Some(0), ""));
}
