//! Without privileges: status 77 and the line that cures it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use socktrace_tests::program;

use crate::{check_refused, outcome};

/// `nobody`, by tradition.
const NOBODY: u32 = 65_534;

#[test]
fn whoever_may_not_look_is_told_how() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody may not go where the program was built.
    let copy = folder.path().join("socktrace");
    fs::copy(program::path(), &copy).expect("a copy");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    for args in [&["run"][..], &["trace"], &["scan"]] {
        check_refused(&outcome(&mut as_nobody(&copy, args)), 77, &["root", "sudo"]);
    }
}

#[test]
fn wrong_arguments_are_wrong_for_everybody() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("socktrace");
    fs::copy(program::path(), &copy).expect("a copy");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    let mut command = as_nobody(&copy, &["run", "--leak-after", "soon"]);
    check_refused(&outcome(&mut command), 2, &["--leak-after"]);
}

fn as_nobody(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir("/");
    // SAFETY: geteuid() has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
