//! What SIGHUP does: the configuration is read anew, and what can change without attaching anew changes.

use std::io::ErrorKind;
use std::mem;
use std::thread;

use super::desk::Desk;
use super::outputs::{Outputs, PATIENCE, Stream, encoder, tell, warn};
use crate::cli::{self, Environment, Output, RunSettings, Settings};
use crate::model::StatusReason;
use crate::sink::{SinkError, Sinks, Target, WhenFull};

/// What `run` was started with, or has taken over since.
pub(super) struct Reloader {
    settings: RunSettings,
}

impl Reloader {
    pub(super) fn new(settings: RunSettings) -> Self {
        Self { settings }
    }

    /// Reads the configuration and the flags again and takes over what has changed: all of it, or on an error
    /// nothing. How it went is told on standard error; what is returned is for a status.
    pub(super) fn reload<N>(&mut self, desk: &mut Desk<N>) -> StatusReason {
        match self.take_over(desk) {
            Ok(kept) => {
                for what in kept {
                    warn(&format!(
                        "{what} cannot change without a restart and stays as it was"
                    ));
                }
                StatusReason::Reloaded
            }
            Err(reason) => {
                let reason = reason.replace('\n', "; ");
                warn(&format!("the configuration stays as it was: {reason}"));
                StatusReason::ReloadFailed
            }
        }
    }

    /// What would have to change and cannot, by name.
    fn take_over<N>(&mut self, desk: &mut Desk<N>) -> Result<Vec<&'static str>, String> {
        let wanted = match cli::parse(std::env::args_os(), &Environment::real()) {
            Ok(Settings::Run(wanted)) => wanted,
            Ok(_) => return Err("the command line is not that of `run`".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        desk.outputs
            .reconfigure(&wanted.outputs)
            .map_err(|error| match &error {
                SinkError::Open { reason, .. } if reason.kind() == ErrorKind::WouldBlock => {
                    format!("{error} (an output that changes needs another spool, or a restart)")
                }
                _ => error.to_string(),
            })?;
        desk.gate.set_filter(wanted.filter.clone());
        desk.incidents
            .set_lines_per_process(wanted.max_lines_per_process);
        let old = mem::replace(&mut self.settings, wanted.clone());
        // What stays as it was is compared with what it was at the start, the next time, too.
        self.settings.leak_after = old.leak_after;
        self.settings.kernel = old.kernel;
        self.settings.metrics = old.metrics;
        self.settings.keep = old.keep;
        Ok(differences(&self.settings, &wanted))
    }
}

fn differences(is: &RunSettings, wanted: &RunSettings) -> Vec<&'static str> {
    let (kernel, other) = (&is.kernel, &wanted.kernel);
    let differ = [
        ("leak-after", is.leak_after != wanted.leak_after),
        ("record", kernel.record != other.record),
        ("ring-size", kernel.ring_size != other.ring_size),
        ("max-sockets", kernel.max_sockets != other.max_sockets),
        ("no-sandbox", kernel.sandbox != other.sandbox),
        ("metrics-listen", is.metrics != wanted.metrics),
        ("history", is.keep != wanted.keep),
    ];
    let names = differ.into_iter().filter(|(_, differs)| *differs);
    names.map(|(name, _)| name).collect()
}

impl Outputs {
    /// Has the streams that `outputs` say. Destinations that were there before keep their queues and spools, and
    /// streams whose lines are the same their numbers. What is not wanted any more writes what it has.
    ///
    /// # Errors
    ///
    /// If a new destination cannot be opened. Then everything is as it was.
    pub(super) fn reconfigure(&mut self, outputs: &[Output]) -> Result<(), SinkError> {
        let known = |target: &&Target| {
            let all = self
                .streams
                .iter()
                .flat_map(|stream| stream.sinks.targets());
            all.into_iter().any(|known| known == *target)
        };
        let new: Vec<&Target> = outputs
            .iter()
            .flat_map(|output| &output.targets)
            .filter(|target| !known(target))
            .collect();
        let mut sinks = Sinks::open(new, WhenFull::Drop)?;
        // From here on nothing can fail.
        self.write();
        let mut streams = mem::take(&mut self.streams);
        let events = streams.iter().map(|stream| stream.encoder.events()).max();
        let mut encoders = Vec::new();
        for Stream {
            output,
            encoder,
            sinks: own,
            ..
        } in streams.drain(..)
        {
            sinks.merge(own);
            encoders.push((output, encoder));
        }
        for output in outputs {
            let own = sinks.split(&output.targets);
            let same = encoders.iter().position(|(known, _)| known.is_same(output));
            let encoder = match same {
                Some(at) => encoders.swap_remove(at).1,
                None => encoder(output, &self.host).after(events.unwrap_or(0)),
            };
            self.streams.push(Stream::new(output, encoder, own));
        }
        if !sinks.targets().is_empty() {
            // Whoever is told of findings must not wait for that. Without a thread it is over at once.
            let retire = move || tell(&sinks.retire(PATIENCE));
            let _ = thread::Builder::new()
                .name("retiring".to_owned())
                .spawn(retire);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::model::{BootTime, HookReport, Host, Support};
    use crate::schema::{Format, Selection};
    use crate::sink::Class;

    fn output(format: Format, actions: &[&str], paths: &[&Path]) -> Output {
        Output {
            format,
            colour: false,
            envelope: None,
            selection: Selection {
                actions: actions.iter().map(|name| name.parse().unwrap()).collect(),
                ..Selection::default()
            },
            targets: paths
                .iter()
                .map(|path| Target::parse(path.as_os_str()).unwrap())
                .collect(),
        }
    }

    fn host() -> Host {
        Host {
            name: "db-7".into(),
            id: String::new(),
            boot_id: String::new(),
            wall_minus_boot_ns: 0,
            agent_started: BootTime(1),
        }
    }

    fn event(outputs: &mut Outputs, purpose: &'static str) {
        let hook = HookReport {
            purpose,
            support: Support::Ok,
            used: String::new(),
            lost: String::new(),
            cure: String::new(),
        };
        outputs.encode(Class::Finding, |encoder, out| {
            encoder.encode_hook(BootTime(2), &hook, out);
        });
        outputs.write();
    }

    /// The purposes, numbers and ids of the events in a file.
    fn events(path: &Path) -> Vec<(String, u64, String)> {
        let text = fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                let number = value["event"]["sequence"].as_u64().unwrap();
                let purpose = text(&value["socktrace"]["hook"]["purpose"]);
                (purpose, number, text(&value["event"]["id"]))
            })
            .collect()
    }

    fn heads(path: &Path) -> Vec<(String, u64)> {
        let events = events(path).into_iter();
        events
            .map(|(purpose, number, _)| (purpose, number))
            .collect()
    }

    fn wait_until(is_so: impl Fn() -> bool) {
        for _ in 0..2000 {
            if is_so() {
                return;
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        panic!("it never came to be");
    }

    #[test]
    fn streams_that_stay_keep_their_numbers_and_none_shares_an_id() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        let at_first = [output(Format::Json, &[], &[&a, &b])];
        let mut outputs = Outputs::open(&at_first, &host(), WhenFull::Drop).unwrap();
        event(&mut outputs, "one");
        event(&mut outputs, "two");
        let then = [
            output(Format::Json, &[], &[&a]),
            output(Format::Json, &["socktrace.doctor"], &[&c]),
        ];
        outputs.reconfigure(&then).unwrap();
        event(&mut outputs, "three");
        outputs.finish();
        let pair = |purpose: &str, number| (purpose.to_owned(), number);
        assert_eq!(
            heads(&a),
            [pair("one", 0), pair("two", 1), pair("three", 2)]
        );
        wait_until(|| heads(&b).len() == 2);
        assert_eq!(heads(&c), [pair("three", 0)]);
        // The same event has the same name, another one another.
        assert_eq!(events(&a)[2].2, events(&c)[0].2);
        assert_ne!(events(&a)[0].2, events(&c)[0].2);
    }

    #[test]
    fn on_an_error_everything_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        let at_first = [output(Format::Json, &[], &[&a])];
        let mut outputs = Outputs::open(&at_first, &host(), WhenFull::Drop).unwrap();
        event(&mut outputs, "one");
        let missing = dir.path().join("missing/c");
        let bad = [output(Format::Cef, &[], &[&b, &missing])];
        let error = outputs.reconfigure(&bad).unwrap_err().to_string();
        assert!(error.contains("missing/c"), "{error}");
        event(&mut outputs, "two");
        outputs.finish();
        assert_eq!(heads(&a).len(), 2);
        assert_eq!(fs::read(&b).unwrap(), b"");
    }

    #[test]
    fn a_spool_that_was_given_up_can_be_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        // Nobody listens there: what is told waits in the spool.
        let url = format!("syslog+tcp://127.0.0.1:1?spool={}", spool.display());
        let syslog = || {
            let target = Target::parse(url.as_ref()).unwrap();
            Output {
                envelope: target.envelope().cloned(),
                targets: vec![target],
                ..output(Format::Json, &[], &[])
            }
        };
        let plain = || output(Format::Json, &[], &[&dir.path().join("a")]);
        let mut outputs = Outputs::open(&[syslog()], &host(), WhenFull::Drop).unwrap();
        event(&mut outputs, "one");
        outputs.reconfigure(&[plain()]).unwrap();
        let begun = crate::clock::monotonic_ns();
        let opened = loop {
            match outputs.reconfigure(&[plain(), syslog()]) {
                Ok(()) => break true,
                Err(_) if crate::clock::monotonic_ns() - begun > 30_000_000_000 => break false,
                Err(_) => thread::park_timeout(Duration::from_millis(50)),
            }
        };
        assert!(opened);
        outputs.finish();
    }
}
