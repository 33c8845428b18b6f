//! Which compiler builds the eBPF programs, and how it is called.
//!
//! Used by `cargo xtask` and, through `#[path]`, by the build script of the `socktrace` crate, so that both
//! choose alike. It needs the standard library only.
//!
//! The crate `aya-build` would be the natural choice. It runs `rustup run <toolchain> cargo` and so cannot
//! reach a distribution's compiler without linking it into the user's rustup; it does not pass `--locked`;
//! it lets `RUSTFLAGS`' relatives and wrappers of the outer build through; and it compiles `core` anew for
//! each profile. Hence the few lines below.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of `bpf-linker` that setup installs.
pub(crate) const BPF_LINKER: &str = "0.13.0";
/// The LLVM that setup builds `bpf-linker` with. It must not be older than the compiler's.
pub(crate) const LLVM: u32 = 22;

/// The oldest distribution compiler that is used: the first whose LLVM and library are known to work.
const OLDEST_DISTRO: (u32, u32) = (1, 91);

/// A compiler with the source of `core`, and a linker for eBPF.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    linker: PathBuf,
    /// Set where the compiler is a stable one that has to be told to accept `-Z build-std`.
    bootstrap: bool,
}

impl Toolchain {
    /// Finds one: a rustup nightly with rust-src, else the distribution's. Reads directories only.
    ///
    /// A nightly whose LLVM is newer than the linker that setup builds stands back behind a complete
    /// distribution toolchain.
    ///
    /// # Errors
    ///
    /// What is missing, in words.
    pub(crate) fn find() -> Result<Self, String> {
        let linker = find_linker();
        let (nightly, distro) = (find_nightly(), find_distro());
        let rust = match (nightly, distro) {
            (Some(nightly), Some(distro)) if nightly.llvm > Some(LLVM) => Some((distro, true)),
            (Some(nightly), _) => Some((nightly.bin, false)),
            (None, distro) => distro.map(|distro| (distro, true)),
        };
        match (rust, linker) {
            (Some((bin, bootstrap)), Some(linker)) => Ok(Self {
                cargo: bin.join("cargo"),
                rustc: bin.join("rustc"),
                linker,
                bootstrap,
            }),
            (Some(_), None) => Err("bpf-linker is missing".into()),
            (None, Some(_)) => Err("a Rust compiler with the source of `core` is missing".into()),
            (None, None) => {
                Err("bpf-linker and a Rust compiler with the source of `core` are missing".into())
            }
        }
    }

    /// The compiler.
    pub(crate) fn rustc(&self) -> &Path {
        &self.rustc
    }

    /// The linker.
    pub(crate) fn linker(&self) -> &Path {
        &self.linker
    }

    /// True for a distribution's compiler.
    pub(crate) fn is_distro(&self) -> bool {
        self.bootstrap
    }

    /// `cargo SUBCOMMAND` in `ebpf`, the directory of the programs, for `target`; `arch` is the machine's
    /// (`x86_64`), which decides how registers are read.
    ///
    /// The environment is cleared of what an outer cargo or the user set for other compilers; where crates
    /// come from (`CARGO_HOME`, registries, network) and the job server stay.
    pub(crate) fn cargo(&self, subcommand: &str, ebpf: &Path, target: &str, arch: &str) -> Command {
        // Called by its path, for cargo looks for subcommands in CARGO_HOME first, where rustup's are.
        let program = if subcommand == "clippy" {
            "cargo-clippy"
        } else {
            "cargo"
        };
        let mut command = Command::new(self.cargo.with_file_name(program));
        for (name, _) in env::vars_os() {
            if is_foreign(&name) {
                command.env_remove(name);
            }
        }
        if self.bootstrap {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command
            .current_dir(ebpf)
            .env("PATH", path_with(self.rustc.parent()))
            .env("CARGO", &self.cargo)
            .env("RUSTC", &self.rustc)
            // An empty value also switches off a wrapper that is set in the user's configuration file.
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_WORKSPACE_WRAPPER", "")
            .env(linker_variable(target), &self.linker)
            .env("CARGO_ENCODED_RUSTFLAGS", rustflags(arch))
            .args([
                subcommand,
                "--release",
                "--locked",
                "-Z",
                "build-std=core",
                "--target",
                target,
            ]);
        command
    }
}

/// The eBPF target for a machine of `endian`, as in `CARGO_CFG_TARGET_ENDIAN`.
pub(crate) fn ebpf_target(endian: &str) -> &'static str {
    if endian == "big" {
        "bpfeb-unknown-none"
    } else {
        "bpfel-unknown-none"
    }
}

/// A program on `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Where cargo installs programs.
pub(crate) fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from);
    Some(
        home.or_else(|| Some(env::home_dir()?.join(".cargo")))?
            .join("bin"),
    )
}

struct Nightly {
    bin: PathBuf,
    llvm: Option<u32>,
}

fn find_linker() -> Option<PathBuf> {
    let installed = cargo_bin()
        .map(|bin| bin.join("bpf-linker"))
        .filter(|file| file.is_file());
    on_path("bpf-linker").or(installed)
}

/// The toolchain that `+nightly` means, if it has the source of `core`.
fn find_nightly() -> Option<Nightly> {
    let home = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let toolchains = home
        .or_else(|| Some(env::home_dir()?.join(".rustup")))?
        .join("toolchains");
    let prefix = format!("nightly-{}-", env::consts::ARCH);
    let root = fs::read_dir(toolchains)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .find(|root| has_core(root))?;
    Some(Nightly {
        llvm: llvm_of(&root),
        bin: root.join("bin"),
    })
}

/// The distribution's compiler, if it is complete and new enough.
fn find_distro() -> Option<PathBuf> {
    let root = Path::new("/usr");
    let complete =
        has_core(root) && root.join("bin/cargo").is_file() && root.join("bin/rustc").is_file();
    // Debian's source package is a link to a folder that carries the version: `rustc-1.96.0`.
    let source = fs::canonicalize(root.join("lib/rustlib/src/rust")).ok()?;
    let version = version_of(source.file_name()?.to_str()?.strip_prefix("rustc-")?)?;
    (complete && version >= OLDEST_DISTRO).then(|| root.join("bin"))
}

fn has_core(root: &Path) -> bool {
    root.join("lib/rustlib/src/rust/library/core/src/lib.rs")
        .is_file()
}

/// LLVM's major version from the name of its library: `libLLVM.so.22.1-rust-1.97.0-nightly`.
fn llvm_of(root: &Path) -> Option<u32> {
    fs::read_dir(root.join("lib"))
        .ok()?
        .filter_map(Result::ok)
        .find_map(|entry| {
            let name = entry.file_name();
            let version = name
                .to_str()?
                .strip_prefix("libLLVM.so.")?
                .split('.')
                .next()?;
            version.parse().ok()
        })
}

fn version_of(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn is_foreign(variable: &OsStr) -> bool {
    const KEPT: [&str; 5] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
    ];
    // What cargo tells a build script about the outer build.
    const OUTER: [&str; 8] = [
        "TARGET",
        "HOST",
        "OUT_DIR",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
        "NUM_JOBS",
        "LD_LIBRARY_PATH",
    ];
    let name = variable.to_string_lossy();
    if name == "CARGO_MAKEFLAGS" || KEPT.iter().any(|kept| name.starts_with(kept)) {
        return false;
    }
    let of_rust = ["CARGO", "RUSTC", "RUSTFLAGS", "RUSTDOC", "DEP_"];
    of_rust.iter().any(|prefix| name.starts_with(prefix))
        || name == "RUSTUP_TOOLCHAIN"
        || OUTER.contains(&name.as_ref())
}

fn linker_variable(target: &str) -> String {
    format!(
        "CARGO_TARGET_{}_LINKER",
        target.to_uppercase().replace('-', "_")
    )
}

fn rustflags(arch: &str) -> String {
    // aya knows every 64-bit RISC-V by one name.
    let arch = if arch.starts_with("riscv64") {
        "riscv64"
    } else {
        arch
    };
    let arch = format!("--cfg=bpf_target_arch=\"{arch}\"");
    [arch.as_str(), "-Cdebuginfo=2", "-Clink-arg=--btf"].join("\x1f")
}

fn path_with(first: Option<&Path>) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = first
        .map(Path::to_path_buf)
        .into_iter()
        .chain(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path)
}
