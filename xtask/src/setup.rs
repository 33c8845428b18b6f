//! `cargo xtask setup`: install what is missing, and nothing else.
//!
//! Where all is there it looks at a few files and is done.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::toolchain::{self, BPF_LINKER, LLVM, Toolchain};
use crate::{python, quiet, shell, validate, vm};

/// A Debian package, and what proves it installed.
type Package = (&'static str, fn() -> bool);

/// What the tests need besides the build's needs.
const TEST_PACKAGES: [Package; 22] = [
    ("gcc", || has_program("gcc")),
    ("g++", || has_program("g++")),
    ("libc6-dev", has_static_libc),
    ("python3", has_python),
    ("python3-venv", python::has_venv),
    ("npm", || validate::is_fetched() || has_program("npm")),
    // The programs of the kernel tests about real services.
    ("curl", || has_program("curl")),
    ("golang-go", || has_program("go")),
    ("nginx-light", || has_program("nginx")),
    ("busybox-static", has_static_busybox),
    ("cpio", || has_program("cpio")),
    ("xz-utils", || has_program("xz")),
    ("rsyslog", || has_program("rsyslogd")),
    ("prometheus", || {
        has_program("prometheus") && has_program("promtool")
    }),
    ("rsyslog-gnutls", has_gnutls_driver),
    ("openssl", || has_program("openssl")),
    ("nats-server", || has_program("nats-server")),
    // What the packages that `dist` makes are looked at with.
    ("lintian", || has_program("lintian")),
    ("man-db", || has_program("man")),
    MUSL,
    ("systemd", || has_program("systemd-analyze")),
    ("debian-archive-keyring", || {
        Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists()
    }),
];

/// The compiler for what the static program has of C.
const MUSL: Package = ("musl-tools", || has_program("musl-gcc"));

/// What a system is made with and booted.
const CONTAINER: [Package; 2] = [
    ("debootstrap", || has_program("debootstrap")),
    ("systemd-container", || has_program("systemd-nspawn")),
];

/// What `bench` compares with.
const PEERS: [Package; 4] = [
    ("libbpf-tools", || {
        has_program("tcpstates") || Path::new("/usr/sbin/tcpstates").exists()
    }),
    ("iproute2", || has_program("ss")),
    ("lsof", || has_program("lsof")),
    ("linux-perf", || has_program("perf")),
];

/// Installs what is missing and says what will be used.
pub(crate) fn command(for_tests: bool, for_bench: bool) -> Result<()> {
    if for_tests { tests() } else { build() }?;
    if for_bench {
        peers()?;
    }
    let toolchain = Toolchain::find().map_err(anyhow::Error::msg)?;
    eprintln!(
        "setup: complete; eBPF programs are built with {} and {}",
        toolchain.rustc().display(),
        toolchain.linker().display()
    );
    Ok(())
}

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
        bail!(
            "{missing}, and this distribution has no package rustc-web\n{}",
            by_hand()
        );
    }
    let llvm = format!("llvm-{LLVM}-dev");
    let mut packages = vec!["rustc-web", "rust-web-src", "cargo-web"];
    let linker_is_there = toolchain::on_path("bpf-linker").is_some();
    if !linker_is_there {
        packages.extend([
            llvm.as_str(),
            "libzstd-dev",
            "zlib1g-dev",
            "gcc",
            "g++",
            "libc6-dev",
        ]);
    }
    install(&packages)?;
    if Toolchain::find().is_err() {
        install_linker()?;
    }
    Toolchain::find()
        .map(drop)
        .map_err(|missing| anyhow::anyhow!("{missing}, although setup went through\n{}", by_hand()))
}

/// Makes sure that everything can be built and tested.
pub(crate) fn tests() -> Result<()> {
    build()?;
    rustup_components()?;
    let mut missing: Vec<&str> = TEST_PACKAGES
        .iter()
        .filter(|(_, is_there)| !is_there())
        .map(|(package, _)| *package)
        .collect();
    let distro = Toolchain::find().is_ok_and(|toolchain| toolchain.is_distro());
    if distro && !Path::new("/usr/bin/cargo-clippy").exists() {
        missing.push("rust-web-clippy");
    }
    if missing.is_empty() {
        return fetched();
    }
    if !can_use_apt() {
        bail!(
            "the tests need the packages {}; install them (as root, on Debian or Ubuntu)",
            missing.join(", ")
        );
    }
    install(&missing)?;
    fetched()
}

/// Makes sure that packages can be made.
pub(crate) fn dist() -> Result<()> {
    build()?;
    let (package, is_there) = MUSL;
    if !is_there() {
        if !can_use_apt() {
            bail!("the static program needs {package}; install it (as root, on Debian or Ubuntu)");
        }
        install(&[package])?;
    }
    rustup_target(&crate::dist::static_target())
}

/// The standard library for a target.
fn rustup_target(target: &str) -> Result<()> {
    let toolchain = env::var("RUSTUP_TOOLCHAIN")
        .with_context(|| format!("install the standard library for {target}"))?;
    let mut rustup = Command::new("rustup");
    let installed =
        shell::read(rustup.args(["target", "list", "--installed", "--toolchain", &toolchain]))?;
    if installed.lines().any(|line| line == target) {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    shell::run(rustup.args(["target", "add", "--toolchain", &toolchain, target]))
}

/// What comes from elsewhere than the distribution.
fn fetched() -> Result<()> {
    rustup_target(&crate::dist::static_target())?;
    python::setup()?;
    validate::setup()?;
    vm::setup()
}

/// Makes sure that a system can be made and booted in a container.
pub(crate) fn container() -> Result<()> {
    all_of(&CONTAINER)
}

/// Makes sure that there is something to compare with.
fn peers() -> Result<()> {
    all_of(&PEERS)
}

fn all_of(packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|(_, is_there)| !is_there())
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !can_use_apt() {
        bail!(
            "install {} (as root, on Debian or Ubuntu)",
            missing.join(", ")
        );
    }
    install(&missing)
}

fn has_program(name: &str) -> bool {
    toolchain::on_path(name).is_some()
}

fn has_static_libc() -> bool {
    let folders = [
        format!("/usr/lib/{}-linux-gnu", env::consts::ARCH),
        "/usr/lib64".into(),
        "/usr/lib".into(),
    ];
    folders
        .iter()
        .any(|folder| Path::new(folder).join("libc.a").is_file())
}

/// Whether rsyslog can speak TLS.
fn has_gnutls_driver() -> bool {
    let lib = format!(
        "/usr/lib/{}-linux-gnu/rsyslog/lmnsd_gtls.so",
        env::consts::ARCH
    );
    Path::new(&lib).exists()
}

/// Whether the system's Python is there with its whole library: Debian's minimal one knows no JSON.
fn has_python() -> bool {
    let program = fs::canonicalize("/usr/bin/python3");
    program.is_ok_and(|program| {
        let name = program.file_name().unwrap_or_default();
        Path::new("/usr/lib")
            .join(name)
            .join("json/__init__.py")
            .is_file()
    })
}

/// Whether busybox needs no other file: the guests have none.
fn has_static_busybox() -> bool {
    let Some(file) = toolchain::on_path("busybox").and_then(|file| fs::read(file).ok()) else {
        return false;
    };
    !file
        .windows(b"ld-linux".len())
        .take(1 << 16)
        .any(|window| window == b"ld-linux")
}

fn by_hand() -> String {
    format!(
        "On Debian or Ubuntu, as root, `cargo xtask setup` installs what is needed. Elsewhere:\n  \
         rustup toolchain install nightly --component rust-src\n  \
         cargo install bpf-linker --version {BPF_LINKER} --locked --no-default-features --features llvm-{LLVM}\n\
         The LLVM named last has to be installed with its headers, and must not be older than the compiler's \
         (`rustc +nightly -vV` tells it)."
    )
}

fn can_use_apt() -> bool {
    Path::new("/etc/debian_version").exists()
        && toolchain::on_path("apt-get").is_some()
        && shell::is_root()
}

fn distro_rust_is_available() -> Result<bool> {
    let has = || -> Result<bool> {
        let policy = shell::read(shell::program("apt-cache").args(["policy", "rustc-web"]))?;
        Ok(policy
            .lines()
            .any(|line| line.contains("Candidate:") && !line.contains("(none)")))
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
    apt.args([
        "install",
        "--yes",
        "--quiet",
        "--no-install-recommends",
        "--no-remove",
    ]);
    let _quiet = quiet::NoServices::begin()?;
    shell::run(apt.args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Reads the archives' lists anew.
pub(crate) fn update() -> Result<()> {
    shell::run(shell::program("apt-get").args(["update", "--quiet"]))
}

fn install_linker() -> Result<()> {
    let mut cargo = shell::cargo();
    // The linker is a tool of the user's, built as they would: not with what this workspace sets.
    for name in [
        "CARGO_TARGET_DIR",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
    ] {
        cargo.env_remove(name);
    }
    cargo
        .current_dir("/")
        .env("LLVM_PREFIX", format!("/usr/lib/llvm-{LLVM}"))
        .args(["install", "bpf-linker", "--version", BPF_LINKER, "--locked"])
        .args([
            "--no-default-features",
            "--features",
            &format!("llvm-{LLVM}"),
        ]);
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
    let toolchain =
        env::var("RUSTUP_TOOLCHAIN").context("clippy and rustfmt are missing: install them")?;
    let mut rustup = Command::new("rustup");
    shell::run(
        rustup
            .args(["component", "add", "--toolchain", &toolchain])
            .args(missing),
    )
}

fn beside_cargo(program: &str) -> bool {
    env::var_os("CARGO")
        .map(PathBuf::from)
        .and_then(|cargo| fs::canonicalize(cargo).ok())
        .is_some_and(|cargo| cargo.with_file_name(program).is_file())
}
