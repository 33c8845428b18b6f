//! Builds the eBPF programs and leaves their object at `$OUT_DIR/socktrace.bpf.o`, to be embedded.
//!
//! Does nothing without the feature `kernel`. The programs' own target folder is shared by all profiles
//! (`target/ebpf`), so that `core` is compiled once.

#[path = "../xtask/src/toolchain.rs"]
#[expect(dead_code, reason = "xtask uses the rest")]
mod toolchain;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toolchain::Toolchain;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_KERNEL").is_none() {
        return;
    }
    if let Err(reason) = build() {
        println!("cargo::error={reason}");
    }
}

fn build() -> Result<(), String> {
    let crate_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = crate_dir.parent().ok_or("the crate has no parent folder")?;
    let ebpf = root.join("socktrace-ebpf");
    rerun_if_changed(root);

    let toolchain = Toolchain::find().map_err(|missing| {
        format!("cannot build the eBPF programs: {missing}; run `cargo xtask setup`")
    })?;
    println!("cargo::rerun-if-changed={}", toolchain.linker().display());

    let target = toolchain::ebpf_target(&variable("CARGO_CFG_TARGET_ENDIAN")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let debug_log = env::var_os("CARGO_FEATURE_DEBUG_LOG").is_some();
    let folder = target_folder(&out).join(if debug_log { "ebpf-debug-log" } else { "ebpf" });

    let mut cargo = toolchain.cargo("build", &ebpf, target, &variable("CARGO_CFG_TARGET_ARCH")?);
    cargo.arg("--target-dir").arg(&folder);
    if debug_log {
        cargo.args(["--features", "debug-log"]);
    }
    // Standard output belongs to the directives above.
    let status = cargo
        .stdout(io::stderr())
        .status()
        .map_err(|e| format!("cannot run {cargo:?}: {e}"))?;
    if !status.success() {
        return Err(format!(
            "the eBPF programs did not build with {} and {} ({status}; messages below)",
            toolchain.rustc().display(),
            toolchain.linker().display()
        ));
    }
    let object = folder.join(target).join("release/socktrace");
    fs::copy(&object, out.join("socktrace.bpf.o"))
        .map_err(|e| format!("cannot copy {}: {e}", object.display()))?;
    Ok(())
}

fn rerun_if_changed(root: &Path) {
    for part in [
        "xtask/src/toolchain.rs",
        "socktrace-ebpf/Cargo.toml",
        "socktrace-ebpf/Cargo.lock",
        "socktrace-ebpf/src",
        "socktrace-common/Cargo.toml",
        "socktrace-common/src",
        "Cargo.toml",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
    }
}

/// Cargo's target folder: the nearest one above `out` that cargo marked as a cache, else `out` itself.
fn target_folder(out: &Path) -> &Path {
    out.ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .unwrap_or(out)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}; is this run by cargo?"))
}
