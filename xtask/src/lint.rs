//! `cargo xtask lint`: rustfmt, clippy and rustdoc, for the host and for the eBPF programs. Warnings fail.

use anyhow::Result;

use crate::toolchain::{self, Toolchain};
use crate::{setup, shell};

/// Checks everything.
pub(crate) fn command() -> Result<()> {
    setup::tests()?;
    format()?;
    clippy_host()?;
    clippy_ebpf()?;
    documentation()
}

fn format() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    for other in ["socktrace-ebpf", "tests/fuzz"] {
        let manifest = shell::root().join(other).join("Cargo.toml");
        if manifest.exists() {
            // Without `--all`: that would follow the path to crates that were checked above.
            shell::run(
                shell::cargo()
                    .args(["fmt", "--check", "--manifest-path"])
                    .arg(manifest),
            )?;
        }
    }
    Ok(())
}

fn clippy_host() -> Result<()> {
    let variants: [&[&str]; 3] = [
        &[
            "--workspace",
            "--all-targets",
            "--features",
            "socktrace/full,socktrace/debug-log",
        ],
        // What tests need is checked with the others.
        &["--package", "socktrace"],
        &[
            "--package",
            "socktrace",
            "--all-targets",
            "--no-default-features",
        ],
    ];
    for variant in variants {
        let mut cargo = shell::cargo();
        cargo.args(["clippy", "--locked"]).args(variant);
        shell::run(cargo.args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}

fn clippy_ebpf() -> Result<()> {
    let toolchain = Toolchain::find().map_err(anyhow::Error::msg)?;
    let ebpf = shell::root().join("socktrace-ebpf");
    let target = toolchain::ebpf_target(if cfg!(target_endian = "big") {
        "big"
    } else {
        "little"
    });
    for features in ["", "debug-log"] {
        let mut clippy = toolchain.cargo("clippy", &ebpf, target, std::env::consts::ARCH);
        clippy.arg("--target-dir").arg(shell::target().join("ebpf"));
        clippy.args(["--features", features, "--", "--deny", "warnings"]);
        shell::run(&mut clippy)?;
    }
    Ok(())
}

fn documentation() -> Result<()> {
    let mut cargo = shell::cargo();
    cargo.args(["doc", "--workspace", "--no-deps", "--locked"]);
    cargo.args(["--features", "socktrace/full,socktrace/debug-log"]);
    shell::run(cargo.env("RUSTDOCFLAGS", "--deny warnings"))
}
