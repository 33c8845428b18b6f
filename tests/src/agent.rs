//! A running `socktrace run` or `socktrace trace`.

use std::fmt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::child::{Outcome, Running, Signal};
use crate::json::text;
use crate::log::{Line, Log, Watch};
use crate::pids::{Pids, with_own_proc};
use crate::program::socktrace;
use crate::wait::Deadline;

/// How long an agent may take to attach everything, and to stop.
pub const ATTACH: Duration = Duration::from_secs(20);

/// An agent that has attached everything and writes JSON lines.
#[derive(Debug)]
pub struct Agent {
    running: Mutex<Running>,
    log: Arc<Log>,
    started: Value,
}

/// An agent that could not be started: how it ended instead.
#[derive(Debug)]
pub struct NotStarted(pub Outcome);

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the agent did not start: exit status {:?}, {}",
            self.0.code,
            self.0.stderr.trim()
        )
    }
}

impl Agent {
    /// Starts `socktrace <args> --format json` and waits for its first line, the status that says
    /// that everything is attached.
    ///
    /// # Panics
    ///
    /// If that does not come.
    #[must_use]
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        Self::try_start(args).unwrap_or_else(|err| panic!("{err}"))
    }

    /// As [`Agent::start`].
    ///
    /// # Errors
    ///
    /// If the agent ends instead of writing a first line.
    ///
    /// # Panics
    ///
    /// If it neither ends nor writes a line, or if its first line is not a status.
    #[track_caller]
    pub fn try_start(args: &[&str]) -> Result<Self, NotStarted> {
        let mut command = socktrace(args);
        command.args(["--format", "json"]);
        Self::of(&mut command)
    }

    /// As [`Agent::start`], in the pid namespace that a process is in, with a /proc of its own.
    ///
    /// # Panics
    ///
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn start_in_pids_of(process: u32, args: &[&str]) -> Self {
        let mut command = socktrace(args);
        with_own_proc(command.args(["--format", "json"]));
        Self::spawn(&mut command, Pids::Of(process)).unwrap_or_else(|err| panic!("{err}"))
    }

    /// What [`Agent::try_start`] does, for any command that speaks like an agent.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn of(command: &mut Command) -> Result<Self, NotStarted> {
        Self::spawn(command, Pids::Same)
    }

    #[track_caller]
    fn spawn(command: &mut Command, pids: Pids) -> Result<Self, NotStarted> {
        let mut running = Running::spawn_in(command, pids).unwrap_or_else(|err| {
            panic!("cannot start {}: {err}", command.get_program().display())
        });
        let log = Log::of(running.take_stdout().expect("stdout is a pipe"));
        match log.from_start().next(Deadline::within(ATTACH)) {
            Ok(line) => {
                let is_status = text(&line.value, "event.action") == "socktrace.status";
                assert!(
                    is_status,
                    "the first line should be a status, is {}",
                    line.raw
                );
                Ok(Self {
                    running: Mutex::new(running),
                    log,
                    started: line.value.clone(),
                })
            }
            Err(why) => {
                let Some(status) = running.wait(ATTACH) else {
                    panic!(
                        "no first line ({why:?}) and no end; stderr: {}",
                        running.stderr()
                    );
                };
                let (stdout, stderr) = (format!("{why:?}"), running.stderr());
                Err(NotStarted(Outcome {
                    code: status.code(),
                    stdout,
                    stderr,
                }))
            }
        }
    }

    /// The first status line.
    #[must_use]
    pub fn started(&self) -> &Value {
        &self.started
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pid()
    }

    /// A reader of the lines to come.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.log.from_now()
    }

    /// A reader of all lines, the first status included.
    #[must_use]
    pub fn watch_from_start(&self) -> Watch {
        self.log.from_start()
    }

    /// Sends it a signal and waits for nothing.
    pub fn signal(&self, signal: Signal) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.signal(signal);
    }

    /// What it has written to standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.stderr()
    }

    /// Kills it and waits until it is gone.
    ///
    /// # Panics
    ///
    /// If it does not go.
    #[track_caller]
    pub fn kill(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.signal(Signal::Kill);
        assert!(running.wait(ATTACH).is_some(), "the agent cannot be killed");
    }

    /// Stops it and returns all its lines.
    ///
    /// # Panics
    ///
    /// If it does not end in time with status 0 and without a word on standard error.
    #[track_caller]
    pub fn stop(&self, signal: Signal) -> Vec<Arc<Line>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.signal(signal);
        let Some(status) = running.wait(ATTACH) else {
            panic!(
                "the agent does not end at {signal:?}; stderr: {}",
                running.stderr()
            );
        };
        let stderr = running.stderr();
        assert_eq!(
            status.code(),
            Some(0),
            "exit status after {signal:?} ({status}); {stderr}"
        );
        assert_eq!(stderr, "", "an agent that is well writes nothing to stderr");
        self.log.from_start().rest(ATTACH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::SOON;

    const STATUS: &str = r#"echo '{"event":{"action":"socktrace.status"}}'"#;
    const LEAK: &str = r#"echo '{"event":{"action":"socket.leak"},"process":{"pid":5}}'"#;

    fn fake(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_after_the_status_are_seen_and_the_end_is_clean() {
        let script = format!("trap 'exit 0' TERM; {STATUS}; {LEAK}; read wait");
        let agent = Agent::of(&mut fake(&script)).unwrap();
        let mut watch = agent.watch_from_start();
        watch.expect("leak", SOON, |line| line["process"]["pid"] == 5);
        assert_eq!(agent.stop(Signal::Term).len(), 2);
    }

    #[test]
    fn an_agent_that_gives_up_says_why() {
        let Err(refused) = Agent::of(&mut fake("echo 'no fentry' >&2; exit 1")) else {
            panic!("it has not started");
        };
        assert_eq!(refused.0.code, Some(1));
        assert!(
            refused
                .to_string()
                .ends_with("exit status Some(1), no fentry"),
            "{refused}"
        );
    }

    #[test]
    #[should_panic(expected = "the first line should be a status")]
    fn another_first_line_fails() {
        let _ = Agent::of(&mut fake(LEAK));
    }

    #[test]
    #[should_panic(expected = "exit status after Int")]
    fn another_exit_status_fails() {
        let agent = Agent::of(&mut fake(&format!(
            "trap 'exit 4' INT; {STATUS}; read wait"
        )));
        agent.unwrap().stop(Signal::Int);
    }

    #[test]
    #[should_panic(expected = "writes nothing to stderr")]
    fn a_word_on_stderr_fails() {
        let agent = Agent::of(&mut fake(&format!("trap '' INT; {STATUS}; echo oops >&2")));
        agent.unwrap().stop(Signal::Int);
    }
}
