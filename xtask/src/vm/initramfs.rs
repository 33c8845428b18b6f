//! The guest's files: busybox, Python, the programs, and an init that runs the tests.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use super::Breadth;
use super::guest::Guest;
use super::kernels::Kernel;
use super::machine::{BOOTED, FINISHED, NO_RUNGS, RUNG_ENDED};
use crate::{shell, toolchain};

/// Parts of Python's library that no workload needs, and that are large.
const WITHOUT: [&str; 6] = [
    "test",
    "lib2to3",
    "pydoc_data",
    "distutils",
    "idlelib",
    "ensurepip",
];

/// Writes the archive for one kernel into `folder` and returns its path. `rungs`: all, if empty.
pub(super) fn build(
    folder: &Path,
    guest: &Guest,
    kernel: &Kernel,
    rungs: &[String],
    breadth: Breadth,
) -> Result<PathBuf> {
    let root = folder.join("root");
    let _ = fs::remove_dir_all(&root);
    for part in [
        "bin",
        "dev",
        "proc",
        "sys",
        "tmp",
        "run",
        "root",
        "etc",
        "var/log",
        "modules",
        "socktrace",
    ] {
        fs::create_dir_all(root.join(part))
            .with_context(|| format!("cannot make {}", root.display()))?;
    }
    let busybox = toolchain::on_path("busybox").context("busybox is missing")?;
    copy(&busybox, &root.join("bin/busybox"))?;
    copy(&guest.socktrace, &root.join("socktrace/socktrace"))?;
    copy(&guest.tests, &root.join("socktrace/kernel"))?;
    let workloads = root.join("socktrace/workloads");
    copy_tree(&guest.workloads, &workloads, &[])?;
    // The Python programs share a module, which is none of the programs that the tests name.
    let python_workloads = shell::root().join("tests/workloads/python");
    let python_workloads_there = workloads.join("python");
    copy_tree(&python_workloads, &python_workloads_there, &WITHOUT)?;
    for (index, module) in kernel.modules.iter().enumerate() {
        // Numbered: the order in which they load.
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        copy(
            module,
            &root.join("modules").join(format!("{index}-{name}")),
        )?;
    }
    python(&root, &python_workloads_there)?;
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    )?;
    fs::write(root.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n")?;
    fs::write(
        root.join("etc/hosts"),
        "127.0.0.1 localhost\n::1 localhost\n",
    )?;
    fs::write(root.join("init"), init(rungs, breadth))?;
    fs::set_permissions(root.join("init"), PermissionsExt::from_mode(0o755))?;
    let image = folder.join("initramfs.cpio");
    archive(&root, &image)?;
    Ok(image)
}

/// The guest's first process: prepares the machine, runs the tests on each rung, switches off.
fn init(rungs: &[String], breadth: Breadth) -> String {
    let rungs = if rungs.is_empty() {
        "$(/socktrace/kernel --list-rungs)".to_owned()
    } else {
        rungs.join(" ")
    };
    // The first rung is the one that the agent chooses itself.
    let (first, later) = match breadth {
        Breadth::Full => ("all", "all"),
        Breadth::Chosen => ("all", "hooks"),
        Breadth::Hooks => ("hooks", "hooks"),
    };
    // A machine under emulation is slow, and the tests' deadlines know a factor for that.
    format!(
        r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin HOME=/root TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t tmpfs shm /dev/shm
mount -t tracefs trace /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ip link set lo up
for module in /modules/*.ko; do insmod "$module"; done
echo "{BOOTED} $(uname -r)"
export SOCKTRACE_BIN=/socktrace/socktrace WORKLOADS_DIR=/socktrace/workloads
export PYTHON=/usr/bin/python3 PYTHONDONTWRITEBYTECODE=1
for word in $(cat /proc/cmdline); do
    case "$word" in socktrace_slow=*) export SOCKTRACE_TEST_SLOW="${{word#*=}}";; esac
done
rungs="{rungs}" || echo "{NO_RUNGS}"
cases={first}
for rung in $rungs; do
    /socktrace/kernel --rung "$rung" --cases "$cases"
    echo "{RUNG_ENDED} $rung $?"
    cases={later}
done
echo "{FINISHED}"
poweroff -f
"#
    )
}

/// Debian's Python, compiled, with the libraries that it and its modules are linked with.
fn python(root: &Path, workloads: &Path) -> Result<()> {
    let program = fs::canonicalize("/usr/bin/python3").context("Python is missing")?;
    let version = program
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    let library = Path::new("/usr/lib").join(version);
    copy(&program, &root.join("usr/bin/python3"))?;
    let library_there = root.join("usr/lib").join(version);
    copy_tree(&library, &library_there, &WITHOUT)?;
    // Compiled here, once: an emulated processor would take seconds, each time that a workload starts. The
    // hash that is not checked stands for the time of the file, which a copy has not.
    let mut compile = shell::program(&program);
    compile.args(["-m", "compileall", "-q", "-j", "2"]);
    compile.args(["--invalidation-mode", "unchecked-hash"]);
    shell::run(compile.arg(&library_there).arg(workloads))?;
    let mut linked = vec![program];
    let dynamic = library.join("lib-dynload");
    if let Ok(entries) = fs::read_dir(&dynamic) {
        linked.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    let ldd = shell::read(shell::program("ldd").args(&linked))?;
    for object in ldd
        .split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
    {
        let object = Path::new(object);
        let to = root.join(object.strip_prefix("/").unwrap_or(object));
        if !to.exists() {
            copy(object, &to)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn copy_tree(from: &Path, to: &Path, without: &[&str]) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        // `config-*` is for those who build modules.
        let skipped = without.iter().any(|skipped| name == **skipped)
            || (!without.is_empty() && name.to_string_lossy().starts_with("config-"));
        if skipped {
            continue;
        }
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &to.join(name), without)?;
        } else if entry.path().is_file() {
            copy(&entry.path(), &to.join(name))?;
        }
    }
    Ok(())
}

/// Packs `root` as the kernel wants it. Uncompressed: unpacking takes an emulated processor longer than
/// reading takes memory.
fn archive(root: &Path, image: &Path) -> Result<()> {
    let mut names = vec![PathBuf::from(".")];
    list(root, root, &mut names)?;
    let file =
        fs::File::create(image).with_context(|| format!("cannot write {}", image.display()))?;
    let mut cpio = shell::program("cpio")
        .args([
            "--create",
            "--format=newc",
            "--null",
            "--quiet",
            "--owner=0:0",
        ])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(file)
        .spawn()
        .context("cannot start cpio")?;
    let Some(mut stdin) = cpio.stdin.take() else {
        bail!("cpio has no input");
    };
    for name in names {
        stdin.write_all(name.as_os_str().as_encoded_bytes())?;
        stdin.write_all(b"\0")?;
    }
    drop(stdin);
    ensure!(
        cpio.wait()?.success(),
        "cpio failed to write {}",
        image.display()
    );
    Ok(())
}

/// Every file below `folder`, relative to `root`, a folder before what is in it.
fn list(folder: &Path, root: &Path, names: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        names.push(entry.path().strip_prefix(root)?.to_path_buf());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), root, names)?;
        }
    }
    Ok(())
}
