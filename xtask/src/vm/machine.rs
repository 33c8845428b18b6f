//! A virtual machine: boots, shows its console line by line, and is judged by what it printed.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::kernels::Kernel;
use super::qemu::Qemu;
use crate::clock::Stopwatch;

/// Printed by the guest's init once it runs, before the kernel's release.
pub(super) const BOOTED: &str = "socktrace-vm: booted";
/// Printed after a rung's tests, before the rung's name and the exit status.
pub(super) const RUNG_ENDED: &str = "socktrace-vm: rung-ended";
/// Printed when the tests could not find out which rungs the kernel offers.
pub(super) const NO_RUNGS: &str = "socktrace-vm: no-rungs";
/// Printed before switching off.
pub(super) const FINISHED: &str = "socktrace-vm: finished";
/// Printed by the tests, before `rung=NAME passed=N failed=M ignored=K`.
const RESULT: &str = "socktrace-kernel-tests:";

/// How the kernel begins to tell of a breakpoint that it knows nothing of (`exc_int3`, arch/x86/kernel/traps.c).
const STALE_BREAKPOINT: &str = "int3: 0000 [#1]";

/// How long all tests of a kernel may take.
const TESTS: Duration = Duration::from_mins(15);

/// What a machine printed, in short.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// The kernel's release.
    pub(super) kernel: String,
    /// The rungs that were tested.
    pub(super) rungs: Vec<Rung>,
    no_rungs: bool,
    finished: bool,
    /// It died of a breakpoint of its own. The kernel puts them into functions while it attaches or detaches a
    /// program there, and waits for every processor before it forgets them; an emulated processor may
    /// run an older translation of that code even so (`poke_int3_handler`, arch/x86/kernel/alternative.c).
    stale_breakpoint: bool,
}

/// The tests on one rung.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rung {
    /// Its name.
    pub(super) name: String,
    /// Tests that passed.
    pub(super) passed: u32,
    /// Tests that failed.
    pub(super) failed: u32,
    /// Tests that are for other machines, or other rungs of this one.
    pub(super) ignored: u32,
    /// How long they took, seconds.
    pub(super) seconds: u64,
    /// Exit status of the tests; `None` until they ended.
    status: Option<i32>,
}

impl Report {
    /// Whether there were tests, and all passed to the end.
    pub(super) fn is_good(&self) -> bool {
        self.finished
            && !self.no_rungs
            && !self.rungs.is_empty()
            && self.rungs.iter().all(Rung::is_good)
    }

    fn read(&mut self, line: &str) {
        if let Some((_, release)) = line.split_once(BOOTED) {
            release.trim().clone_into(&mut self.kernel);
        } else if let Some((_, result)) = line.split_once(RESULT) {
            self.rungs.extend(Rung::parse(result));
        } else if let Some((_, ended)) = line.split_once(RUNG_ENDED) {
            self.rung_ended(ended);
        } else if line.contains(NO_RUNGS) {
            self.no_rungs = true;
        } else if line.contains(FINISHED) {
            self.finished = true;
        } else if line.contains(STALE_BREAKPOINT) {
            self.stale_breakpoint = true;
        }
    }

    fn rung_ended(&mut self, ended: &str) {
        let mut words = ended.split_whitespace();
        let (Some(name), Some(status)) = (words.next(), words.next()) else {
            return;
        };
        let status = status.parse().ok();
        match self.rungs.iter_mut().find(|rung| rung.name == name) {
            Some(rung) => rung.status = status,
            // The tests died before they could say how they went.
            None => self.rungs.push(Rung {
                name: name.into(),
                status,
                ..Rung::default()
            }),
        }
    }
}

impl Rung {
    fn is_good(&self) -> bool {
        self.status == Some(0) && self.failed == 0 && self.passed > 0
    }

    /// Reads `rung=NAME passed=N failed=M ignored=K`.
    fn parse(result: &str) -> Option<Self> {
        let mut rung = Self::default();
        for word in result.split_whitespace() {
            match word.split_once('=')? {
                ("rung", name) => name.clone_into(&mut rung.name),
                ("passed", number) => rung.passed = number.parse().ok()?,
                ("failed", number) => rung.failed = number.parse().ok()?,
                ("ignored", number) => rung.ignored = number.parse().ok()?,
                _ => {}
            }
        }
        (!rung.name.is_empty()).then_some(rung)
    }
}

/// Set once a machine did not boot with KVM: nested virtualisation may be offered and not work.
static KVM_IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// Boots `kernel` with the files of `image` and runs the tests there. `name` stands before each line shown.
pub(super) fn run(name: &str, kernel: &Kernel, image: &Path) -> Result<Report> {
    if kvm_is_usable() {
        let report = boot(name, kernel, image, Accelerator::Kvm)?;
        if !report.kernel.is_empty() {
            return Ok(report);
        }
        KVM_IS_BROKEN.store(true, Ordering::Relaxed);
        eprintln!("vm: {name}: it did not boot with KVM; emulating");
    }
    let mut report = boot(name, kernel, image, Accelerator::Tcg)?;
    if report.stale_breakpoint {
        eprintln!(
            "vm: {name}: the emulator ran a breakpoint that the kernel had taken away; once more"
        );
        report = boot(name, kernel, image, Accelerator::Tcg)?;
    }
    ensure!(!report.kernel.is_empty(), "{} did not boot", kernel.release);
    Ok(report)
}

#[derive(Clone, Copy)]
enum Accelerator {
    Kvm,
    Tcg,
}

impl Accelerator {
    fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        }
    }

    /// How long a boot may take until init runs.
    fn boot_limit(self) -> Duration {
        match self {
            Self::Kvm => Duration::from_secs(30),
            Self::Tcg => Duration::from_mins(2),
        }
    }

    /// Factor for the tests' deadlines.
    fn slowness(self) -> u32 {
        match self {
            Self::Kvm => 1,
            Self::Tcg => 4,
        }
    }
}

fn kvm_is_usable() -> bool {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_ok()
}

fn qemu(kernel: &Kernel, image: &Path, accelerator: Accelerator) -> Result<Command> {
    let mut qemu = Qemu::find()
        .context("qemu-system-x86_64 is missing")?
        .command();
    qemu.args([
        "-accel",
        accelerator.name(),
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        "2048",
    ])
    .args([
        "-nographic",
        "-no-reboot",
        "-nodefaults",
        "-serial",
        "stdio",
        "-nic",
        "none",
    ])
    .arg("-kernel")
    .arg(&kernel.image)
    .arg("-initrd")
    .arg(image)
    .arg("-append")
    .arg(format!(
        "console=ttyS0 quiet panic=-1 mitigations=off socktrace_slow={}",
        accelerator.slowness()
    ))
    .stdin(Stdio::null())
    .stdout(Stdio::piped())
    .stderr(Stdio::inherit());
    Ok(qemu)
}

fn boot(name: &str, kernel: &Kernel, image: &Path, accelerator: Accelerator) -> Result<Report> {
    eprintln!(
        "vm: {name}: booting {} ({})",
        kernel.release,
        accelerator.name()
    );
    let child = qemu(kernel, image, accelerator)?
        .spawn()
        .context("cannot start qemu-system-x86_64")?;
    let mut machine = Machine(child);
    let console = machine.0.stdout.take().context("qemu has no output")?;
    let lines = lines(console);
    let mut report = Report::default();
    let since = Stopwatch::start();
    let mut of_rung = Stopwatch::start();
    loop {
        let limit = if report.kernel.is_empty() {
            accelerator.boot_limit()
        } else {
            TESTS
        };
        match lines.recv_timeout(since.left_of(limit)) {
            Ok(line) => {
                println!("[{name}] {line}");
                let rungs = report.rungs.len();
                report.read(&line);
                if report.rungs.len() > rungs
                    && let Some(rung) = report.rungs.last_mut()
                {
                    rung.seconds = of_rung.elapsed().as_secs();
                    of_rung = Stopwatch::start();
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                eprintln!("vm: {name}: stopped after {} s", limit.as_secs());
                break;
            }
        }
    }
    Ok(report)
}

/// The lines of a console, without what terminals make of them.
fn lines(console: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(console).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line);
            let shown: String = line
                .trim_end()
                .chars()
                .filter(|c| !c.is_control())
                .collect();
            if sender.send(shown).is_err() {
                break;
            }
        }
    });
    lines
}

/// A running qemu, ended with its owner.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [&str; 4] = [
        "socktrace-vm: booted 6.1.0-50-cloud-amd64",
        "socktrace-kernel-tests: rung=auto passed=31 failed=0 ignored=2",
        "socktrace-vm: rung-ended auto 0",
        "socktrace-vm: finished",
    ];

    fn report(lines: &[&str]) -> Report {
        let mut report = Report::default();
        for line in lines {
            report.read(line);
        }
        report
    }

    #[track_caller]
    fn check(lines: &[&str], good: bool) {
        let report = report(lines);
        assert_eq!(report.is_good(), good, "{report:?}");
    }

    #[test]
    fn a_run_is_good_if_every_rung_passed_to_the_end() {
        check(&GOOD, true);
        for missing in 1..GOOD.len() {
            let mut lines = GOOD.to_vec();
            lines.remove(missing);
            check(&lines, false);
        }
        check(&[], false);
    }

    #[test]
    fn only_a_stale_breakpoint_is_the_emulators() {
        let died = |line| report(&[GOOD[0], line]).stale_breakpoint;
        assert!(died(
            "[   92.516354] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI"
        ));
        assert!(died("[   12.000001] int3: 0000 [#1] SMP"));
        assert!(!died("[   92.5] Oops: 0002 [#1] PREEMPT SMP NOPTI"));
        assert!(!died(
            "[   92.5] Kernel panic - not syncing: Fatal exception"
        ));
    }

    #[test]
    fn a_run_is_bad_if_anything_failed() {
        let with = |from: &str, to: &str| GOOD.map(|line| line.replace(from, to));
        for lines in [
            with("failed=0", "failed=1"),
            with("passed=31", "passed=0"),
            with("auto 0", "auto 101"),
            with("failed=0", "failed=x"),
        ] {
            check(&lines.each_ref().map(String::as_str), false);
        }
        for bad in [
            "socktrace-vm: rung-ended best 139",
            "socktrace-vm: no-rungs",
        ] {
            check(&[GOOD[0], GOOD[1], GOOD[2], bad, GOOD[3]], false);
        }
    }

    #[test]
    fn a_report_names_kernel_and_rungs() {
        let report = report(&GOOD);
        assert_eq!(report.kernel, "6.1.0-50-cloud-amd64");
        let rung = Rung {
            name: "auto".into(),
            passed: 31,
            failed: 0,
            ignored: 2,
            seconds: 0,
            status: Some(0),
        };
        assert_eq!(report.rungs, [rung]);
    }

    #[test]
    fn lines_are_freed_of_control_characters() {
        let lines: Vec<String> = lines(&b"\x1b[31mred\r\nplain\n\xff\n"[..])
            .into_iter()
            .collect();
        assert_eq!(lines, ["[31mred", "plain", "\u{fffd}"]);
    }
}
