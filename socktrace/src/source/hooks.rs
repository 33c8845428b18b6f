//! The hooks there are, best first, and the hidden override of those that `run` and `trace` would choose
//! by trying. What each of them is worth is `kernel::ladder`'s business.

use std::str::FromStr;

/// Which program serves each purpose; `None` leaves the choice to the loader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookOverrides {
    /// `state=`: changes of the TCP state.
    pub state: Option<StateHook>,
    /// `release=`: the owner's release.
    pub release: Option<ReleaseHook>,
    /// `accept=`: who accepts.
    pub accept: Option<AcceptHook>,
    /// `io=`: who moves bytes.
    pub io: Option<IoHook>,
}

/// Defines an enum of hooks with the names they have on the command line.
macro_rules! hook {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant,)* }

        impl $name {
            /// Every one, the best first.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

hook! {
    /// For changes of the TCP state.
    StateHook {
        /// `tp_btf/inet_sock_set_state`.
        TpBtf = "tp_btf",
        /// `tracepoint/sock/inet_sock_set_state`.
        Tracepoint = "tracepoint",
    }
}

hook! {
    /// For the release by the owner.
    ReleaseHook {
        /// `fentry/inet_release`.
        Fentry = "fentry",
        /// `cgroup/sock_release` on the root of the unified hierarchy.
        Cgroup = "cgroup",
        /// `kprobe/inet_release`.
        Kprobe = "kprobe",
    }
}

hook! {
    /// For accept.
    AcceptHook {
        /// `fexit/inet_csk_accept`.
        Fexit = "fexit",
        /// `kretprobe/inet_csk_accept`.
        Kretprobe = "kretprobe",
        /// Nothing: the first to move bytes is the first seen.
        None = "none",
    }
}

hook! {
    /// For the last input and output.
    IoHook {
        /// `tp_btf/sock_recv_length` and `tp_btf/sock_send_length`.
        SockLength = "sock_length",
        /// `tp_btf/tcp_rcv_space_adjust`.
        RcvSpaceAdjust = "rcv_space_adjust",
        /// Nothing.
        None = "none",
    }
}

impl FromStr for HookOverrides {
    type Err = String;

    /// `state=tracepoint,release=kprobe`: any of the purposes, each at most once.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut hooks = Self::default();
        for part in text.split(',') {
            let (purpose, name) = part.split_once('=').ok_or_else(|| {
                format!("{part:?} is not PURPOSE=HOOK; purposes are state, release, accept, io")
            })?;
            match purpose {
                "state" => set(
                    &mut hooks.state,
                    part,
                    name,
                    StateHook::ALL,
                    StateHook::name,
                )?,
                "release" => set(
                    &mut hooks.release,
                    part,
                    name,
                    ReleaseHook::ALL,
                    ReleaseHook::name,
                )?,
                "accept" => set(
                    &mut hooks.accept,
                    part,
                    name,
                    AcceptHook::ALL,
                    AcceptHook::name,
                )?,
                "io" => set(&mut hooks.io, part, name, IoHook::ALL, IoHook::name)?,
                _ => {
                    return Err(format!(
                        "{purpose:?} is no purpose; purposes are state, release, accept, io"
                    ));
                }
            }
        }
        Ok(hooks)
    }
}

fn set<H: Copy>(
    hook: &mut Option<H>,
    part: &str,
    name: &str,
    all: &[H],
    name_of: fn(H) -> &'static str,
) -> Result<(), String> {
    let chosen = all
        .iter()
        .copied()
        .find(|hook| name_of(*hook) == name)
        .ok_or_else(|| {
            let names: Vec<_> = all.iter().copied().map(name_of).collect();
            format!("{part:?}: the hooks are {}", names.join(", "))
        })?;
    if hook.replace(chosen).is_some() {
        return Err(format!("{part:?}: the purpose is given twice"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_set_one_by_one() {
        let none = HookOverrides::default();
        let check = |text: &str, expected| assert_eq!(text.parse(), Ok(expected), "{text}");
        check(
            "state=tracepoint",
            HookOverrides {
                state: Some(StateHook::Tracepoint),
                ..none
            },
        );
        check(
            "release=cgroup",
            HookOverrides {
                release: Some(ReleaseHook::Cgroup),
                ..none
            },
        );
        check(
            "accept=none",
            HookOverrides {
                accept: Some(AcceptHook::None),
                ..none
            },
        );
        check(
            "state=tp_btf,release=fentry,accept=fexit,io=sock_length",
            HookOverrides {
                state: Some(StateHook::TpBtf),
                release: Some(ReleaseHook::Fentry),
                accept: Some(AcceptHook::Fexit),
                io: Some(IoHook::SockLength),
            },
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (text, hint) in [
            ("", "PURPOSE=HOOK"),
            ("tracepoint", "PURPOSE=HOOK"),
            ("status=x", "purposes are"),
            ("state=kprobe", "tp_btf, tracepoint"),
            ("release=none", "fentry, cgroup, kprobe"),
            ("io=none,io=none", "twice"),
            ("state=tp_btf,", "PURPOSE=HOOK"),
        ] {
            let error = text.parse::<HookOverrides>().unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
