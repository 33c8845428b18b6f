//! Child processes that never outlive the test and are only ever ended by their own pid.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::pids::Pids;
use crate::wait::Deadline;

/// A signal a test sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGINT`: Ctrl-C.
    Int,
    /// `SIGTERM`: what a service manager sends.
    Term,
    /// `SIGHUP`: "read your configuration again".
    Hup,
    /// `SIGUSR1`: "open your files anew".
    Usr1,
    /// `SIGKILL`.
    Kill,
    /// `SIGSTOP`: it does nothing until it is resumed.
    Halt,
    /// `SIGCONT`.
    Resume,
}

impl Signal {
    fn number(self) -> libc::c_int {
        match self {
            Self::Int => libc::SIGINT,
            Self::Term => libc::SIGTERM,
            Self::Hup => libc::SIGHUP,
            Self::Usr1 => libc::SIGUSR1,
            Self::Kill => libc::SIGKILL,
            Self::Halt => libc::SIGSTOP,
            Self::Resume => libc::SIGCONT,
        }
    }
}

/// A running child. It is killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pidfd: OwnedFd,
    stderr: Collector,
    status: Option<ExitStatus>,
    /// It leads a process group of its own, which is killed with it.
    leads_group: bool,
}

impl Running {
    /// Starts a command with its standard streams on pipes.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        Self::start(command, false, Pids::Same)
    }

    /// Starts a command in a pid namespace.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn_in(command: &mut Command, pids: Pids) -> io::Result<Self> {
        Self::start(command, false, pids)
    }

    /// Starts a command as the leader of a process group of its own, so that the processes it
    /// makes end with it.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn_group(command: &mut Command) -> io::Result<Self> {
        Self::spawn_group_in(command, Pids::Same)
    }

    /// As [`Running::spawn_group`], in a pid namespace.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn spawn_group_in(command: &mut Command, pids: Pids) -> io::Result<Self> {
        Self::start(command.process_group(0), true, pids)
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, once.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its standard output, once.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// What it has written to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Sends it a signal; nothing happens if its end was already seen.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            kill(self.child.id().cast_signed(), signal);
        }
    }

    /// Its exit status, if it ends within `limit`; standard error is complete then.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Deadline::within(limit);
        while self.status.is_none() {
            let left = deadline.left()?;
            if readable(&self.pidfd, left) {
                self.status = self.child.try_wait().ok().flatten();
            }
        }
        self.stderr.finish();
        self.status
    }

    fn start(command: &mut Command, leads_group: bool, pids: Pids) -> io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A shell that was told to run the tests in the background has them ignore the interrupt.
        // SAFETY: between fork and exec nothing is called but signal(), which may be (signal-safety(7)).
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                Ok(())
            });
        }
        let mut child = pids.spawn(command)?;
        let stderr = Collector::of(child.stderr.take());
        let pidfd = pidfd(child.id())?;
        Ok(Self {
            child,
            pidfd,
            stderr,
            status: None,
            leads_group,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once the end has been seen the pid may be somebody else's.
        if self.status.is_none() {
            let pid = self.child.id().cast_signed();
            kill(if self.leads_group { -pid } else { pid }, Signal::Kill);
            let _ = self.child.wait();
        }
    }
}

/// How a program ended and what it wrote.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Exit status; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// If it cannot be started or does not end within `limit`.
    #[track_caller]
    pub fn of(command: &mut Command, limit: Duration) -> Self {
        let mut running = Running::spawn(command).unwrap_or_else(|err| {
            panic!("cannot start {}: {err}", command.get_program().display())
        });
        drop(running.take_stdin());
        let mut stdout = Collector::of(running.take_stdout());
        let Some(status) = running.wait(limit) else {
            panic!("{command:?} does not end; stderr: {}", running.stderr());
        };
        stdout.finish();
        Self {
            code: status.code(),
            stdout: stdout.text(),
            stderr: running.stderr(),
        }
    }

    /// Asserts an exit status.
    ///
    /// # Panics
    ///
    /// If it is another one.
    #[track_caller]
    pub fn check_code(&self, expected: i32) {
        assert_eq!(self.code, Some(expected), "exit status; {self:#?}");
    }

    /// The one line of standard error.
    ///
    /// # Panics
    ///
    /// If there is not exactly one.
    #[must_use]
    #[track_caller]
    pub fn one_error_line(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or_default();
        assert!(
            !line.is_empty() && !line.contains('\n'),
            "one line of stderr; {self:#?}"
        );
        line
    }
}

/// Reads a stream to its end in a thread.
#[derive(Debug)]
struct Collector {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let thread = stream.map(|mut stream| {
            thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut chunk) {
                    into.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(&chunk[..n]);
                }
            })
        });
        Self { bytes, thread }
    }

    fn finish(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open (Linux 5.3) takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    match i32::try_from(fd) {
        // SAFETY: the system call just made this descriptor and nobody else knows it.
        Ok(fd @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until a pidfd says that its process has ended.
fn readable(fd: &OwnedFd, limit: Duration) -> bool {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let limit = i32::try_from(limit.as_millis() + 1).unwrap_or(i32::MAX);
    // SAFETY: `poll` is one valid pollfd, as the count says.
    unsafe { libc::poll(&raw mut poll, 1, limit) > 0 }
}

fn kill(pid: libc::pid_t, signal: Signal) {
    // SAFETY: kill() touches no memory of ours; the pid is that of an unreaped child or its group.
    let _ = unsafe { libc::kill(pid, signal.number()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::SOON;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn an_outcome_has_everything() {
        let outcome = Outcome::of(&mut sh("echo out; echo err >&2; exit 3"), SOON);
        outcome.check_code(3);
        assert_eq!(
            (outcome.stdout.as_str(), outcome.one_error_line()),
            ("out\n", "err")
        );
    }

    #[test]
    #[should_panic(expected = "one line of stderr")]
    fn two_error_lines_are_not_one() {
        let _ = Outcome::of(&mut sh("echo a >&2; echo b >&2"), SOON).one_error_line();
    }

    #[test]
    #[should_panic(expected = "does not end")]
    fn a_program_that_does_not_end_fails() {
        let _ = Outcome::of(&mut sh("exec sleep 60"), Duration::from_millis(20));
    }

    #[test]
    fn signals_end_a_child() {
        let mut child = Running::spawn(&mut sh("exec sleep 60")).unwrap();
        assert_eq!(child.wait(Duration::from_millis(5)), None);
        child.signal(Signal::Term);
        assert_eq!(child.wait(SOON).unwrap().code(), None);
        child.signal(Signal::Kill);
    }

    #[test]
    fn a_dropped_child_takes_its_group_along() {
        let script = "sleep 60 & echo $!; wait";
        let mut child = Running::spawn_group(&mut sh(script)).unwrap();
        let mut pid = String::new();
        let mut stdout = io::BufReader::new(child.take_stdout().unwrap());
        io::BufRead::read_line(&mut stdout, &mut pid).unwrap();
        drop(child);
        // The grandchild held the pipe: its end is the pipe's end.
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
    }
}
