//! What the process is allowed to do, asked before anything is tried, so that the answer is one
//! clear line.

use std::collections::HashSet;
use std::fs;

use caps::{CapSet, Capability};

use crate::model::{HookReport, Support};

/// A capability and what it is for.
struct Need {
    capability: Capability,
    name: &'static str,
    /// Name of its line in `doctor`.
    purpose: &'static str,
    /// What it is used for.
    serves: &'static str,
    /// What is lost without it.
    lost: &'static str,
    /// How bad that is.
    without: Support,
}

/// Nothing can be loaded without these.
const LOADING: [Need; 2] = [
    Need {
        capability: Capability::CAP_PERFMON,
        name: "CAP_PERFMON",
        purpose: "cap_perfmon",
        serves: "programs that read the kernel's memory",
        lost: "run and trace; scan sees less",
        without: Support::Missing,
    },
    Need {
        capability: Capability::CAP_BPF,
        name: "CAP_BPF",
        purpose: "cap_bpf",
        serves: "programs and their tables",
        lost: "run and trace; scan sees less",
        without: Support::Missing,
    },
];

/// Without these there is less to see, or it depends on the kernel.
const MORE: [Need; 4] = [
    Need {
        capability: Capability::CAP_NET_ADMIN,
        name: "CAP_NET_ADMIN",
        purpose: "cap_net_admin",
        serves: "cgroup/sock_release",
        lost: "run and trace on kernels without fentry and kprobes",
        without: Support::Fallback,
    },
    Need {
        capability: Capability::CAP_SYS_PTRACE,
        name: "CAP_SYS_PTRACE",
        purpose: "cap_sys_ptrace",
        serves: "other users' executables, descriptors and namespaces in /proc",
        lost: "executables, numbers of descriptors and network namespaces of other users' processes",
        without: Support::Fallback,
    },
    Need {
        capability: Capability::CAP_DAC_READ_SEARCH,
        name: "CAP_DAC_READ_SEARCH",
        purpose: "cap_dac_read_search",
        serves: "other users' descriptors in /proc, tracefs",
        lost: "numbers of descriptors of other users' processes; where tracefs is root's alone, \
               the classic tracepoint",
        without: Support::Fallback,
    },
    Need {
        capability: Capability::CAP_SYS_ADMIN,
        name: "CAP_SYS_ADMIN",
        purpose: "cap_sys_admin",
        serves: "accept queues of other network namespaces",
        lost: "connections that leak in accept queues of other network namespaces",
        without: Support::Fallback,
    },
];

/// The capabilities that loading the programs needs and this thread lacks; empty if none.
#[must_use]
pub fn missing() -> Vec<&'static str> {
    missing_from(&effective())
}

/// Whether facts about other users' processes can be read.
#[must_use]
pub fn sees_all_processes() -> bool {
    effective().contains(&Capability::CAP_SYS_PTRACE)
}

/// Whether programs can be attached to cgroups.
pub(super) fn administers_networks() -> bool {
    effective().contains(&Capability::CAP_NET_ADMIN)
}

/// What allows perf events where the kernel is strict about them.
pub(super) const PERF_EVENTS: &str = "CAP_SYS_ADMIN (or sysctl kernel.perf_event_paranoid=2)";

/// Whether the classic tracepoint and probes can be attached, which takes perf events. Debian and its kin
/// know a level of `perf_event_paranoid` above the kernel's own, at which `CAP_PERFMON` is not enough.
pub(super) fn opens_perf_events() -> bool {
    let setting = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    let is_strict = setting.trim().parse::<i32>().is_ok_and(|level| level > 2);
    !is_strict || effective().contains(&Capability::CAP_SYS_ADMIN)
}

/// What `doctor` says: a line for each capability, one for perf events and one for locked memory.
#[must_use]
pub fn reports() -> Vec<HookReport> {
    let effective = effective();
    let needs = LOADING.iter().chain(&MORE);
    let mut reports: Vec<_> = needs.map(|need| report(need, &effective)).collect();
    reports.push(perf_events());
    reports.push(locked_memory(&effective));
    reports
}

fn report(need: &Need, effective: &HashSet<Capability>) -> HookReport {
    let is_there = implies(effective, need.capability);
    let text = |there: &str, not: &str| (if is_there { there } else { not }).to_owned();
    HookReport {
        purpose: need.purpose,
        support: if is_there { Support::Ok } else { need.without },
        used: text(need.serves, "not granted"),
        lost: text("", need.lost),
        cure: text("", &format!("grant {}", need.name)),
    }
}

fn perf_events() -> HookReport {
    let is_fine = opens_perf_events();
    let text = |fine: &str, not: &str| (if is_fine { fine } else { not }).to_owned();
    HookReport {
        purpose: "perf_events",
        support: if is_fine {
            Support::Ok
        } else {
            Support::Fallback
        },
        used: text("for the classic tracepoint and probes", "refused"),
        lost: text(
            "",
            "the classic tracepoint and probes, where better hooks are not available",
        ),
        cure: text("", &format!("grant {PERF_EVENTS}")),
    }
}

/// Before Linux 5.11 maps and programs count as locked memory.
fn locked_memory(effective: &HashSet<Capability>) -> HookReport {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit for the kernel to write to.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } == 0;
    let is_lifted = is_known && limit.rlim_max == libc::RLIM_INFINITY;
    let is_fine = !counts_maps() || is_lifted || effective.contains(&Capability::CAP_SYS_RESOURCE);
    let text = |fine: &str, not: &str| (if is_fine { fine } else { not }).to_owned();
    HookReport {
        purpose: "locked_memory",
        support: if is_fine {
            Support::Ok
        } else {
            Support::Fallback
        },
        used: text("not limited for maps", "limited"),
        lost: text(
            "",
            "run and trace, if the limit is too low: this kernel counts maps as locked memory",
        ),
        cure: text(
            "",
            "set LimitMEMLOCK=infinity in the unit, or grant CAP_SYS_RESOURCE",
        ),
    }
}

/// Whether this kernel is older than 5.11.
fn counts_maps() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) < (Some(5), Some(11))
}

fn missing_from(effective: &HashSet<Capability>) -> Vec<&'static str> {
    let lacks = |need: &&Need| !implies(effective, need.capability);
    LOADING.iter().filter(lacks).map(|need| need.name).collect()
}

/// `CAP_SYS_ADMIN` includes what was taken out of it in Linux 5.8.
fn implies(effective: &HashSet<Capability>, capability: Capability) -> bool {
    let was_admin = LOADING.iter().any(|need| need.capability == capability);
    effective.contains(&capability) || was_admin && effective.contains(&Capability::CAP_SYS_ADMIN)
}

fn effective() -> HashSet<Capability> {
    caps::read(None, CapSet::Effective).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(effective: &[Capability], missing: &[&str]) {
        let effective = effective.iter().copied().collect();
        assert_eq!(missing_from(&effective), missing);
        let reports = needs().map(|need| report(need, &effective));
        let lines: Vec<_> = reports
            .filter(|report| report.support == Support::Missing)
            .map(|report| report.cure)
            .collect();
        let expected: Vec<_> = missing.iter().map(|name| format!("grant {name}")).collect();
        assert_eq!(lines, expected);
    }

    fn needs() -> impl Iterator<Item = &'static Need> {
        LOADING.iter().chain(&MORE)
    }

    #[test]
    fn names_what_is_missing() {
        check(&[], &["CAP_PERFMON", "CAP_BPF"]);
        check(&[Capability::CAP_PERFMON], &["CAP_BPF"]);
        check(&[Capability::CAP_PERFMON, Capability::CAP_BPF], &[]);
        check(&[Capability::CAP_SYS_ADMIN], &[]);
        check(&[Capability::CAP_NET_ADMIN], &["CAP_PERFMON", "CAP_BPF"]);
    }

    #[test]
    fn a_need_is_called_what_the_kernel_calls_it() {
        for need in needs() {
            assert_eq!(need.capability.to_string(), need.name);
            assert_eq!(need.name.to_lowercase(), need.purpose);
        }
    }
}
