//! nginx in front of a service.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use socktrace_tests::child::{Outcome, Running, Signal};
use socktrace_tests::netns::Netns;
use socktrace_tests::wait::{SOON, until};

/// Where it listens, in the namespace it is given.
pub(crate) const LISTEN: &str = "127.0.0.1:8080";

/// A running nginx. It ends with this.
#[derive(Debug)]
pub(crate) struct Nginx {
    running: Running,
    folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts it in the namespace of process `netns`, in front of `upstream`, for whose answers it waits
    /// `timeout`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    #[track_caller]
    pub(crate) fn start(netns: u32, upstream: &str, timeout: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder for nginx");
        fs::create_dir(folder.path().join("logs")).expect("a folder for its logs");
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/nginx/proxy.conf");
        let conf = fs::read_to_string(template)
            .expect("the configuration")
            .replace("LISTEN", LISTEN)
            .replace("UPSTREAM;", &format!("{upstream};"))
            .replace("TIMEOUT", &format!("{}ms", timeout.as_millis()));
        fs::write(folder.path().join("nginx.conf"), conf).expect("the configuration");
        let mut nginx = Command::new("nginx");
        nginx
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf"]);
        let mut command = Netns::Of(netns).command(&nginx);
        let running = Running::spawn_group(&mut command).unwrap_or_else(|err| {
            panic!("cannot start nginx: {err}; `cargo xtask setup` installs it")
        });
        let nginx = Self { running, folder };
        nginx.wait_for("a worker", |nginx| {
            nginx.workers().len() == 1 && nginx.folder.path().join("nginx.pid").exists()
        });
        nginx
    }

    /// The pid of its master.
    #[must_use]
    pub(crate) fn master(&self) -> u32 {
        self.running.pid()
    }

    /// The pids of its workers, those that are shutting down included.
    #[must_use]
    pub(crate) fn workers(&self) -> Vec<u32> {
        let pid = self.master();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let is_worker = |pid: &u32| title(*pid).contains("worker process");
        children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .filter(is_worker)
            .collect()
    }

    /// Has it start over with new workers, and waits until `worker`, the old one, is shutting down.
    ///
    /// # Panics
    ///
    /// If that does not happen.
    #[track_caller]
    pub(crate) fn reload(&self, worker: u32) {
        self.running.signal(Signal::Hup);
        self.wait_for("the old worker to shut down", |nginx| {
            title(worker).contains("is shutting down") && nginx.workers().len() == 2
        });
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_there: impl Fn(&Self) -> bool) {
        assert!(
            until(SOON, || is_there(self)),
            "no {what}: {} {}",
            self.running.stderr(),
            fs::read_to_string(self.folder.path().join("logs/error.log")).unwrap_or_default()
        );
    }
}

/// What a process calls itself.
fn title(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// What `curl -m` does: asks, and hangs up after `patience`. Its exit status.
///
/// # Panics
///
/// If it cannot be started, or does not end.
#[must_use]
#[track_caller]
pub(crate) fn curl(netns: Option<u32>, to: &str, patience: Duration) -> Option<i32> {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--output",
        "/dev/null",
        "--max-time",
    ])
    .arg(patience.as_secs_f64().to_string())
    .arg(format!("http://{to}/"));
    if let Some(pid) = netns {
        curl = Netns::Of(pid).command(&curl);
    }
    Outcome::of(&mut curl, patience + SOON).code
}
