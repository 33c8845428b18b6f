//! `cargo xtask setup`: install what is missing, and nothing else.
//!
//! Where all is there it looks at a few files and is done.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;
use crate::toolchain::{self, BPF_LINKER, LLVM, Toolchain};

/// A Debian package, and a file that proves it installed.
type Package = (&'static str, &'static str);

/// What the tests need besides the build's needs.
const TEST_PACKAGES: [Package; 8] = [
    ("gcc", "/usr/bin/gcc"),
    ("g++", "/usr/bin/g++"),
    ("libc6-dev", "/usr/lib/x86_64-linux-gnu/libc.a"),
    ("python3-minimal", "/usr/bin/python3"),
    ("qemu-system-x86", "/usr/bin/qemu-system-x86_64"),
    ("busybox-static", "/usr/share/doc/busybox-static/copyright"),
    ("cpio", "/usr/bin/cpio"),
    ("xz-utils", "/usr/bin/xz"),
];

/// Makes sure that the eBPF programs can be built.
pub(crate) fn build() -> Result<()> {
    let Err(missing) = Toolchain::find() else {
        return Ok(());
    };
    if !can_use_apt() {
        bail!("{missing}\n{}", by_hand());
    }
    eprintln!("setup: {missing}");
    if !distro_rust_is_available()? {
        bail!("{missing}, and this distribution has no package rustc-web\n{}", by_hand());
    }
    let llvm = format!("llvm-{LLVM}-dev");
    let mut packages = vec!["rustc-web", "rust-web-src", "cargo-web"];
    let linker_is_there = toolchain::on_path("bpf-linker").is_some();
    if !linker_is_there {
        packages.extend([llvm.as_str(), "libzstd-dev", "zlib1g-dev", "gcc", "g++", "libc6-dev"]);
    }
    install(&packages)?;
    if Toolchain::find().is_err() {
        install_linker()?;
    }
    Toolchain::find().map(drop).map_err(|missing| {
        anyhow::anyhow!("{missing}, although setup went through\n{}", by_hand())
    })
}

/// Makes sure that everything can be built and tested.
pub(crate) fn tests() -> Result<()> {
    build()?;
    rustup_components()?;
    let mut missing: Vec<&str> = TEST_PACKAGES
        .iter()
        .filter(|(_, proof)| !Path::new(proof).exists())
        .map(|(package, _)| *package)
        .collect();
    let distro = Toolchain::find().is_ok_and(|toolchain| toolchain.is_distro());
    if distro && !Path::new("/usr/bin/cargo-clippy").exists() {
        missing.push("rust-web-clippy");
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !can_use_apt() {
        bail!("the tests need the packages {}; install them (as root, on Debian or Ubuntu)", missing.join(", "));
    }
    install(&missing)
}

fn by_hand() -> String {
    format!(
        "On Debian or Ubuntu, as root, `cargo xtask setup` installs what is needed. Elsewhere:\n  \
         rustup toolchain install nightly --component rust-src\n  \
         cargo install bpf-linker --version {BPF_LINKER} --locked\n\
         The LLVM of bpf-linker must not be older than the compiler's (`rustc +nightly -vV` tells it)."
    )
}

fn can_use_apt() -> bool {
    Path::new("/etc/debian_version").exists() && toolchain::on_path("apt-get").is_some() && shell::is_root()
}

fn distro_rust_is_available() -> Result<bool> {
    let has = || -> Result<bool> {
        let policy = shell::read(shell::program("apt-cache").args(["policy", "rustc-web"]))?;
        Ok(policy.lines().any(|line| line.contains("Candidate:") && !line.contains("(none)")))
    };
    if has()? {
        return Ok(true);
    }
    update()?;
    has()
}

fn install(packages: &[&str]) -> Result<()> {
    if install_from_known_lists(packages).is_ok() {
        return Ok(());
    }
    // The lists may be old, or none may be there at all, as in a fresh container.
    update()?;
    install_from_known_lists(packages)
}

fn install_from_known_lists(packages: &[&str]) -> Result<()> {
    // Nothing of the user's is removed for us: a conflicting package makes this fail instead.
    let mut apt = shell::program("apt-get");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends", "--no-remove"]);
    shell::run(apt.args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn update() -> Result<()> {
    shell::run(shell::program("apt-get").args(["update", "--quiet"]))
}

fn install_linker() -> Result<()> {
    let mut cargo = shell::cargo();
    // The linker is a tool of the user's, built as they would: not with what this workspace sets.
    for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    cargo
        .current_dir("/")
        .env("LLVM_PREFIX", format!("/usr/lib/llvm-{LLVM}"))
        .args(["install", "bpf-linker", "--version", BPF_LINKER, "--locked"])
        .args(["--no-default-features", "--features", &format!("llvm-{LLVM}")]);
    shell::run(&mut cargo)
}

/// rustup's minimal profile lacks clippy and rustfmt.
fn rustup_components() -> Result<()> {
    let missing: Vec<&str> = [("clippy", "cargo-clippy"), ("rustfmt", "cargo-fmt")]
        .into_iter()
        .filter(|(_, program)| !beside_cargo(program) && toolchain::on_path(program).is_none())
        .map(|(component, _)| component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let toolchain = env::var("RUSTUP_TOOLCHAIN").context("clippy and rustfmt are missing: install them")?;
    let mut rustup = Command::new("rustup");
    shell::run(rustup.args(["component", "add", "--toolchain", &toolchain]).args(missing))
}

fn beside_cargo(program: &str) -> bool {
    env::var_os("CARGO")
        .map(PathBuf::from)
        .and_then(|cargo| fs::canonicalize(cargo).ok())
        .is_some_and(|cargo| cargo.with_file_name(program).is_file())
}
