//! Workloads in Go, for the cases about Go services.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Builds `workloads/go/NAME.go` into the folder that this test was built into, once a run, and returns the
/// program.
///
/// # Panics
///
/// If that fails.
#[must_use]
pub fn build(name: &str) -> PathBuf {
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let this = env::current_exe().expect("the path of this test");
    // target/<profile>/deps/<test>
    let folder = this.ancestors().nth(2).expect("a folder").join("go");
    let program = folder.join(name);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.contains(name) {
        return program;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("workloads/go")
        .join(name)
        .with_extension("go");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&program).arg(source);
    // The standard library only: nothing is to be fetched, nor anything of the user's to be used.
    go.env("GOCACHE", folder.join("cache"))
        .env("GO111MODULE", "off")
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0");
    let status = go.status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cannot build with {go:?}; `cargo xtask setup` installs Go"
    );
    built.insert(name.to_owned());
    program
}
