//! The ladder of hooks: what is tried for each purpose, best first, and what each rung loses.

use std::fmt;

use crate::model::{HookReport, Support};
use crate::source::hooks::{AcceptHook, IoHook, ReleaseHook, StateHook};

/// A rung of one purpose's ladder.
pub trait Rung: Copy + PartialEq + 'static {
    /// The purpose, as `doctor` and status events name it.
    const PURPOSE: &'static str;
    /// Every rung, best first.
    const LADDER: &'static [Self];
    /// Kind of program and place, as kernel people write it.
    fn program(self) -> &'static str;
    /// What is lost compared with the best rung; empty if nothing.
    fn lost(self) -> &'static str;
    /// How to get the best rung.
    const CURE: &'static str;
}

impl Rung for StateHook {
    const PURPOSE: &'static str = "state_change";
    const LADDER: &'static [Self] = Self::ALL;
    const CURE: &'static str = "use a kernel with BTF (CONFIG_DEBUG_INFO_BTF=y)";

    fn program(self) -> &'static str {
        match self {
            Self::TpBtf => "tp_btf/inet_sock_set_state",
            Self::Tracepoint => "tracepoint/sock/inet_sock_set_state",
        }
    }

    fn lost(self) -> &'static str {
        match self {
            Self::TpBtf => "",
            Self::Tracepoint => "each state change costs more; socket cookies are made up",
        }
    }
}

impl Rung for ReleaseHook {
    const PURPOSE: &'static str = "release";
    const LADDER: &'static [Self] = Self::ALL;
    const CURE: &'static str = "";

    fn program(self) -> &'static str {
        match self {
            Self::Fentry => "fentry/inet_release",
            Self::Cgroup => "cgroup/sock_release",
            Self::Kprobe => "kprobe/inet_release",
        }
    }

    fn lost(self) -> &'static str {
        match self {
            Self::Fentry | Self::Cgroup => "",
            Self::Kprobe => "each release costs more",
        }
    }
}

impl Rung for AcceptHook {
    const PURPOSE: &'static str = "accept";
    const LADDER: &'static [Self] = Self::ALL;
    const CURE: &'static str =
        "use a kernel that allows fentry (CONFIG_FUNCTION_TRACER, BPF trampolines) or kprobes";

    fn program(self) -> &'static str {
        match self {
            Self::Fexit => "fexit/inet_csk_accept",
            Self::Kretprobe => "kretprobe/inet_csk_accept",
            Self::None => "",
        }
    }

    fn lost(self) -> &'static str {
        match self {
            Self::Fexit => "",
            Self::Kretprobe => {
                "accepts are missed while more threads block in accept() than the probe has \
                 instances (at least 10, or twice the CPUs)"
            }
            Self::None => "the accepting thread is not known; the first to use the socket is",
        }
    }
}

impl Rung for IoHook {
    const PURPOSE: &'static str = "last_io";
    const LADDER: &'static [Self] = Self::ALL;
    const CURE: &'static str = "use Linux 6.3 or later";

    fn program(self) -> &'static str {
        match self {
            Self::SockLength => "tp_btf/sock_recv_length, tp_btf/sock_send_length",
            Self::RcvSpaceAdjust => "tp_btf/tcp_rcv_space_adjust",
            Self::None => "",
        }
    }

    fn lost(self) -> &'static str {
        match self {
            Self::SockLength => "",
            Self::RcvSpaceAdjust => {
                "writes and reads of the end of a stream are not seen: eof_read becomes eof_unknown"
            }
            Self::None => "the thread that last used a socket is not known",
        }
    }
}

/// The rungs to try, best first.
#[must_use]
pub fn candidates<R: Rung>(forced: Option<R>) -> Vec<R> {
    forced.map_or_else(|| R::LADDER.to_vec(), |rung| vec![rung])
}

/// Why better rungs were passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried(Vec<(&'static str, String)>);

impl Tried {
    /// Notes that `program` was refused.
    pub fn refused(&mut self, program: &'static str, reason: String) {
        self.0.push((program, reason));
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (program, reason)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{program}: {reason}")?;
        }
        Ok(())
    }
}

/// What `doctor` says of the rung that was chosen.
#[must_use]
pub fn report<R: Rung>(chosen: R, tried: &Tried) -> HookReport {
    let best = chosen == R::LADDER[0];
    let missing = chosen.program().is_empty();
    // A rung that loses nothing is as good as the best.
    let support = match (missing, best || chosen.lost().is_empty()) {
        (true, _) => Support::Missing,
        (false, true) => Support::Ok,
        (false, false) => Support::Fallback,
    };
    let mut lost = chosen.lost().to_owned();
    if support != Support::Ok && !tried.0.is_empty() {
        lost = format!("{lost} ({tried})");
    }
    let cure = if support == Support::Ok { "" } else { R::CURE };
    HookReport {
        purpose: R::PURPOSE,
        support,
        used: chosen.program().to_owned(),
        lost,
        cure: cure.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rung_that_loses_nothing_is_ok() {
        let mut tried = Tried::default();
        tried.refused("fentry/inet_release", "not permitted".to_owned());
        let report = report(ReleaseHook::Cgroup, &tried);
        assert_eq!(report.support, Support::Ok);
        assert!(report.lost.is_empty() && report.cure.is_empty());
    }

    #[test]
    fn a_missing_rung_says_why_and_what_to_do() {
        let mut tried = Tried::default();
        tried.refused("fexit/inet_csk_accept", "not permitted".to_owned());
        let report = report(AcceptHook::None, &tried);
        assert_eq!(report.support, Support::Missing);
        assert!(
            report.lost.contains("fexit/inet_csk_accept: not permitted"),
            "{}",
            report.lost
        );
        assert!(!report.cure.is_empty());
    }
}
