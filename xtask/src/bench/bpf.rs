//! The kernel's account of what its BPF programs cost, and programs that do nothing to compare with.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_long};
use std::fs::{self, File};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};

use super::btf;
use crate::clock::Stopwatch;

// Commands and types of include/uapi/linux/bpf.h.
const PROG_LOAD: c_long = 5;
const OBJ_GET_INFO_BY_FD: c_long = 15;
const PROG_GET_FD_BY_ID: c_long = 13;
const RAW_TRACEPOINT_OPEN: c_long = 17;
const LINK_CREATE: c_long = 28;
const ENABLE_STATS: c_long = 32;
const ITER_CREATE: c_long = 33;
const PROG_TYPE_CGROUP_SOCK: u32 = 9;
const PROG_TYPE_RAW_TRACEPOINT: u32 = 17;
const PROG_TYPE_TRACING: u32 = 26;
const CGROUP_INET_SOCK_RELEASE: u32 = 34;
const TRACE_ITER: u32 = 28;

/// What the kernel calls the program of an [`EmptyWalk`].
const WALK: &str = "floor_walk";

/// While it lives, the kernel accounts for the time of every program. With the descriptor goes the
/// accounting, also if this process is killed.
pub(super) struct Accounting(
    #[expect(dead_code, reason = "what counts is that it is open")] OwnedFd,
);

impl Accounting {
    /// Turns it on.
    pub(super) fn start() -> Result<Self> {
        // Type 0: BPF_STATS_RUN_TIME.
        let fd = bpf(ENABLE_STATS, &mut 0_u32)
            .context("cannot turn on the accounting of BPF programs")?;
        Ok(Self(fd))
    }
}

/// What one program has cost since accounting was first turned on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Nanoseconds spent in it.
    pub(super) ns: u64,
    /// How often it ran.
    pub(super) runs: u64,
}

/// Costs of programs, by identifier and name.
pub(super) type Costs = BTreeMap<(u32, String), Cost>;

/// What the programs that process `pid` holds, directly or by a link, have cost so far.
///
/// Whose programs they are is told by the process's descriptors, so that other tracers on the machine do
/// not count.
pub(super) fn costs_of(pid: u32) -> Result<Costs> {
    let mut costs = Costs::new();
    for id in programs_of(pid)? {
        let (name, cost) =
            info(id).with_context(|| format!("cannot ask after BPF program {id}"))?;
        costs.insert((id, name), cost);
    }
    Ok(costs)
}

/// What was spent between two calls of [`costs_of`], by name of the program.
pub(super) fn spent(before: &Costs, after: &Costs) -> BTreeMap<String, Cost> {
    let mut spent: BTreeMap<String, Cost> = BTreeMap::new();
    for (key, cost) in after {
        let earlier = before.get(key).copied().unwrap_or_default();
        let sum = spent.entry(key.1.clone()).or_default();
        sum.ns += cost.ns.saturating_sub(earlier.ns);
        sum.runs += cost.runs.saturating_sub(earlier.runs);
    }
    spent.retain(|_, cost| cost.runs > 0);
    spent
}

/// Identifiers of the programs that a process's descriptors lead to.
pub(super) fn programs_of(pid: u32) -> Result<Vec<u32>> {
    let folder = format!("/proc/{pid}/fdinfo");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        // A descriptor may be closed meanwhile.
        let Ok(text) = entry.and_then(|entry| fs::read_to_string(entry.path())) else {
            continue;
        };
        let id = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
        found.extend(id.and_then(|id| id.trim().parse::<u32>().ok()));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Empty programs. Nothing can cost less at the same hooks.
pub(super) struct Floor(
    #[expect(dead_code, reason = "what counts is that they are attached")] Vec<OwnedFd>,
);

impl Floor {
    /// At the two hooks that no tracer of sockets can do without: every change of a socket's state, and its
    /// release.
    pub(super) fn attach() -> Result<Self> {
        let mut kept = Vec::new();
        at_tracepoint(c"inet_sock_set_state", "floor_state", &mut kept)?;
        let release = load(
            (PROG_TYPE_CGROUP_SOCK, CGROUP_INET_SOCK_RELEASE, 0),
            "floor_release",
            1,
        )?;
        let cgroup = cgroup()?;
        let mut create = CreateLink {
            prog_fd: fd(&release),
            target_fd: fd(&cgroup),
            attach_type: CGROUP_INET_SOCK_RELEASE,
            flags: 0,
        };
        let link = bpf(LINK_CREATE, &mut create).context("cannot attach to the root cgroup")?;
        kept.extend([release, link]);
        Ok(Self(kept))
    }

    /// Where a thread has received or sent.
    pub(super) fn at_uses() -> Result<Self> {
        let mut kept = Vec::new();
        at_tracepoint(c"sock_recv_length", "floor_recv", &mut kept)?;
        at_tracepoint(c"sock_send_length", "floor_send", &mut kept)?;
        Ok(Self(kept))
    }
}

fn at_tracepoint(tracepoint: &CStr, name: &str, kept: &mut Vec<OwnedFd>) -> Result<()> {
    let program = load((PROG_TYPE_RAW_TRACEPOINT, 0, 0), name, 0)?;
    let mut open = OpenTracepoint {
        name: tracepoint.as_ptr() as u64,
        prog_fd: fd(&program),
        reserved: 0,
    };
    let link = bpf(RAW_TRACEPOINT_OPEN, &mut open)
        .with_context(|| format!("cannot attach to {}", tracepoint.to_string_lossy()))?;
    kept.extend([program, link]);
    Ok(())
}

/// A walk over every descriptor of every process with an empty program. No reading of who holds what can cost
/// less.
pub(super) struct EmptyWalk {
    #[expect(dead_code, reason = "what counts is that it is loaded")]
    program: OwnedFd,
    link: OwnedFd,
}

impl EmptyWalk {
    /// Loads and links it.
    pub(super) fn load() -> Result<Self> {
        let kernel = fs::read("/sys/kernel/btf/vmlinux").context("cannot read the kernel's BTF")?;
        let id = btf::function(&kernel, "bpf_iter_task_file")
            .context("the kernel does not walk over descriptors")?;
        let program = load((PROG_TYPE_TRACING, TRACE_ITER, id), WALK, 0)?;
        let mut create = CreateLink {
            prog_fd: fd(&program),
            target_fd: 0,
            attach_type: TRACE_ITER,
            flags: 0,
        };
        let link = bpf(LINK_CREATE, &mut create).context("cannot link the walk")?;
        Ok(Self { program, link })
    }

    /// Walks once; how long that took.
    pub(super) fn walk(&self) -> Result<Duration> {
        let since = Stopwatch::start();
        // { link_fd, flags }
        let run = bpf(ITER_CREATE, &mut [fd(&self.link), 0]).context("cannot begin a walk")?;
        io::copy(&mut File::from(run), &mut io::sink()).context("cannot walk")?;
        Ok(since.elapsed())
    }

    /// How many descriptors a walk comes by, as the kernel counts runs of its program.
    pub(super) fn descriptors(&self) -> Result<u64> {
        let accounting = Accounting::start()?;
        let before = costs_of(std::process::id())?;
        self.walk()?;
        let after = costs_of(std::process::id())?;
        drop(accounting);
        let runs = spent(&before, &after).get(WALK).map(|cost| cost.runs);
        runs.context("the kernel does not count runs")
    }
}

#[repr(C)]
struct LoadProgram {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    attach_prog_fd: u32,
    reserved: u32,
}

#[repr(C)]
struct OpenTracepoint {
    name: u64,
    prog_fd: u32,
    reserved: u32,
}

#[repr(C)]
struct CreateLink {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

#[repr(C)]
struct AskInfo {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// The whole of `struct bpf_prog_info` up to `run_cnt`, as words: what it holds is read by offset.
const INFO_WORDS: usize = 27;
const NAME_AT: usize = 64;
const RUN_TIME_AT: usize = 192;
const RUN_COUNT_AT: usize = 200;

/// Loads a program that returns `result`, for what `btf_id` names where programs of its type need that.
fn load(
    (prog_type, attach_type, btf_id): (u32, u32, u32),
    name: &str,
    result: i32,
) -> Result<OwnedFd> {
    // r0 = result; exit
    let instructions: [u64; 2] = [0xb7 | (u64::from(result.cast_unsigned()) << 32), 0x95];
    let mut prog_name = [0; 16];
    for (to, from) in prog_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    let mut attr = LoadProgram {
        prog_type,
        insn_cnt: 2,
        insns: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name,
        prog_ifindex: 0,
        expected_attach_type: attach_type,
        prog_btf_fd: 0,
        func_info_rec_size: 0,
        func_info: 0,
        func_info_cnt: 0,
        line_info_rec_size: 0,
        line_info: 0,
        line_info_cnt: 0,
        attach_btf_id: btf_id,
        attach_prog_fd: 0,
        reserved: 0,
    };
    bpf(PROG_LOAD, &mut attr).with_context(|| format!("cannot load the empty program {name}"))
}

fn info(id: u32) -> io::Result<(String, Cost)> {
    // { prog_id, next_id, open_flags }
    let program = bpf(PROG_GET_FD_BY_ID, &mut [id, 0, 0])?;
    let mut words = [0_u64; INFO_WORDS];
    let mut ask = AskInfo {
        bpf_fd: fd(&program),
        info_len: u32::try_from(size_of_val(&words)).unwrap_or(0),
        info: words.as_mut_ptr() as u64,
    };
    call(OBJ_GET_INFO_BY_FD, &mut ask)?;
    let name: Vec<u8> = words[NAME_AT / 8..NAME_AT / 8 + 2]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .take_while(|byte| *byte != 0)
        .collect();
    let cost = Cost {
        ns: words[RUN_TIME_AT / 8],
        runs: words[RUN_COUNT_AT / 8],
    };
    Ok((String::from_utf8_lossy(&name).into_owned(), cost))
}

fn cgroup() -> Result<OwnedFd> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
    let mut mounts = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts
        .find(|fields| fields.get(2) == Some(&"cgroup2"))
        .context("cgroup v2 is not mounted")?;
    let path = mount.get(1).context("a mount without a place")?;
    Ok(File::open(path)
        .with_context(|| format!("cannot open {path}"))?
        .into())
}

/// A descriptor as the kernel's structures have it.
fn fd(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// A command that makes a descriptor.
fn bpf<T>(command: c_long, attr: &mut T) -> io::Result<OwnedFd> {
    let made = call(command, attr)?;
    let made = i32::try_from(made).map_err(io::Error::other)?;
    // SAFETY: the system call just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}

fn call<T>(command: c_long, attr: &mut T) -> io::Result<c_long> {
    // SAFETY: `attr` is the beginning of `union bpf_attr` for this command, as long as told; what its
    // addresses point to outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attr),
            size_of::<T>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}
