//! The embedded object: loading it, and its programs by their types.

use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSock, FEntry, FExit, Iter, KProbe, Program,
    ProgramError, TracePoint,
};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader};
use socktrace_common::config::{Config, Offsets};
use socktrace_common::maps::{MARKED, WAYS};
use zerocopy::IntoBytes as _;

use super::{cgroup, sys};

/// The object, aligned as the ELF parser wants it.
#[repr(C, align(8))]
struct Aligned<Bytes: ?Sized>(Bytes);
static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(
    env!("OUT_DIR"),
    "/socktrace.bpf.o"
)));

/// Sizes of the kernel's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the ring buffer: a power of two, at least a page.
    pub ring_bytes: u32,
    /// Suspects at once.
    pub suspects: u32,
    /// Sockets whose owners are remembered at once.
    pub owners: u32,
}

impl Sizes {
    /// So small that loading costs nothing, for commands that stream nothing.
    pub const LEAST: Self = Self {
        ring_bytes: 4096,
        suspects: 1,
        owners: 1,
    };

    /// Sets in the table of sockets. Twice the slots that are wanted: a socket finds no room only where
    /// all four of its sets are full, which then happens to one in a million.
    pub(super) fn socket_sets(self) -> u32 {
        let ways = u32::try_from(WAYS).unwrap_or(u32::MAX);
        self.owners.div_ceil(ways).saturating_mul(2).max(1)
    }
}

/// Loads the object's maps and prepares its programs; no program is in the kernel yet.
pub(super) fn load(
    btf: &Btf,
    config: &Config,
    offsets: &Offsets,
    sizes: Sizes,
) -> Result<Ebpf, EbpfError> {
    new_loader()
        .btf(Some(btf))
        .override_global("CONFIG", config.as_bytes(), true)
        .override_global("OFFSETS", offsets.as_bytes(), true)
        .map_max_entries("EVENTS", sizes.ring_bytes)
        .map_max_entries("SUSPECTS", sizes.suspects)
        .map_max_entries("SOCKETS", config.socket_sets)
        .map_max_entries("MARKS", config.socket_sets.div_ceil(MARKED))
        .load(&OBJECT.0)
}

/// aya's loader parses all of the kernel's BTF when it is made, whatever it is given later: 50 MB and a
/// good part of a second. On this thread it finds none.
fn new_loader<'a>() -> EbpfLoader<'a> {
    let made = std::thread::scope(|scope| {
        let maker = scope.spawn(|| {
            // Where that is not allowed, it takes longer.
            let _ = sys::open_nothing();
            EbpfLoader::new()
        });
        maker.join()
    });
    made.unwrap_or_else(|_| EbpfLoader::new())
}

/// Why a program is not in the kernel, in one line.
#[derive(Debug, thiserror::Error)]
pub(super) enum HookError {
    /// aya or the kernel refused it.
    #[error("{}", one_line(.0))]
    Program(#[from] ProgramError),
    /// There is no place to attach it.
    #[error("{0}")]
    Place(String),
}

/// How the verifier's closing statistics begin (kernel/bpf/verifier.c, `print_verification_stats`).
const STATISTICS: [&str; 3] = ["processed ", "stack depth ", "verification time "];

/// What the kernel said last: the verifier's whole log is for developers (`--features debug-log`
/// and `strace -e bpf`), its last words are for everybody.
fn one_line(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            let log = verifier_log.to_string();
            let last = log
                .lines()
                .map(str::trim)
                .rfind(|line| !line.is_empty() && !STATISTICS.iter().any(|s| line.starts_with(s)));
            match last {
                Some(line) => format!("{io_error}, {line}"),
                None => io_error.to_string(),
            }
        }
        ProgramError::SyscallError(error) => error.io_error.to_string(),
        other => chain(other),
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_line = cause.to_string();
        if !line.contains(&cause_line) {
            line = format!("{line}: {cause_line}");
        }
        source = cause.source();
    }
    line.lines().next().unwrap_or_default().to_owned()
}

/// A program of the object, by name and type.
pub(super) fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, HookError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| HookError::Place(format!("the object has no program {name}")))?;
    Ok(program.try_into()?)
}

/// Loads a `tp_btf` program for `tracepoint`.
pub(super) fn load_tp_btf(
    ebpf: &mut Ebpf,
    btf: &Btf,
    name: &str,
    tracepoint: &str,
) -> Result<(), HookError> {
    Ok(program::<BtfTracePoint>(ebpf, name)?.load(tracepoint, btf)?)
}

/// Attaches a loaded `tp_btf` program.
pub(super) fn attach_tp_btf(ebpf: &mut Ebpf, name: &str) -> Result<(), HookError> {
    program::<BtfTracePoint>(ebpf, name)?.attach()?;
    Ok(())
}

/// Loads a classic tracepoint program.
pub(super) fn load_tracepoint(ebpf: &mut Ebpf, name: &str) -> Result<(), HookError> {
    Ok(program::<TracePoint>(ebpf, name)?.load()?)
}

/// Attaches a loaded classic tracepoint program; needs tracefs.
pub(super) fn attach_tracepoint(
    ebpf: &mut Ebpf,
    name: &str,
    category: &str,
    tracepoint: &str,
) -> Result<(), HookError> {
    program::<TracePoint>(ebpf, name)?.attach(category, tracepoint)?;
    Ok(())
}

/// Loads and attaches a `fentry` program.
pub(super) fn attach_fentry(
    ebpf: &mut Ebpf,
    btf: &Btf,
    name: &str,
    function: &str,
) -> Result<(), HookError> {
    let program = program::<FEntry>(ebpf, name)?;
    program.load(function, btf)?;
    program.attach()?;
    Ok(())
}

/// Loads and attaches a `fexit` program.
pub(super) fn attach_fexit(
    ebpf: &mut Ebpf,
    btf: &Btf,
    name: &str,
    function: &str,
) -> Result<(), HookError> {
    let program = program::<FExit>(ebpf, name)?;
    program.load(function, btf)?;
    program.attach()?;
    Ok(())
}

/// Loads and attaches a `kprobe` or `kretprobe` program (the object says which).
pub(super) fn attach_kprobe(ebpf: &mut Ebpf, name: &str, function: &str) -> Result<(), HookError> {
    let program = program::<KProbe>(ebpf, name)?;
    program.load()?;
    program.attach(function, 0)?;
    Ok(())
}

/// Loads and attaches a `cgroup/sock_*` program at the root of cgroup v2, beside those of others.
pub(super) fn attach_cgroup(ebpf: &mut Ebpf, name: &str) -> Result<(), HookError> {
    let root = cgroup::v2_root().map_err(HookError::Place)?;
    let program = program::<CgroupSock>(ebpf, name)?;
    program.load()?;
    // Single is how links are made; links of several agents stack all the same.
    program.attach(root, CgroupAttachMode::Single)?;
    Ok(())
}

/// Loads an iterator program.
pub(super) fn load_iter(
    ebpf: &mut Ebpf,
    btf: &Btf,
    name: &str,
    target: &str,
) -> Result<(), HookError> {
    Ok(program::<Iter>(ebpf, name)?.load(target, btf)?)
}
