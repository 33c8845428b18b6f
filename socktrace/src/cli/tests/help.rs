//! The help as users see it.

use clap::CommandFactory;
use insta::assert_snapshot;

use super::super::args::Args;

/// The long help of a command; of the program where `name` is empty.
fn help(name: &str) -> String {
    let mut program = Args::command().term_width(100);
    program.build();
    let command = match name {
        "" => &mut program,
        name => program.find_subcommand_mut(name).unwrap(),
    };
    // Snapshots hold no blanks at the ends of lines.
    let help = command.render_long_help().to_string();
    help.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_definition_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn help_of_the_program() {
    assert_snapshot!(help(""));
}

#[test]
fn help_of_run() {
    assert_snapshot!(help("run"));
}

#[test]
fn help_of_trace() {
    assert_snapshot!(help("trace"));
}

#[test]
fn help_of_scan() {
    assert_snapshot!(help("scan"));
}

#[test]
fn help_of_doctor() {
    assert_snapshot!(help("doctor"));
}

#[test]
fn help_of_replay() {
    assert_snapshot!(help("replay"));
}

#[test]
fn help_of_schema() {
    assert_snapshot!(help("schema"));
}

#[test]
fn help_of_history() {
    assert_snapshot!(help("history"));
}
