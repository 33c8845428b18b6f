//! Programs under test as a service manager starts them: another user, and some capabilities.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// A capability (include/uapi/linux/capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's names are what they are")]
#[repr(u32)]
pub enum Capability {
    DacReadSearch = 2,
    NetAdmin = 12,
    SysPtrace = 19,
    SysAdmin = 21,
    Perfmon = 38,
    Bpf = 39,
}

impl Capability {
    /// Those that this knows, with their names.
    const NAMED: [(&'static str, Self); 6] = [
        ("CAP_DAC_READ_SEARCH", Self::DacReadSearch),
        ("CAP_NET_ADMIN", Self::NetAdmin),
        ("CAP_SYS_PTRACE", Self::SysPtrace),
        ("CAP_SYS_ADMIN", Self::SysAdmin),
        ("CAP_PERFMON", Self::Perfmon),
        ("CAP_BPF", Self::Bpf),
    ];
}

/// The unit that packages install.
const UNIT: &str = include_str!("../../socktrace/packaging/systemd/socktrace.service");

/// The capabilities that the unit grants, as a set of bits.
///
/// # Panics
///
/// If it grants one to the program that it does not let it have, or one that this does not know.
#[must_use]
pub fn of_the_unit() -> u64 {
    let [ambient, bounding] = ["AmbientCapabilities=", "CapabilityBoundingSet="].map(|setting| {
        let line = UNIT.lines().find_map(|line| line.strip_prefix(setting));
        line.unwrap_or_else(|| panic!("the unit has no {setting}"))
    });
    assert_eq!(ambient, bounding);
    let bit = |name: &str| {
        let mut named = Capability::NAMED.into_iter();
        let (_, capability) = named
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("what is {name}?"));
        set(&[capability])
    };
    ambient.split(' ').map(bit).fold(0, |all, one| all | one)
}

/// Some capabilities as a set of bits, which is how /proc shows them.
#[must_use]
pub const fn set(capabilities: &[Capability]) -> u64 {
    let mut bits = 0;
    let mut index = 0;
    while index < capabilities.len() {
        bits |= 1 << capabilities[index] as u32;
        index += 1;
    }
    bits
}

/// Has a command run as `user`, which is nobody's number, with these capabilities and no others: what
/// `User=`, `AmbientCapabilities=`, `CapabilityBoundingSet=` and `LimitMEMLOCK=infinity` of a unit come to.
pub fn as_service(command: &mut Command, user: u32, capabilities: u64) -> &mut Command {
    // SAFETY: what runs between fork and exec makes system calls only.
    unsafe { command.pre_exec(move || become_service(user, capabilities)) }
}

/// `struct __user_cap_header_struct`, version 3.
#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

/// `struct __user_cap_data_struct`, of which there are two: the low and the high bits.
#[repr(C)]
#[derive(Clone, Copy)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn become_service(user: u32, capabilities: u64) -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let infinite = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `infinite` is a valid rlimit. Where root may not lift the limit, it is not needed either.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const infinite) };
    for capability in 0..64 {
        // SAFETY: prctl is given integers. What does not exist cannot be dropped, which ends the list.
        let dropped = capabilities & (1 << capability) != 0
            || unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } == 0;
        if !dropped {
            break;
        }
    }
    // SAFETY: all are given integers, and an empty list.
    unsafe {
        ok(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0))?;
        ok(libc::setgroups(0, std::ptr::null()))?;
        ok(libc::setresgid(user, user, user))?;
        ok(libc::setresuid(user, user, user))?;
    }
    let half = |bits: u64| {
        let bits = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
        Data {
            effective: bits,
            permitted: bits,
            inheritable: bits,
        }
    };
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let data = [half(capabilities), half(capabilities >> 32)];
    // SAFETY: header and data are what version 3 of this call reads.
    let set = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    ok(libc::c_int::try_from(set).unwrap_or(-1))?;
    for capability in (0..64).filter(|capability| capabilities & (1 << capability) != 0) {
        // SAFETY: prctl is given integers.
        ok(unsafe {
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_RAISE,
                capability,
                0,
                0,
            )
        })?;
    }
    Ok(())
}

fn ok(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
