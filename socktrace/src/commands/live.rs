//! What the commands on a live kernel share: the host, the loading, the signals.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use crate::cli::{Exit, KernelSettings};
use crate::clock::{self, Clock as _};
use crate::enrich::{MACHINE_ID, ProcFs, counts_as, host_facts, in_initial_pid_namespace};
use crate::model::{HookReport, Host, Support};
use crate::service::confine;
use crate::source::kernel::Sizes;
use crate::source::kernel::loader::{Kernel, LoadError, Mode, Options};

/// This machine and this run.
pub(super) fn host() -> Host {
    let clock = clock::System;
    host_facts(
        &procfs(),
        Path::new(MACHINE_ID),
        clock.wall_minus_boot_ns(),
        clock.boot(),
    )
}

/// The machine's own /proc.
pub(super) fn procfs() -> ProcFs {
    ProcFs::new("/proc")
}

/// Loads and attaches.
pub(super) fn load(
    mode: Mode,
    leak_after: Duration,
    settings: &KernelSettings,
) -> Result<Kernel, Failure> {
    let sizes = Sizes {
        ring_bytes: settings.ring_size,
        suspects: settings
            .rehearsal
            .max_suspects
            .unwrap_or(settings.max_sockets),
        owners: settings
            .rehearsal
            .max_owners
            .unwrap_or(settings.max_sockets),
    };
    load_with(&Options {
        mode,
        leak_after,
        sizes,
        forced: settings.hooks,
    })
}

/// As [`load`], from the loader's own options.
pub(super) fn load_with(options: &Options) -> Result<Kernel, Failure> {
    Kernel::load(options).map_err(|error| {
        let exit = match error {
            LoadError::Privilege(_) => Exit::NoPrivilege,
            _ => Exit::Failure,
        };
        Failure {
            reason: error.to_string(),
            exit,
        }
    })
}

/// The event loop: one thread, timers and descriptors.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")
}

/// What the first line of `run` and `trace`, and `doctor`, say of a loaded kernel.
pub(super) fn reports(kernel: Option<&Kernel>) -> Vec<HookReport> {
    let mut reports = kernel
        .map(|kernel| kernel.hooks.clone())
        .unwrap_or_default();
    reports.extend(surroundings());
    reports
}

/// What is there besides hooks.
fn surroundings() -> Vec<HookReport> {
    let report = |purpose, fine: bool, used: &str, lost: &str, cure: &str| HookReport {
        purpose,
        support: if fine { Support::Ok } else { Support::Fallback },
        used: used.to_owned(),
        lost: if fine { String::new() } else { lost.to_owned() },
        cure: if fine { String::new() } else { cure.to_owned() },
    };
    let initial = in_initial_pid_namespace(&procfs());
    let counts = counts_as(&procfs(), std::process::id());
    let sees = crate::source::kernel::privilege::sees_all_processes();
    vec![
        report(
            "pid_namespace",
            initial,
            if initial {
                "the initial one"
            } else {
                "not the initial one"
            },
            "processes outside it, and leaks that nobody in it holds",
            "run socktrace in the host's pid namespace (hostPID, --pid=host)",
        ),
        if counts {
            report(
                "process_facts",
                sees,
                "/proc",
                "executables and network namespaces of other users' processes cannot be read",
                "grant CAP_SYS_PTRACE",
            )
        } else {
            report(
                "process_facts",
                false,
                "/proc of another pid namespace",
                "facts about processes are not found there",
                "mount /proc in this pid namespace (unshare --mount-proc)",
            )
        },
    ]
}

/// Privileges are being given up: the thread that asks the kernel may be started.
pub(super) struct Confining {
    with_bpf: bool,
    wanted: bool,
}

impl Confining {
    /// Begins with what nobody needs any more now that everything is attached. No other thread may be
    /// running: it would keep what it has.
    pub(super) fn begin(kernel: &mut Kernel, settings: &KernelSettings) -> anyhow::Result<Self> {
        let wanted = settings.sandbox;
        let with_bpf = wanted && kernel.needs_bpf();
        if wanted {
            confine::to_asking(with_bpf).context(GIVE_UP)?;
        }
        Ok(Self { with_bpf, wanted })
    }

    /// Gives up what only the asking thread needs, and says what is left.
    pub(super) fn complete(self) -> anyhow::Result<HookReport> {
        let report = |support, used: String, lost: String, cure: &str| HookReport {
            purpose: "sandbox",
            support,
            used,
            lost,
            cure: cure.to_owned(),
        };
        if !self.wanted {
            let lost = "whoever got hold of socktrace would have all of its privileges";
            let cure = "start it without --no-sandbox";
            return Ok(report(
                Support::Missing,
                String::new(),
                lost.to_owned(),
                cure,
            ));
        }
        let kept = confine::to_watching(self.with_bpf).context(GIVE_UP)?;
        let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
        let kept = if kept.is_empty() {
            "no capabilities".to_owned()
        } else {
            kept.join(" ")
        };
        Ok(match confine::forbid() {
            Ok(()) => report(Support::Ok, format!("seccomp, {kept}"), String::new(), ""),
            Err(reason) => {
                let lost = format!("system calls that it has no use for are allowed ({reason})");
                let cure = "use a kernel with CONFIG_SECCOMP_FILTER=y";
                report(Support::Fallback, kept, lost, cure)
            }
        })
    }
}

/// What failed if giving up does.
const GIVE_UP: &str = "cannot give up capabilities";

/// What the agent is told by signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// SIGINT or SIGTERM: to come to an end.
    Stop,
    /// SIGUSR1: that files may have been moved away.
    Reopen,
    /// SIGHUP: that the configuration may have changed.
    Reload,
}

/// The signals that the agent understands.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    reopen: Signal,
    /// `None`: it ends the process, as it does by itself.
    reload: Option<Signal>,
}

impl Signals {
    /// From now on they are told here instead of ending the process.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            reopen: signal(SignalKind::user_defined1())?,
            reload: None,
        })
    }

    /// The same with SIGHUP, which on a terminal means that the terminal is gone.
    pub(super) fn with_reload() -> std::io::Result<Self> {
        let on_terminal = std::io::stdin().is_terminal() || std::io::stdout().is_terminal();
        let mut signals = Self::new()?;
        if !on_terminal {
            signals.reload = Some(signal(SignalKind::hangup())?);
        }
        Ok(signals)
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.terminate.recv() => Told::Stop,
            _ = self.reopen.recv() => Told::Reopen,
            () = told(self.reload.as_mut()) => Told::Reload,
        }
    }
}

/// Waits for a signal; for ever if there is none to wait for.
async fn told(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
