//! Network namespaces of a test's own.

use std::process::Command;

use crate::workload::Program;

/// Where a command runs.
#[derive(Clone, Copy, Debug)]
pub enum Netns<'a> {
    /// In a new one, with loopback up and these settings: `ipv4/tcp_fin_timeout=2`.
    New(&'a [&'a str]),
    /// In that of a process.
    Of(u32),
}

impl Netns<'_> {
    /// The command that runs `inner` there, under the pid that it is started with.
    #[must_use]
    pub fn command(self, inner: &Command) -> Command {
        let mut outer = Program::C("netns").command();
        match self {
            Self::New(settings) => outer.args(settings),
            Self::Of(pid) => outer.arg("--join").arg(pid.to_string()),
        };
        outer.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            if let Some(value) = value {
                outer.env(name, value);
            }
        }
        outer
    }
}
