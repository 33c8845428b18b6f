//! Without privileges: status 77 and the line that cures it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use socktrace_tests::program;

use crate::{check_refused, outcome};

/// `nobody`, by tradition.
const NOBODY: u32 = 65_534;

#[test]
fn whoever_may_not_look_is_told_how() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = copy_for_everybody(folder.path());
    for args in [&["run"][..], &["trace"]] {
        check_refused(&outcome(&mut as_nobody(&copy, args)), 77, &["root", "sudo"]);
    }
}

/// What anybody may see is shown, with one line on what is not.
#[test]
fn whoever_may_not_look_far_scans_what_is_his() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = copy_for_everybody(folder.path());
    let outcome = outcome(&mut as_nobody(&copy, &["scan", "--format", "json"]));
    outcome.check_code(0);
    let line = outcome.one_error_line();
    for word in ["closed_held", "CAP_BPF", "root"] {
        assert!(line.contains(word), "no {word} in {line:?}");
    }
    let [summary] = outcome.stdout.lines().collect::<Vec<_>>()[..] else {
        panic!("a summary and nothing else: {outcome:#?}")
    };
    assert!(summary.contains("\"sock_diag\""), "{summary}");
}

#[test]
fn wrong_arguments_are_wrong_for_everybody() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = copy_for_everybody(folder.path());
    let mut command = as_nobody(&copy, &["run", "--leak-after", "soon"]);
    check_refused(&outcome(&mut command), 2, &["--leak-after"]);
}

/// Nobody may not go where the program was built. The copy is made by a process of its own: a file
/// that is open for writing, be it in a child that another test has just forked, cannot be run.
pub(crate) fn copy_for_everybody(folder: &Path) -> PathBuf {
    let copy = folder.join("socktrace");
    outcome(Command::new("cp").arg(program::path()).arg(&copy)).check_code(0);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("permissions");
    copy
}

pub(crate) fn as_nobody(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir("/");
    // SAFETY: geteuid() has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
