//! The alert rules, held against their unit tests by Prometheus's own tool.

use std::path::PathBuf;
use std::process::Command;

use socktrace_tests::child::Outcome;
use socktrace_tests::wait::SOON;

fn promtool(args: &[&str]) -> Outcome {
    let rules: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "..",
        "socktrace/packaging/prometheus",
    ]
    .iter()
    .collect();
    let mut command = Command::new("promtool");
    Outcome::of(command.args(args).current_dir(rules), SOON * 12)
}

#[test]
fn rules_are_well_formed() {
    let outcome = promtool(&["check", "rules", "socktrace.rules.yml"]);
    outcome.check_code(0);
    assert!(outcome.stdout.contains("12 rules found"), "{outcome:#?}");
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let outcome = promtool(&["test", "rules", "socktrace.rules.test.yml"]);
    outcome.check_code(0);
}

#[test]
fn the_part_of_a_configuration_is_one() {
    let outcome = promtool(&["check", "config", "scrape.yml"]);
    outcome.check_code(0);
}
