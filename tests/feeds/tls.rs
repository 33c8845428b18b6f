//! rsyslog behind TLS, with certificates made here.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use socktrace_tests::child::{Outcome, Running};
use socktrace_tests::http::free_port;
use socktrace_tests::program::socktrace;
use socktrace_tests::wait::{SOON, until};

use crate::authority::{Authority, LOCALHOST};
use crate::outage::Counterpart;
use crate::{outage, stored};

/// A collector and an authority.
struct Collector {
    authority: Authority,
    port: u16,
    daemon: Mutex<Option<Running>>,
}

impl Collector {
    fn new() -> Self {
        let collector = Self {
            authority: Authority::new(),
            port: free_port(),
            daemon: Mutex::default(),
        };
        collector.certificate("server", "2");
        collector
    }

    fn path(&self, name: &str) -> PathBuf {
        self.authority.path(name)
    }

    /// A certificate for localhost that ends in so many days, and its key.
    fn certificate(&self, name: &str, days: &str) {
        self.authority.certificate(name, LOCALHOST, days);
    }

    /// Starts it with a certificate; `mode` is rsyslog's `StreamDriver.AuthMode`.
    fn start(&self, certificate: &str, mode: &str) {
        let [ca, cert, key] = [
            "ca.pem".to_owned(),
            format!("{certificate}.pem"),
            format!("{certificate}.key"),
        ]
        .map(|name| self.path(&name).display().to_string());
        let config = format!(
            "global(DefaultNetstreamDriver=\"gtls\" DefaultNetstreamDriverCAFile=\"{ca}\" \
             DefaultNetstreamDriverCertFile=\"{cert}\" DefaultNetstreamDriverKeyFile=\"{key}\")\n\
             module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
             StreamDriver.AuthMode=\"{mode}\")\n$MaxMessageSize 64k\n\
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
             template(name=\"message\" type=\"list\") {{ property(name=\"msg\") constant(value=\"\\n\") }}\n\
             action(type=\"omfile\" file=\"{out}\" template=\"message\")\n",
            port = self.port,
            out = self.path("out").display(),
        );
        fs::write(self.path("conf"), config).expect("a file");
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(self.path("conf"));
        let daemon = Running::spawn(command.arg("-i").arg(self.path("pid")))
            .expect("rsyslogd does not start; `cargo xtask setup --tests` installs rsyslog");
        let listens = || TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        assert!(until(SOON * 3, listens), "{}", daemon.stderr());
        *self.daemon.lock().expect("a lock") = Some(daemon);
    }

    fn output(&self, host: &str, more: &str) -> String {
        let ca = self.path("ca.pem");
        format!(
            "syslog+tls://{host}:{}?ca={}{more}",
            self.port,
            ca.display()
        )
    }

    fn received(&self) -> Vec<String> {
        let out = fs::read_to_string(self.path("out")).unwrap_or_default();
        // A line that is being written is not there yet.
        let whole = out.rsplit_once('\n').map_or("", |(whole, _)| whole);
        outage::ids(whole.lines().map(str::trim))
    }
}

fn replay(output: &str, recording: &Path) -> Outcome {
    let mut command = socktrace(&["replay", "--output", output]);
    Outcome::of(command.arg(recording), SOON)
}

#[test]
fn nothing_is_lost_while_the_collector_is_down_or_the_agent_killed() {
    let collector = Collector::new();
    outage::check(
        &collector.output("localhost", ""),
        || collector.start("server", "anon"),
        || collector.received(),
    );
}

#[test]
fn a_certificate_of_ours_is_shown_where_it_is_wanted() {
    let collector = Collector::new();
    collector.certificate("agent", "2");
    collector.start("server", "x509/certvalid");
    let [cert, key] = ["agent.pem", "agent.key"].map(|name| collector.path(name));
    let identity = format!("&cert={}&key={}", cert.display(), key.display());
    let recording = stored("close_wait.strec");
    let outcome = replay(&collector.output("localhost", &identity), &recording);
    outcome.check_code(0);
    assert_eq!(outcome.stderr, "");
    assert!(until(SOON, || collector.received().len() == 4));
    // Without one nothing is taken, and nothing is thought to be.
    let outcome = replay(&collector.output("localhost", ""), &recording);
    assert!(
        outcome.stderr.contains("did not take the last 4 lines"),
        "{outcome:#?}"
    );
    assert_eq!(collector.received().len(), 4);
}

/// One line says what is wrong with the other side's certificate, and nothing is sent.
#[test]
fn certificates_that_prove_nothing_are_refused() {
    let collector = Collector::new();
    collector.certificate("old", "-1");
    let recording = stored("close_wait.strec");
    let check = |output: &str, said: &str| {
        let outcome = replay(output, &recording);
        outcome.check_code(0);
        assert_eq!(outcome.stderr.lines().count(), 2, "{outcome:#?}");
        assert!(outcome.stderr.contains(said), "{outcome:#?}");
        assert!(collector.received().is_empty());
    };
    collector.start("server", "anon");
    check(
        &collector.output("127.0.0.1", ""),
        "its certificate is for another name",
    );
    let strangers = format!("syslog+tls://localhost:{}?ca=", collector.port);
    let other = Collector::new();
    let strangers = format!("{strangers}{}", other.path("ca.pem").display());
    check(&strangers, "signed by nobody who is trusted");
    // Its certificate expires.
    *collector.daemon.lock().expect("a lock") = None;
    collector.start("old", "anon");
    check(
        &collector.output("localhost", ""),
        "its certificate has expired",
    );
    // And an authority that is not there is said at the beginning.
    let missing = format!(
        "syslog+tls://localhost:{}?ca=/does/not/exist",
        collector.port
    );
    assert!(
        replay(&missing, &recording)
            .stderr
            .contains("/does/not/exist")
    );
}

impl Counterpart for Collector {
    fn output(&self) -> String {
        Self::output(self, "localhost", "")
    }

    fn up(&mut self) {
        self.start("server", "anon");
    }

    fn down(&mut self) {
        *self.daemon.lock().expect("a lock") = None;
    }

    fn ids(&self) -> Vec<String> {
        self.received()
    }

    fn answers(&self) -> bool {
        false
    }
}

#[test]
fn collectors_go_and_come() {
    outage::check_under_load("syslog+tls", &mut Collector::new(), true);
}
