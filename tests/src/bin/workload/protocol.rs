//! Steps on stdout, commands on stdin, arguments, and how a workload ends.

use std::fmt::{Display, Write as _};
use std::io::{self, BufRead, Write as _};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, process, thread};

/// A workload ends by itself after so long.
const LIFETIME: Duration = Duration::from_mins(2);

/// Why a workload ends badly.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments are wrong; what they should be.
    Usage(&'static str),
    /// Something failed; what, and why.
    Run(String),
}

/// The result of everything here.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Says what failed.
pub(crate) trait During<T> {
    /// The error becomes "`what`: error".
    fn during(self, what: &str) -> Outcome<T>;
}

impl<T, E: Display> During<T> for Result<T, E> {
    fn during(self, what: &str) -> Outcome<T> {
        self.map_err(|error| Failure::Run(format!("{what}: {error}")))
    }
}

/// What is left of the command line.
#[derive(Debug)]
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// From the arguments behind the program's name.
    pub(crate) fn new(arguments: impl Iterator<Item = String>) -> Self {
        Self(arguments.collect())
    }

    /// Removes the first.
    pub(crate) fn next(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Removes a flag; whether it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|argument| argument != name);
        self.0.len() < before
    }

    /// Anything left is an error.
    pub(crate) fn end(self, usage: &'static str) -> Outcome {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Failure::Usage(usage))
        }
    }
}

/// One line on stdout.
#[derive(Debug)]
pub(crate) struct Step(String);

impl Step {
    /// A step of that name.
    pub(crate) fn new(name: &str) -> Self {
        Self(format!("{{\"step\":\"{name}\""))
    }

    /// Adds a number.
    pub(crate) fn number(mut self, name: &str, value: impl Into<i64>) -> Self {
        let _ = write!(self.0, ",\"{name}\":{}", value.into());
        self
    }

    /// Adds a string of our own, which needs no escapes.
    pub(crate) fn text(mut self, name: &str, value: impl Display) -> Self {
        let _ = write!(self.0, ",\"{name}\":\"{value}\"");
        self
    }

    /// Adds this process and this thread.
    pub(crate) fn me(self) -> Self {
        self.number("pid", process::id()).number("tid", tid())
    }

    /// Prints it; a reader that is gone ends the process.
    pub(crate) fn print(self) {
        let mut out = io::stdout().lock();
        if writeln!(out, "{}}}", self.0)
            .and_then(|()| out.flush())
            .is_err()
        {
            process::exit(0);
        }
    }
}

/// Starts the clock that ends the process, and prints `started`.
pub(crate) fn begin(scenario: &str) {
    end_in_time();
    Step::new("started")
        .text("scenario", scenario)
        .text("language", "rust")
        .me()
        .print();
}

/// Ends the process when its time is over.
pub(crate) fn end_in_time() {
    thread::spawn(|| {
        pause(LIFETIME);
        process::exit(0);
    });
}

/// Waits.
pub(crate) fn pause(time: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    // Nobody sends, and the sender lives until the end of this function: this can only time out.
    let _ = receiver.recv_timeout(time);
}

/// The next command. At the end of stdin, and on `exit`, it ends the process with everything open.
pub(crate) fn next_command() -> String {
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(n) if n > 0 && line.trim() != "exit" => line.trim().to_owned(),
        _ => process::exit(0),
    }
}

/// Answers what is no command.
pub(crate) fn unknown_command() {
    Step::new("error")
        .text("message", "unknown command")
        .print();
}

/// Ends in order.
pub(crate) fn done() -> ! {
    Step::new("done").print();
    process::exit(0)
}

/// The kernel's name of this thread.
pub(crate) fn tid() -> u32 {
    // /proc/thread-self is a link to PID/task/TID.
    let link = fs::read_link("/proc/thread-self").unwrap_or_default();
    link.file_name()
        .and_then(|tid| tid.to_str()?.parse().ok())
        .unwrap_or(0)
}
