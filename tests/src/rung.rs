//! Rungs: the ways to hook into a kernel, and what each can and cannot see.

use serde_json::Value;

use crate::agent::{Agent, NotStarted};
use crate::child::Signal;
use crate::json::{field, text};

/// A named choice of hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Name for `--rung`.
    pub name: &'static str,
    /// Value for `--hooks`; `None`: whatever the agent chooses.
    pub hooks: Option<&'static str>,
}

/// Every rung. Each way of each hook is in one of them at least.
pub const RUNGS: [Rung; 6] = [
    Rung {
        name: "auto",
        hooks: None,
    },
    Rung {
        name: "best",
        hooks: Some("state=tp_btf,release=fentry,accept=fexit,io=sock_length"),
    },
    // What the best is before Linux 6.3, which has no sock_recv_length.
    Rung {
        name: "trampoline",
        hooks: Some("state=tp_btf,release=fentry,accept=fexit,io=rcv_space_adjust"),
    },
    Rung {
        name: "cgroup",
        hooks: Some("state=tp_btf,release=cgroup,accept=none,io=rcv_space_adjust"),
    },
    Rung {
        name: "tracepoint",
        hooks: Some("state=tracepoint,release=kprobe,accept=kretprobe,io=rcv_space_adjust"),
    },
    Rung {
        name: "minimal",
        hooks: Some("state=tracepoint,release=cgroup,accept=none,io=none"),
    },
];

impl Rung {
    /// The rung with a name.
    ///
    /// # Errors
    ///
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        RUNGS
            .into_iter()
            .find(|rung| rung.name == name)
            .ok_or_else(|| {
                let names = RUNGS.map(|rung| rung.name).join(", ");
                format!("no rung {name:?}; the rungs are {names}")
            })
    }

    /// Arguments for an agent on this rung, after its command.
    #[must_use]
    pub fn args<'a>(&self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec![command];
        args.extend(self.hooks.iter().flat_map(|hooks| ["--hooks", *hooks]));
        args.extend(more);
        args
    }

    /// The hooks that this kernel gives it, found out by trying; `None` if the kernel does not offer it.
    ///
    /// # Errors
    ///
    /// If the agent does not start for another reason than a hook that is not available.
    ///
    /// # Panics
    ///
    /// If it starts and does not stop, or neither starts nor ends.
    pub fn offered(&self) -> Result<Option<Hooks>, NotStarted> {
        match Agent::try_start(&self.args("run", &[])) {
            Ok(agent) => {
                let hooks = Hooks::of(agent.started());
                agent.stop(Signal::Term);
                Ok(Some(hooks))
            }
            Err(refused) if refused.0.stderr.contains("not available") => Ok(None),
            Err(refused) => Err(refused),
        }
    }
}

/// How `accept()` is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptHook {
    /// `fexit/inet_csk_accept`.
    Fexit,
    /// `kretprobe/inet_csk_accept`.
    Kretprobe,
    /// Not at all.
    None,
}

/// How reads and writes are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoHook {
    /// `sock_recv_length` and `sock_send_length`: reads, writes, and reads of the end.
    SockLength,
    /// `tcp_rcv_space_adjust`: reads of data only.
    RcvSpaceAdjust,
    /// Not at all.
    None,
}

/// The hooks an agent says it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooks {
    /// `tp_btf` or `tracepoint`.
    pub state: String,
    /// `fentry`, `cgroup` or `kprobe`.
    pub release: String,
    /// How `accept()` is seen.
    pub accept: AcceptHook,
    /// How reads and writes are seen.
    pub io: IoHook,
}

impl Hooks {
    /// From the agent's first status line.
    ///
    /// # Panics
    ///
    /// If it does not tell of a hook.
    #[must_use]
    pub fn of(status: &Value) -> Self {
        let used = |purpose: &str| {
            let hooks = field(status, "socktrace.status.hooks").as_array();
            let mut hooks = hooks.into_iter().flatten();
            let hook = hooks.find(|hook| hook["purpose"] == purpose);
            text(
                hook.unwrap_or_else(|| panic!("no word on {purpose} in {status}")),
                "used",
            )
            .to_owned()
        };
        let section = |purpose: &str| {
            used(purpose)
                .split('/')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let accept = match used("accept") {
            used if used.starts_with("fexit/") => AcceptHook::Fexit,
            used if used.starts_with("kretprobe/") => AcceptHook::Kretprobe,
            _ => AcceptHook::None,
        };
        let io = match used("last_io") {
            used if used.contains("sock_recv_length") => IoHook::SockLength,
            used if used.contains("tcp_rcv_space_adjust") => IoHook::RcvSpaceAdjust,
            _ => IoHook::None,
        };
        Self {
            state: section("state_change"),
            release: section("release"),
            accept,
            io,
        }
    }

    /// In the words of `--hooks`.
    #[must_use]
    pub fn spelled(&self) -> String {
        let accept = match self.accept {
            AcceptHook::Fexit => "fexit",
            AcceptHook::Kretprobe => "kretprobe",
            AcceptHook::None => "none",
        };
        let io = match self.io {
            IoHook::SockLength => "sock_length",
            IoHook::RcvSpaceAdjust => "rcv_space_adjust",
            IoHook::None => "none",
        };
        format!(
            "state={},release={},accept={accept},io={io}",
            self.state, self.release
        )
    }
}

/// Something a thread did with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It connected.
    Connected(u64),
    /// It took it from a listener.
    Accepted(u64),
    /// It took it from a listener, and its process holds it no more.
    AcceptedAndLeft(u64),
    /// It read data.
    Read(u64),
    /// It wrote data.
    Wrote(u64),
    /// It read the end.
    ReadEnd(u64),
}

/// What a finding should say of the thread: `socktrace.leak.owner_via` and `process.thread.id`.
pub type Blamed = (&'static str, Option<u64>);

impl Hooks {
    /// Who is to be blamed, given everything that was done to the socket, oldest first: the last to
    /// use it that these hooks can see, else who opened it, else nobody in particular.
    #[must_use]
    pub fn blamed(&self, deeds: &[Deed]) -> Blamed {
        let used = deeds.iter().rev().find_map(|deed| match (*deed, self.io) {
            (Deed::Read(tid), IoHook::SockLength | IoHook::RcvSpaceAdjust)
            | (Deed::Wrote(tid) | Deed::ReadEnd(tid), IoHook::SockLength) => Some(tid),
            _ => None,
        });
        let opened = deeds.iter().find_map(|deed| match *deed {
            Deed::Connected(tid) => Some(("connect", tid)),
            Deed::Accepted(tid) if self.accept != AcceptHook::None => Some(("accept", tid)),
            _ => None,
        });
        match (used, opened) {
            (Some(tid), _) => ("last_io", Some(tid)),
            (None, Some((via, tid))) => (via, Some(tid)),
            (None, None) => ("holder", None),
        }
    }

    /// The diagnosis of a socket whose end was read. Without a hook that sees it nobody can know:
    /// the end may have come with the last data.
    #[must_use]
    pub fn end_was_read(&self) -> &'static str {
        if self.io == IoHook::SockLength {
            "eof_read"
        } else {
            "eof_unknown"
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(state: &str, release: &str, accept: &str, io: &str) -> Value {
        json!({"socktrace": {"status": {"hooks": [
            {"purpose": "state_change", "used": state}, {"purpose": "release", "used": release},
            {"purpose": "accept", "used": accept}, {"purpose": "last_io", "used": io},
        ]}}})
    }

    #[test]
    fn a_status_tells_its_rung() {
        let best = status(
            "tp_btf/inet_sock_set_state",
            "fentry/inet_release",
            "fexit/inet_csk_accept",
            "tp_btf/sock_recv_length",
        );
        assert_eq!(Some(Hooks::of(&best).spelled().as_str()), RUNGS[1].hooks);
        let minimal = status(
            "tracepoint/sock/inet_sock_set_state",
            "cgroup/sock_release",
            "",
            "",
        );
        assert_eq!(Some(Hooks::of(&minimal).spelled().as_str()), RUNGS[5].hooks);
    }

    #[test]
    fn every_way_of_every_hook_is_on_a_rung() {
        let all: Vec<&str> = RUNGS.iter().filter_map(|rung| rung.hooks).collect();
        for way in [
            "state=tp_btf",
            "state=tracepoint",
            "release=fentry",
            "release=cgroup",
            "release=kprobe",
            "accept=fexit",
            "accept=kretprobe",
            "accept=none",
            "io=sock_length",
            "io=rcv_space_adjust",
            "io=none",
        ] {
            assert!(
                all.iter()
                    .any(|hooks| hooks.split(',').any(|hook| hook == way)),
                "{way}"
            );
        }
    }

    #[test]
    fn blame_rests_on_what_can_be_seen() {
        use Deed::{Accepted, Connected, Read, ReadEnd, Wrote};
        let hooks = |accept, io| Hooks {
            state: String::new(),
            release: String::new(),
            accept,
            io,
        };
        let (seen, unseen) = (AcceptHook::Fexit, AcceptHook::None);
        for (accept, io, deeds, expected) in [
            (
                seen,
                IoHook::SockLength,
                &[Accepted(1)][..],
                ("accept", Some(1)),
            ),
            (unseen, IoHook::SockLength, &[Accepted(1)], ("holder", None)),
            (
                unseen,
                IoHook::None,
                &[Connected(1), Read(2)],
                ("connect", Some(1)),
            ),
            (
                seen,
                IoHook::SockLength,
                &[Accepted(1), Read(2)],
                ("last_io", Some(2)),
            ),
            (
                unseen,
                IoHook::RcvSpaceAdjust,
                &[Accepted(1), Read(2)],
                ("last_io", Some(2)),
            ),
            (
                seen,
                IoHook::RcvSpaceAdjust,
                &[Accepted(1), Wrote(2)],
                ("accept", Some(1)),
            ),
            (
                seen,
                IoHook::SockLength,
                &[Accepted(1), Wrote(2)],
                ("last_io", Some(2)),
            ),
            (
                seen,
                IoHook::RcvSpaceAdjust,
                &[Accepted(1), Read(2), ReadEnd(3)],
                ("last_io", Some(2)),
            ),
            (
                seen,
                IoHook::SockLength,
                &[Accepted(1), Read(2), ReadEnd(3)],
                ("last_io", Some(3)),
            ),
        ] {
            assert_eq!(
                hooks(accept, io).blamed(deeds),
                expected,
                "{accept:?} {io:?} {deeds:?}"
            );
        }
    }
}
