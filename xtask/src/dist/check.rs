//! Whether the packages hold what they should, pass what distributions and operators check, and work.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use super::Dist;
use super::deb::CONFIG;
use super::files::DOC;
use crate::tidy::links;
use crate::{python, shell};

/// What has to be below the prefix of every package.
const FILES: [&str; 14] = [
    "bin/socktrace",
    "lib/systemd/system/socktrace.service",
    "lib/sysusers.d/socktrace.conf",
    "share/bash-completion/completions/socktrace",
    "share/doc/socktrace/README.md",
    "share/doc/socktrace/THIRD-PARTY.gz",
    "share/doc/socktrace/docs/operation.md",
    "share/doc/socktrace/examples/conf.d/metrics.toml",
    "share/doc/socktrace/examples/kubernetes/Containerfile",
    "share/doc/socktrace/examples/kubernetes/daemonset.yaml",
    "share/doc/socktrace/examples/socktrace.toml",
    "share/fish/vendor_completions.d/socktrace.fish",
    "share/man/man1/socktrace.1.gz",
    "share/zsh/vendor-completions/_socktrace",
];

/// Tenths of what `systemd-analyze security` may find exposed at most: 0 is nothing, 100 is everything.
const EXPOSURE: &str = "27";

/// `nobody`, by tradition.
const NOBODY: u32 = 65_534;

/// Every check.
pub(super) fn all(dist: &Dist) -> Result<()> {
    reproducible(dist)?;
    let unpacked = dist.folder.join("unpacked");
    let _ = fs::remove_dir_all(&unpacked);
    let (deb, tarball) = (unpacked.join("deb"), unpacked.join("tarball"));
    fs::create_dir_all(&tarball)?;
    shell::run(
        shell::program("dpkg-deb")
            .arg("-x")
            .arg(&dist.deb)
            .arg(&deb),
    )?;
    shell::run(
        shell::program("tar")
            .args(["--strip-components=1", "-xf"])
            .arg(&dist.tarball)
            .arg("-C")
            .arg(&tarball),
    )?;
    for prefix in [&deb.join("usr"), &tarball] {
        complete(prefix)?;
        works(prefix)?;
        pages(prefix)?;
        documents(prefix)?;
        unit(prefix)?;
    }
    config(&dist.deb, &deb)?;
    is_static(&tarball.join("bin/socktrace"))?;
    lintian(&dist.deb)?;
    kubernetes(&shell::root().join("socktrace/packaging/kubernetes/daemonset.yaml"))
}

/// The same programs make the same packages.
fn reproducible(dist: &Dist) -> Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("no {}", path.display()));
    let before = (read(&dist.deb)?, read(&dist.tarball)?);
    let again = super::make("guest")?;
    ensure!(
        before == (read(&again.deb)?, read(&again.tarball)?),
        "made twice, the packages differ"
    );
    Ok(())
}

fn complete(prefix: &Path) -> Result<()> {
    let missing: Vec<_> = FILES
        .iter()
        .filter(|file| !prefix.join(file).is_file())
        .collect();
    ensure!(
        missing.is_empty(),
        "not in {}: {missing:?}",
        prefix.display()
    );
    Ok(())
}

fn works(prefix: &Path) -> Result<()> {
    let program = prefix.join("bin/socktrace");
    let version = shell::read(shell::program(&program).arg("--version"))?;
    let expected = format!("socktrace {}\n", super::version()?);
    ensure!(version == expected, "{} is {version:?}", program.display());
    let config = prefix.join("share/doc/socktrace/examples/socktrace.toml");
    shell::run(
        shell::program(&program)
            .args(["check-config", "--config"])
            .arg(config),
    )?;
    let completion = prefix.join("share/bash-completion/completions/socktrace");
    shell::run(shell::program("bash").arg("-n").arg(completion))
}

/// Every command has a page, and every page can be shown without a warning.
fn pages(prefix: &Path) -> Result<()> {
    let folder = prefix.join("share/man/man1");
    let help = shell::read(shell::program(prefix.join("bin/socktrace")).arg("-h"))?;
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let mut count = 0;
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        let page = folder.join(format!("socktrace-{command}.1.gz"));
        ensure!(page.is_file(), "no {}", page.display());
        count += 1;
    }
    ensure!(count > 0, "no commands in {help}");
    for entry in fs::read_dir(&folder)? {
        let page = entry?.path();
        let shown = output(
            shell::program("man")
                .env("MANWIDTH", "100")
                .env("MANROFFSEQ", "")
                .args(["--warnings", "-l"])
                .arg(&page),
        )?;
        let warnings = String::from_utf8_lossy(&shown.stderr);
        // A long word leaves a line that is not as wide as others.
        let warnings: Vec<_> = warnings
            .lines()
            .filter(|line| !line.contains("cannot adjust line"))
            .collect();
        ensure!(warnings.is_empty(), "{}: {warnings:?}", page.display());
    }
    Ok(())
}

/// What is installed together finds one another.
fn documents(prefix: &Path) -> Result<()> {
    let root = prefix.join(DOC);
    let mut complaints = Vec::new();
    for folder in ["", "docs"] {
        for entry in fs::read_dir(root.join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(&root)?;
                complaints.extend(links::check(&root, name, &fs::read_to_string(&path)?));
            }
        }
    }
    ensure!(complaints.is_empty(), "{complaints:?}");
    Ok(())
}

/// The configuration is installed, is its owner's, and is one.
fn config(deb: &Path, unpacked: &Path) -> Result<()> {
    let listed = shell::read(
        shell::program("dpkg-deb")
            .arg("-I")
            .arg(deb)
            .arg("conffiles"),
    )?;
    for name in CONFIG {
        let path = format!("/etc/socktrace/{name}");
        ensure!(
            listed.lines().any(|line| line == path),
            "{path} is no conffile"
        );
        shell::run(
            shell::program(unpacked.join("usr/bin/socktrace"))
                .args(["check-config", "--config"])
                .arg(unpacked.join(&path[1..])),
        )?;
    }
    Ok(())
}

/// The unit is sound and hardened, and starts the program with arguments that it knows.
fn unit(prefix: &Path) -> Result<()> {
    let unit = prefix.join("lib/systemd/system/socktrace.service");
    shell::run(
        shell::program("systemd-analyze")
            .args(["security", "--no-pager", "--offline=true"])
            .arg(format!("--threshold={EXPOSURE}"))
            .arg(&unit),
    )?;
    let program = prefix.join("bin/socktrace");
    let program = program.to_str().context("a path that is no UTF-8")?;
    let text = fs::read_to_string(&unit)?;
    // In a folder of its own, under its name: that is how units find one another.
    let folder = tempfile::tempdir()?;
    let here = folder.path().join("socktrace.service");
    fs::write(&here, text.replace("/usr/bin/socktrace", program))?;
    let verified = output(
        shell::program("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(&here),
    )?;
    let complaints = String::from_utf8_lossy(&verified.stderr);
    ensure!(
        verified.status.success() && complaints.is_empty(),
        "the unit: {complaints}"
    );
    let start = text
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/usr/bin/socktrace "))
        .context("the unit starts nothing")?;
    // Nobody has no privileges, which is found out once the arguments have been understood.
    let copy = folder.path().join("socktrace");
    fs::copy(program, &copy)?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let mut command = Command::new(&copy);
    command.args(start.split_whitespace()).current_dir("/");
    if shell::is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let started = output(&mut command)?;
    ensure!(
        started.status.code() == Some(77),
        "the unit's arguments: {}",
        String::from_utf8_lossy(&started.stderr)
    );
    Ok(())
}

fn is_static(program: &Path) -> Result<()> {
    let headers = shell::read(
        shell::program("readelf")
            .args(["--wide", "--program-headers"])
            .arg(program),
    )?;
    ensure!(
        !headers.contains("INTERP"),
        "{} needs an interpreter",
        program.display()
    );
    Ok(())
}

/// What Debian's own check says, warnings included.
fn lintian(deb: &Path) -> Result<()> {
    let mut lintian = shell::program("lintian");
    lintian.args(["--fail-on", "error,warning", "--tag-display-limit", "0"]);
    if shell::is_root() {
        lintian.arg("--allow-root");
    }
    shell::run(lintian.arg(deb))
}

/// The manifest is one that Kubernetes takes, and asks for no more than it needs.
fn kubernetes(manifest: &Path) -> Result<()> {
    for version in ["1.30", "1.37"] {
        shell::run(
            shell::program(python::program("kubernetes-validate")?)
                .args(["--strict", "--kubernetes-version", version])
                .arg(manifest),
        )?;
    }
    let text = fs::read_to_string(manifest)?;
    let mut settings = text.lines().map(str::trim_start);
    let is_privileged = settings.any(|setting| setting.starts_with("privileged:"));
    ensure!(!is_privileged, "the pod is privileged");
    Ok(())
}

fn output(command: &mut Command) -> Result<Output> {
    command
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))
}
