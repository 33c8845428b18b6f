//! The ladder of hooks: what is tried for each purpose, best first, and what each rung loses.

use std::fmt;

use crate::model::{HookReport, Support};

/// A rung of one purpose's ladder.
pub trait Rung: Copy + PartialEq + 'static {
    /// The purpose, as `doctor` and status events name it.
    const PURPOSE: &'static str;
    /// Every rung, best first.
    const LADDER: &'static [Self];
    /// The word for it in `--hooks`.
    fn word(self) -> &'static str;
    /// Kind of program and place, as kernel people write it.
    fn program(self) -> &'static str;
    /// What is lost compared with the best rung; empty if nothing.
    fn lost(self) -> &'static str;
    /// How to get the best rung.
    const CURE: &'static str;
}

/// How state changes are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateHook {
    /// `tp_btf`.
    TpBtf,
    /// The classic tracepoint.
    Tracepoint,
}

impl Rung for StateHook {
    const PURPOSE: &'static str = "state_change";
    const LADDER: &'static [Self] = &[Self::TpBtf, Self::Tracepoint];
    const CURE: &'static str = "use a kernel with BTF (CONFIG_DEBUG_INFO_BTF=y)";

    fn word(self) -> &'static str {
        match self {
            Self::TpBtf => "tp_btf",
            Self::Tracepoint => "tracepoint",
        }
    }

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

/// How releases are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseHook {
    /// `fentry`.
    Fentry,
    /// A program on the root of cgroup v2.
    Cgroup,
    /// `kprobe`.
    Kprobe,
}

impl Rung for ReleaseHook {
    const PURPOSE: &'static str = "release";
    const LADDER: &'static [Self] = &[Self::Fentry, Self::Cgroup, Self::Kprobe];
    const CURE: &'static str = "";

    fn word(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Cgroup => "cgroup",
            Self::Kprobe => "kprobe",
        }
    }

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

/// How accepts are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptHook {
    /// `fexit`.
    Fexit,
    /// `kretprobe`.
    Kretprobe,
    /// Not at all.
    None,
}

impl Rung for AcceptHook {
    const PURPOSE: &'static str = "accept";
    const LADDER: &'static [Self] = &[Self::Fexit, Self::Kretprobe, Self::None];
    const CURE: &'static str =
        "use a kernel that allows fentry (CONFIG_FUNCTION_TRACER, BPF trampolines) or kprobes";

    fn word(self) -> &'static str {
        match self {
            Self::Fexit => "fexit",
            Self::Kretprobe => "kretprobe",
            Self::None => "none",
        }
    }

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

/// How the last use of a socket is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoHook {
    /// `sock_recv_length` and `sock_send_length`.
    SockLength,
    /// `tcp_rcv_space_adjust`.
    RcvSpaceAdjust,
    /// Not at all.
    None,
}

impl Rung for IoHook {
    const PURPOSE: &'static str = "last_io";
    const LADDER: &'static [Self] = &[Self::SockLength, Self::RcvSpaceAdjust, Self::None];
    const CURE: &'static str = "use Linux 6.3 or later";

    fn word(self) -> &'static str {
        match self {
            Self::SockLength => "sock_length",
            Self::RcvSpaceAdjust => "rcv_space_adjust",
            Self::None => "none",
        }
    }

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

/// Rungs forced with `--hooks`; a purpose without one is tried from the top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    /// `state=…`
    pub state: Option<StateHook>,
    /// `release=…`
    pub release: Option<ReleaseHook>,
    /// `accept=…`
    pub accept: Option<AcceptHook>,
    /// `io=…`
    pub io: Option<IoHook>,
}

/// The rung of that name.
pub fn rung<R: Rung>(word: &str) -> Result<R, String> {
    R::LADDER
        .iter()
        .copied()
        .find(|rung| rung.word() == word)
        .ok_or_else(|| {
            let words: Vec<_> = R::LADDER.iter().map(|rung| rung.word()).collect();
            format!(
                "no rung '{word}' for {}; they are {}",
                R::PURPOSE,
                words.join(", ")
            )
        })
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
    fn rungs_have_names() {
        assert_eq!(rung::<StateHook>("tracepoint"), Ok(StateHook::Tracepoint));
        assert_eq!(rung::<AcceptHook>("none"), Ok(AcceptHook::None));
        let error = rung::<ReleaseHook>("magic").expect_err("no such rung");
        assert_eq!(
            error,
            "no rung 'magic' for release; they are fentry, cgroup, kprobe"
        );
    }

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
