//! HTTPS: whom we trust, who we are, and what is said where that does not suffice. And tokens that the service
//! manager hands over.

use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socktrace_tests::child::{Outcome, Running};
use socktrace_tests::wait::SOON;

use super::fake::{Dialect, Event, Fake};
use super::server::{Request, Wrap};
use super::splunk::{SPLUNK, envelopes};
use super::webhook::{WEBHOOK, ndjson};
use super::{replay, sent};
use crate::authority::{Authority, LOCALHOST};
use crate::stored;

fn wrap(config: Arc<ServerConfig>) -> Arc<Wrap> {
    Arc::new(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
        Ok(Box::new(StreamOwned::new(connection, stream)))
    })
}

/// A counterpart behind TLS that is called `host`, and a run of the agent that delivers to it.
fn start(config: Arc<ServerConfig>, host: &str, options: &str) -> (Fake, Running) {
    let fake = Fake::behind(WEBHOOK, wrap(config));
    let url = fake.url(options);
    let url = url.replace("+http://127.0.0.1", &format!("+https://{host}"));
    let agent = Running::spawn(&mut replay(&stored("closed_held.strec"), &url));
    (fake, agent.expect("socktrace"))
}

#[test]
fn who_is_trusted_gets_lines_and_who_is_not_gets_none() {
    let authority = Authority::new();
    authority.certificate("server", LOCALHOST, "2");
    authority.certificate("old", LOCALHOST, "-1");
    authority.certificate("agent", "DNS:agent", "2");
    let stranger = Authority::new();
    let ca = format!("ca={}", authority.name("ca.pem"));
    let others = format!("ca={}", stranger.name("ca.pem"));
    let identity = format!(
        "{ca}&cert={}&key={}",
        authority.name("agent.pem"),
        authority.name("agent.key")
    );
    let plain = || authority.server("server", false);
    let demanding = || authority.server("server", true);
    let cases = [
        (start(plain(), "localhost", &ca), None),
        (start(demanding(), "localhost", &identity), None),
        (
            start(authority.server("old", false), "localhost", &ca),
            Some("its certificate has expired"),
        ),
        (
            start(plain(), "127.0.0.1", &ca),
            Some("its certificate is for another name"),
        ),
        (
            start(plain(), "localhost", &others),
            Some("signed by nobody who is trusted"),
        ),
        (
            start(demanding(), "localhost", &ca),
            Some("it wants a certificate of ours (cert= and key=)"),
        ),
    ];
    for ((fake, mut agent), expected) in cases {
        let status = agent.wait(SOON * 3).expect("it ends");
        let told = agent.stderr();
        assert!(status.success(), "{told}");
        let Some(expected) = expected else {
            assert_eq!(told, "");
            fake.wait_all(sent().len());
            fake.check(&sent());
            continue;
        };
        let lines: Vec<&str> = told.lines().collect();
        let [why, left] = lines.as_slice() else {
            panic!("two lines: {told}");
        };
        assert!(why.contains(expected), "{expected}: {told}");
        assert!(why.ends_with("; trying again"), "{told}");
        assert!(
            left.contains("did not take the last 7 lines in time"),
            "{told}"
        );
        assert_eq!(fake.requests(), 0);
    }
}

/// Each counterpart gets the token as it wants it. Without the service manager that is told, and nothing is sent.
#[test]
fn tokens_are_handed_over_by_the_service_manager() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("siem"), "hunter2\n").expect("a file");
    let bearer: fn(&Request) -> Vec<Event> = |request| {
        assert_eq!(request.header("authorization"), Some("Bearer hunter2"));
        ndjson(request)
    };
    let of_splunk: fn(&Request) -> Vec<Event> = |request| {
        assert_eq!(request.header("authorization"), Some("Splunk hunter2"));
        envelopes(request)
    };
    for (dialect, events) in [(WEBHOOK, bearer), (SPLUNK, of_splunk)] {
        let fake = Fake::new(Dialect { events, ..dialect }, vec![]);
        let url = fake.url("token-credential=siem");
        let recording = stored("closed_held.strec");
        let mut command = replay(&recording, &url);
        command.env("CREDENTIALS_DIRECTORY", folder.path());
        let outcome = Outcome::of(&mut command, SOON * 2);
        outcome.check_code(0);
        assert_eq!(outcome.stderr, "");
        fake.wait_all(sent().len());
        fake.check(&sent());
        let taken = fake.requests();
        let mut command = replay(&recording, &url);
        let outcome = Outcome::of(command.env_remove("CREDENTIALS_DIRECTORY"), SOON * 2);
        assert!(outcome.stderr.contains("credential"), "{outcome:#?}");
        assert_eq!(fake.requests(), taken);
    }
}
