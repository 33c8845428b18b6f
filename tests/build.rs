//! Compiles the C workloads, statically where the C library allows it, so that they also run in a
//! virtual machine that holds nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

const SOURCES: &str = "workloads/c";
const FLAGS: [&str; 6] = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];

fn main() {
    println!("cargo::rerun-if-changed={SOURCES}");
    println!("cargo::rerun-if-env-changed=CC");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_else(|| fail("OUT_DIR is not set")));
    let out = out.join("c");
    if let Err(err) = fs::create_dir_all(&out) {
        fail(&format!("cannot create {}: {err}", out.display()));
    }
    for source in sources() {
        let program = out.join(source.file_stem().unwrap_or_default());
        if !compile(&source, &program, true) && !compile(&source, &program, false) {
            fail(&format!(
                "cannot compile {}; a C compiler is needed",
                source.display()
            ));
        }
    }
}

/// Every C file among the workloads, sorted.
fn sources() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(SOURCES) else {
        return Vec::new();
    };
    let mut sources: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "c"))
        .collect();
    sources.sort();
    sources
}

fn compile(source: &Path, program: &Path, is_static: bool) -> bool {
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(FLAGS).arg("-o").arg(program).arg(source);
    if is_static {
        cc.arg("-static");
    }
    cc.status().is_ok_and(|status| status.success())
}

fn fail(why: &str) -> ! {
    println!("cargo::error={why}");
    process::exit(1)
}
