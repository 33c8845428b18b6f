//! Small programs that leak or behave: they tell their steps on stdout, a JSON object a line, and
//! take commands on stdin. `workloads/README.md` describes each.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io};

use serde_json::Value;

use crate::child::{Running, Signal};
use crate::go;
use crate::json::text;
use crate::log::{Line, Log, Watch};
use crate::netns::Netns;
use crate::pids::Pids;
use crate::wait::SOON;

/// A workload: its language and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Compiled by this package's build script.
    C(&'static str),
    /// Run by `python3`.
    Python(&'static str),
    /// A scenario of this package's binary `workload`.
    Rust(&'static str),
    /// Built by [`go::build`]; not where `WORKLOADS_DIR` is set.
    Go(&'static str),
}

impl Program {
    /// The command that runs it.
    ///
    /// # Panics
    ///
    /// If it is not there.
    #[must_use]
    pub fn command(self) -> Command {
        let given = env::var_os("WORKLOADS_DIR").map(PathBuf::from);
        let path = match given {
            Some(dir) => dir.join(self.installed_as()),
            None => self.built_as(),
        };
        assert!(path.is_file(), "there is no workload {}", path.display());
        match self {
            Self::C(_) | Self::Go(_) => Command::new(path),
            Self::Rust(name) => {
                let mut command = Command::new(path);
                command.arg(name);
                command
            }
            Self::Python(_) => {
                let python = env::var_os("PYTHON").unwrap_or_else(|| OsString::from("python3"));
                let mut command = Command::new(python);
                // Unbuffered, and without a folder of bytecode beside the sources.
                command.args(["-u", "-B"]).arg(path);
                command
            }
        }
    }

    /// Its file below `WORKLOADS_DIR`.
    fn installed_as(self) -> PathBuf {
        match self {
            Self::C(name) => Path::new("c").join(name),
            Self::Python(name) => Path::new("python").join(format!("{name}.py")),
            Self::Rust(_) => Path::new("rust").join("workload"),
            Self::Go(name) => Path::new("go").join(name),
        }
    }

    /// Its file where it was built.
    fn built_as(self) -> PathBuf {
        match self {
            Self::C(name) => Path::new(env!("OUT_DIR")).join("c").join(name),
            Self::Python(_) => Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("workloads")
                .join(self.installed_as()),
            Self::Rust(_) => {
                // target/<profile>/deps/<test>; cargo builds binaries before integration tests.
                let this = env::current_exe().expect("the path of this test");
                this.ancestors()
                    .nth(2)
                    .unwrap_or(Path::new(""))
                    .join("workload")
            }
            Self::Go(name) => go::build(name),
        }
    }
}

/// Copies workloads into a folder that `WORKLOADS_DIR` can name on another machine.
///
/// # Errors
///
/// If a file cannot be copied.
pub fn install(programs: &[Program], into: &Path) -> io::Result<()> {
    for program in programs {
        let (from, to) = (program.built_as(), into.join(program.installed_as()));
        let (Some(source), Some(folder)) = (from.parent(), to.parent()) else {
            continue;
        };
        fs::create_dir_all(folder)?;
        fs::copy(&from, &to)?;
        if matches!(program, Program::Python(_)) {
            // They share modules, which are beside them.
            install_modules(source, folder)?;
        }
    }
    Ok(())
}

fn install_modules(from: &Path, into: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "py") {
            fs::copy(&path, into.join(path.file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// A running workload. It and the processes it made are killed when it is dropped.
#[derive(Debug)]
pub struct Workload {
    running: Running,
    stdin: Option<ChildStdin>,
    log: Arc<Log>,
    steps: Watch,
}

impl Workload {
    /// Starts a workload.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    #[track_caller]
    pub fn start(program: Program, args: &[&str]) -> Self {
        let mut command = program.command();
        Self::of(command.args(args))
    }

    /// Starts a workload that waits for [`Workload::go`], so that its pid can be handed to an agent
    /// before anything happens.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    #[track_caller]
    pub fn gated(program: Program, args: &[&str]) -> Self {
        let inner = program.command();
        let mut gate = Command::new("sh");
        // `read` takes no more than its line from the pipe; exec keeps the pid.
        gate.args(["-c", r#"read -r go && exec "$0" "$@""#]);
        gate.arg(inner.get_program())
            .args(inner.get_args())
            .args(args);
        Self::of(&mut gate)
    }

    /// Starts a workload in a network namespace of its own.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    #[track_caller]
    pub fn in_own_network(program: Program, args: &[&str]) -> Self {
        let mut command = program.command();
        Self::of(&mut Netns::New(&[]).command(command.args(args)))
    }

    /// Starts a workload in a pid namespace.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    #[track_caller]
    pub fn in_pids(program: Program, args: &[&str], pids: Pids) -> Self {
        let mut command = program.command();
        Self::started(command.args(args), pids)
    }

    /// Starts a process that does nothing, in a pid namespace.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    #[track_caller]
    pub fn idle_in(pids: Pids) -> Self {
        Self::started(Command::new("sh").args(["-c", "read -r wait"]), pids)
    }

    /// What [`Workload::start`] does, for any command that speaks like a workload.
    ///
    /// # Panics
    ///
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        Self::started(command, Pids::Same)
    }

    #[track_caller]
    fn started(command: &mut Command, pids: Pids) -> Self {
        let mut running = Running::spawn_group_in(command, pids)
            .unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
        let stdin = running.take_stdin();
        let log = Log::of(running.take_stdout().expect("stdout is a pipe"));
        let steps = log.from_start();
        Self {
            running,
            stdin,
            log,
            steps,
        }
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Opens the gate of a [`Workload::gated`] one.
    pub fn go(&mut self) {
        self.say("go");
    }

    /// Waits for a step, passing over others.
    ///
    /// # Panics
    ///
    /// If it does not come soon, or if the workload tells of an error.
    #[track_caller]
    pub fn step(&mut self, name: &str) -> Value {
        self.step_line(name).value
    }

    /// As [`Workload::step`], with the time it was read at.
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn step_line(&mut self, name: &str) -> Line {
        self.step_within(name, SOON)
    }

    /// As [`Workload::step_line`], for a step that takes long.
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn step_within(&mut self, name: &str, limit: Duration) -> Line {
        let is = |line: &Value, wanted: &str| text(line, "step") == wanted;
        let line = self
            .steps
            .expect(name, limit, |line| is(line, name) || is(line, "error"));
        let stderr = self.running.stderr();
        assert!(
            is(&line.value, name),
            "the workload failed: {} {stderr}",
            line.raw
        );
        line
    }

    /// Gives it a command.
    ///
    /// # Panics
    ///
    /// If it has closed its stdin.
    #[track_caller]
    pub fn say(&mut self, command: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        if let Err(err) = writeln!(stdin, "{command}").and_then(|()| stdin.flush()) {
            panic!(
                "the workload does not hear {command:?}: {err}; {}",
                self.running.stderr()
            );
        }
    }

    /// Ends its input and waits for it to end by itself.
    ///
    /// # Panics
    ///
    /// If it does not end soon.
    #[track_caller]
    pub fn leave(&mut self) {
        self.stdin = None;
        self.wait();
    }

    /// Kills it and waits until it is gone.
    ///
    /// # Panics
    ///
    /// If it does not end soon.
    #[track_caller]
    pub fn kill(&mut self) {
        self.running.signal(Signal::Kill);
        self.wait();
    }

    /// Waits for it to end.
    ///
    /// # Panics
    ///
    /// If it does not end soon.
    #[track_caller]
    pub fn wait(&mut self) {
        let ended = self.running.wait(SOON).is_some();
        assert!(
            ended,
            "a workload should end; stderr: {}",
            self.running.stderr()
        );
    }

    /// All steps so far and to come, from the first.
    #[must_use]
    pub fn all_steps(&self) -> Watch {
        self.log.from_start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: &str =
        r#"echo '{"step":"ready","tid":4}'; read -r word; echo "{\"step\":\"$word\"}"; cat"#;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn commands_go_in_and_steps_come_out() {
        let mut workload = Workload::of(&mut sh(ECHO));
        assert_eq!(workload.step("ready")["tid"], 4);
        workload.say("close");
        workload.step("close");
        workload.leave();
    }

    #[test]
    fn a_killed_workload_is_gone() {
        let mut workload = Workload::of(&mut sh(ECHO));
        workload.step("ready");
        workload.kill();
    }

    #[test]
    #[should_panic(expected = "the workload failed")]
    fn an_error_of_the_workload_is_no_missing_step() {
        let _ = Workload::of(&mut sh(r#"echo '{"step":"error","what":"bind"}'"#)).step("ready");
    }

    #[test]
    fn every_c_workload_was_compiled() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/c");
        for source in fs::read_dir(sources)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if source.extension().is_some_and(|ext| ext == "c") {
                let built = Path::new(env!("OUT_DIR"))
                    .join("c")
                    .join(source.file_stem().unwrap());
                assert!(built.is_file(), "{}", built.display());
            }
        }
    }
}
