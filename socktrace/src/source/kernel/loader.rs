//! Loading and attaching: for each purpose the first rung of its ladder that the kernel takes.

use std::path::Path;
use std::time::Duration;

use aya::{Btf, BtfError, Ebpf, EbpfError, Endianness};
use socktrace_common::config::{Config, eof_source, mode};

use super::iterators::{self, Iterators};
use super::ladder::{Rung, Tried, candidates, report};
use super::losses::Losses;
use super::object::{self, HookError, Sizes};
use super::offsets::{self, Layout, LayoutError};
use super::pids::{self, PidNamespace};
use super::ring::Ring;
use super::tables::Tables;
use super::{privilege, reports, steady, sys};
use crate::memory;
use crate::model::HookReport;
use crate::source::hooks::{AcceptHook, HookOverrides, IoHook, ReleaseHook, StateHook};

/// What the programs are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Suspects are kept; only what matters is streamed.
    Run,
    /// Everything is streamed.
    Trace,
    /// Nothing is attached: the iterators alone answer.
    Scan,
}

/// What is to be loaded.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What for.
    pub mode: Mode,
    /// Age at which a suspect matters.
    pub leak_after: Duration,
    /// Sizes of the kernel's tables.
    pub sizes: Sizes,
    /// Rungs to take instead of the best.
    pub forced: HookOverrides,
}

/// Why nothing was loaded. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The process may not.
    #[error("not permitted: {} missing; run as root (sudo) or grant them", .0.join(", "))]
    Privilege(Vec<&'static str>),
    /// The kernel's structures are unknown.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The kernel's BTF is not what aya expects.
    #[error("cannot use the kernel's BTF: {0}")]
    Btf(#[from] BtfError),
    /// The maps were refused.
    #[error("cannot load the eBPF object: {}", line(.0))]
    Object(#[from] EbpfError),
    /// A hook that nothing works without has no rung on this kernel.
    #[error("hook {purpose} is not available on this kernel ({tried})")]
    Hook {
        /// Its purpose.
        purpose: &'static str,
        /// What was tried, and why it failed.
        tried: Tried,
    },
    /// A table could not be opened.
    #[error("cannot open {what}: {reason}")]
    Map {
        /// Which.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

fn line(error: &EbpfError) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The programs, attached as long as this lives, and the ways to hear from them.
pub struct Kernel {
    /// Keeps programs and links alive.
    _ebpf: Ebpf,
    /// The stream of records.
    pub ring: Ring,
    /// Walks over the suspects, and readings of the truth.
    pub iterators: Iterators,
    /// What was lost.
    pub losses: Losses,
    /// How full the tables are.
    pub tables: Tables,
    /// What serves each purpose.
    pub hooks: Vec<HookReport>,
}

impl Kernel {
    /// Loads and attaches.
    pub fn load(options: &Options) -> Result<Self, LoadError> {
        let missing = privilege::missing();
        if !missing.is_empty() {
            return Err(LoadError::Privilege(missing));
        }
        // Before 5.11 maps count as locked memory; where the limit cannot be lifted it may be
        // high enough already, and if not, loading says so.
        let _ = sys::lift_memlock();
        let (layout, reduced) = offsets::read(Path::new(offsets::VMLINUX))?;
        let btf = Btf::parse(&reduced, Endianness::default())?;
        drop(reduced);
        let mut loader = Loader {
            options,
            layout,
            btf,
            pids: PidNamespace::INITIAL,
            hooks: Vec::new(),
        };
        loader.find_pids()?;
        loader.run()
    }

    /// Whether watching needs `CAP_BPF` even now that everything is attached.
    pub fn needs_bpf(&mut self) -> bool {
        steady::needs_bpf(&mut self.iterators, &self.losses)
    }
}

struct Loader<'a> {
    options: &'a Options,
    layout: Layout,
    btf: Btf,
    pids: PidNamespace,
    hooks: Vec<HookReport>,
}

impl Loader<'_> {
    /// Finds out in which pid namespace we are. How deep it is only the kernel can tell, so in one that
    /// is not the initial one an iterator is loaded to be asked, before the programs are told.
    fn find_pids(&mut self) -> Result<(), LoadError> {
        let Some(inum) = pids::own_namespace() else {
            return Ok(());
        };
        let config = self.config(false);
        let mut ebpf = object::load(&self.btf, &config, &self.layout.offsets, Sizes::LEAST)?;
        let level = self.load_iterators(&mut ebpf)?.pid_level();
        self.pids = PidNamespace { level, inum };
        Ok(())
    }

    fn run(mut self) -> Result<Kernel, LoadError> {
        let (mut ebpf, iterators) = if self.options.mode == Mode::Scan {
            self.load_scan()?
        } else {
            let mut ebpf = self.load_and_attach()?;
            let iterators = self.load_iterators(&mut ebpf)?;
            (ebpf, iterators)
        };
        self.hooks.extend(reports::iterators());
        // Given back before the ring buffer is mapped, which counts as memory of this process.
        drop(self.btf);
        memory::trim();
        let ring = Ring::new(&mut ebpf).map_err(|reason| LoadError::Map {
            what: "the ring buffer",
            reason,
        })?;
        let losses = Losses::new(&mut ebpf).map_err(|reason| LoadError::Map {
            what: "the counters",
            reason,
        })?;
        let tables = Tables::new(&ebpf, self.options.sizes);
        Ok(Kernel {
            _ebpf: ebpf,
            ring,
            iterators,
            losses,
            tables,
            hooks: self.hooks,
        })
    }

    fn load_and_attach(&mut self) -> Result<Ebpf, LoadError> {
        let (mut ebpf, state) = self.load_state()?;
        // Releases first and state changes last: nothing may enter a table it will never leave.
        let release = self.options.forced.release;
        self.first(&mut ebpf, release, Self::release)
            .map_err(|error| {
                Self::or_privilege(error, candidates(release).contains(&ReleaseHook::Cgroup))
            })?;
        self.first(&mut ebpf, self.options.forced.accept, Self::accept)?;
        self.first(&mut ebpf, self.options.forced.io, Self::io)?;
        let attached = match state {
            StateHook::TpBtf => object::attach_tp_btf(&mut ebpf, "state_tp_btf"),
            StateHook::Tracepoint => object::attach_tracepoint(
                &mut ebpf,
                "state_tracepoint",
                "sock",
                "inet_sock_set_state",
            ),
        };
        attached.map_err(|error| {
            let mut tried = Tried::default();
            tried.refused(state.program(), error.to_string());
            let hook = LoadError::Hook {
                purpose: StateHook::PURPOSE,
                tried,
            };
            Self::or_privilege(hook, false)
        })?;
        self.hooks.push(reports::connect(state.program()));
        Ok(ebpf)
    }

    /// What was missing may have been a privilege.
    fn or_privilege(error: LoadError, in_cgroup: bool) -> LoadError {
        if !matches!(error, LoadError::Hook { .. }) {
            return error;
        }
        if in_cgroup && !privilege::administers_networks() {
            LoadError::Privilege(vec!["CAP_NET_ADMIN"])
        } else if !privilege::opens_perf_events() {
            LoadError::Privilege(vec![privilege::PERF_EVENTS])
        } else {
            error
        }
    }

    /// Loads the object for the best way to see state changes: whether the kernel gives tracing
    /// programs cookies is a constant in the object.
    fn load_state(&mut self) -> Result<(Ebpf, StateHook), LoadError> {
        let mut tried = Tried::default();
        for rung in candidates(self.options.forced.state) {
            for cookies in [true, false] {
                if cookies && rung == StateHook::Tracepoint {
                    continue;
                }
                let config = self.config(cookies);
                let mut ebpf =
                    object::load(&self.btf, &config, &self.layout.offsets, self.options.sizes)?;
                let loaded = match rung {
                    StateHook::TpBtf => object::load_tp_btf(
                        &mut ebpf,
                        &self.btf,
                        "state_tp_btf",
                        "inet_sock_set_state",
                    ),
                    StateHook::Tracepoint => object::load_tracepoint(&mut ebpf, "state_tracepoint"),
                };
                match loaded {
                    Ok(()) => {
                        self.hooks.push(report(rung, &tried));
                        self.hooks.push(reports::cookies(cookies));
                        return Ok((ebpf, rung));
                    }
                    Err(error) if !cookies => tried.refused(rung.program(), error.to_string()),
                    Err(_) => {}
                }
            }
        }
        Err(LoadError::Hook {
            purpose: StateHook::PURPOSE,
            tried,
        })
    }

    /// Takes the first rung that attaches.
    fn first<R: Rung>(
        &mut self,
        ebpf: &mut Ebpf,
        forced: Option<R>,
        attach: fn(&Self, &mut Ebpf, R) -> Result<(), HookError>,
    ) -> Result<(), LoadError> {
        let mut tried = Tried::default();
        for rung in candidates(forced) {
            match attach(self, ebpf, rung) {
                Ok(()) => {
                    self.hooks.push(report(rung, &tried));
                    return Ok(());
                }
                Err(error) => tried.refused(rung.program(), error.to_string()),
            }
        }
        Err(LoadError::Hook {
            purpose: R::PURPOSE,
            tried,
        })
    }

    fn release(&self, ebpf: &mut Ebpf, rung: ReleaseHook) -> Result<(), HookError> {
        match rung {
            ReleaseHook::Fentry => {
                object::attach_fentry(ebpf, &self.btf, "release_fentry", "inet_release")
            }
            ReleaseHook::Cgroup => object::attach_cgroup(ebpf, "release_cgroup"),
            ReleaseHook::Kprobe => object::attach_kprobe(ebpf, "release_kprobe", "inet_release"),
        }
    }

    fn accept(&self, ebpf: &mut Ebpf, rung: AcceptHook) -> Result<(), HookError> {
        match rung {
            AcceptHook::Fexit if self.layout.accept_params.is_none() => Err(HookError::Place(
                "the kernel has no inet_csk_accept".to_owned(),
            )),
            AcceptHook::Fexit => {
                object::attach_fexit(ebpf, &self.btf, "accept_fexit", "inet_csk_accept")
            }
            AcceptHook::Kretprobe => {
                object::attach_kprobe(ebpf, "accept_kretprobe", "inet_csk_accept")
            }
            AcceptHook::None => Ok(()),
        }
    }

    fn io(&self, ebpf: &mut Ebpf, rung: IoHook) -> Result<(), HookError> {
        let programs: &[(&str, &str)] = match rung {
            IoHook::SockLength if !self.layout.recv_length => {
                return Err(HookError::Place("before Linux 6.3".to_owned()));
            }
            IoHook::SockLength => &[
                ("io_recv_length", "sock_recv_length"),
                ("io_send_length", "sock_send_length"),
            ],
            IoHook::RcvSpaceAdjust => &[("io_rcv_space_adjust", "tcp_rcv_space_adjust")],
            IoHook::None => &[],
        };
        for (name, tracepoint) in programs {
            object::load_tp_btf(ebpf, &self.btf, name, tracepoint)?;
            object::attach_tp_btf(ebpf, name)?;
        }
        Ok(())
    }

    /// Loads the iterators alone. Those that ask the kernel for what since 5.12 it answers are cheaper.
    fn load_scan(&self) -> Result<(Ebpf, Iterators), LoadError> {
        let load = |cookies| -> Result<(Ebpf, Iterators), LoadError> {
            let config = self.config(cookies);
            let sizes = self.options.sizes;
            let mut ebpf = object::load(&self.btf, &config, &self.layout.offsets, sizes)?;
            let iterators = self.load_iterators(&mut ebpf)?;
            Ok((ebpf, iterators))
        };
        load(true).or_else(|_| load(false))
    }

    fn load_iterators(&self, ebpf: &mut Ebpf) -> Result<Iterators, LoadError> {
        for (name, target) in iterators::PROGRAMS {
            object::load_iter(ebpf, &self.btf, name, target).map_err(|error| {
                let mut tried = Tried::default();
                tried.refused(name, error.to_string());
                LoadError::Hook {
                    purpose: "holders",
                    tried,
                }
            })?;
        }
        Iterators::new(ebpf).map_err(|reason| LoadError::Map {
            what: "the iterators",
            reason: reason.to_string(),
        })
    }

    fn config(&self, cookies: bool) -> Config {
        let sees_eof = self.layout.recv_length
            && matches!(self.options.forced.io, None | Some(IoHook::SockLength));
        let (mode, wakeup_bytes) = match self.options.mode {
            Mode::Run => (mode::RUN, 0),
            Mode::Trace => (mode::TRACE, self.options.sizes.ring_bytes / 16),
            Mode::Scan => (mode::SCAN, 0),
        };
        Config {
            leak_after_ns: u64::try_from(self.options.leak_after.as_nanos()).unwrap_or(u64::MAX),
            mode,
            cookie_helper: u32::from(cookies),
            eof_source: if sees_eof {
                eof_source::SEEN
            } else {
                eof_source::NONE
            },
            accept_params: self.layout.accept_params.unwrap_or(0),
            file_ref: u32::from(self.layout.file_ref),
            wakeup_bytes,
            pid_level: self.pids.level,
            pid_ns: self.pids.inum,
            socket_sets: self.options.sizes.socket_sets(),
            ns_per_jiffy: crate::clock::jiffy_ns(),
            leak_after_jiffies: crate::clock::jiffies_in(self.options.leak_after),
            reserved: 0,
        }
    }
}
