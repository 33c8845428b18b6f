//! What the process is allowed to do, asked before anything is tried, so that the answer is one
//! clear line.

use std::fs;

/// Bits of `CapEff` (include/uapi/linux/capability.h).
const CAPABILITIES: [(u32, &str); 3] =
    [(12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];
/// `CAP_SYS_ADMIN` includes the three.
const CAP_SYS_ADMIN: u32 = 21;
/// Needed to see other users' descriptors' processes in /proc.
const CAP_SYS_PTRACE: u32 = 19;

/// The capabilities that loading the programs needs and this process lacks; empty if none.
#[must_use]
pub fn missing() -> Vec<&'static str> {
    missing_from(effective())
}

/// Whether facts about other users' processes can be read.
#[must_use]
pub fn sees_all_processes() -> bool {
    has(effective(), CAP_SYS_PTRACE)
}

fn missing_from(effective: u64) -> Vec<&'static str> {
    if has(effective, CAP_SYS_ADMIN) && has(effective, 12) {
        return Vec::new();
    }
    let lacks = |&(bit, _): &(u32, &str)| !has(effective, bit);
    CAPABILITIES
        .iter()
        .filter(|cap| lacks(cap))
        .map(|(_, name)| *name)
        .collect()
}

fn has(effective: u64, bit: u32) -> bool {
    effective & (1 << bit) != 0
}

fn effective() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_missing() {
        assert_eq!(missing_from(0), ["CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF"]);
        assert_eq!(missing_from(1 << 12 | 1 << 38), ["CAP_BPF"]);
        assert!(missing_from(1 << 12 | 1 << 38 | 1 << 39).is_empty());
        assert!(missing_from(1 << 12 | 1 << 21).is_empty());
        assert_eq!(
            missing_from(1 << 21),
            ["CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF"]
        );
    }
}
