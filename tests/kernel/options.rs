//! The command line of the test program.

use std::path::PathBuf;

use libtest_mimic::Arguments;
use socktrace_tests::rung::Rung;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Options {
    /// What to do.
    pub(crate) job: Job,
    /// With which hooks.
    pub(crate) rung: Rung,
    /// Only the cases about hooks.
    pub(crate) only_hooks: bool,
    /// The arguments every test program takes.
    pub(crate) libtest: Arguments,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Run the cases.
    Test,
    /// Print the rungs that this kernel offers.
    ListRungs,
    /// Copy the workloads.
    InstallWorkloads(PathBuf),
}

impl Options {
    /// From the arguments, the program's name first, and the environment.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(crate) fn of(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut rung = std::env::var("SOCKTRACE_RUNG").unwrap_or_else(|_| "auto".to_owned());
        let mut job = Job::Test;
        let mut only_hooks = false;
        let mut rest = Vec::new();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (flag, mut value) = match arg.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            let mut value = || {
                value
                    .take()
                    .or_else(|| args.next())
                    .ok_or_else(|| format!("{flag} needs a value"))
            };
            match flag {
                "--rung" => rung = value()?,
                "--cases" => {
                    only_hooks = match value()?.as_str() {
                        "all" => false,
                        "hooks" => true,
                        other => return Err(format!("--cases is all or hooks, not {other:?}")),
                    };
                }
                "--list-rungs" => job = Job::ListRungs,
                "--install-workloads" => job = Job::InstallWorkloads(value()?.into()),
                _ => rest.push(arg),
            }
        }
        Ok(Self {
            job,
            rung: Rung::named(&rung)?,
            only_hooks,
            libtest: Arguments::from_iter(rest),
        })
    }
}
