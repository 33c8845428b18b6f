//! Counterparts that take events: what they check of a request, and what they do wrong.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use socktrace_tests::wait::{SOON, until};

use super::server::{Reply, Request, Server, Wrap};

/// An event as a counterpart has understood it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// Nanoseconds since 1970, as far as the counterpart was told.
    pub(crate) at: u64,
}

/// What a sort of counterpart knows.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    /// For `--output`, with `ADDRESS` where the address belongs.
    pub(crate) url: &'static str,
    /// Checks a request and finds its events, or panics.
    pub(crate) events: fn(&Request) -> Vec<Event>,
    /// What it answers when it has taken them.
    pub(crate) taken: fn(&[Event]) -> Reply,
}

/// What goes wrong with a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Nothing is taken, and this is answered.
    Refuse(Reply),
    /// All is taken, and this is answered: the sender cannot know.
    Lie(Reply),
    /// Nothing is ever taken, and this is answered.
    Lose(Reply),
    /// Some is taken.
    Part(fn(&[Event]) -> Part),
}

/// What becomes of a request's events.
pub(crate) struct Part {
    pub(crate) taken: Vec<Event>,
    /// How many will never be taken.
    pub(crate) lost: usize,
    pub(crate) reply: Reply,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    requests: usize,
    faults: Vec<Fault>,
    checked: usize,
    lost: usize,
}

/// A counterpart. It can go and come back at the same address.
pub(crate) struct Fake {
    dialect: Dialect,
    state: Arc<Mutex<State>>,
    address: SocketAddr,
    server: Option<Server>,
}

impl Fake {
    /// One that does these things wrong, one a request, and is well afterwards.
    pub(crate) fn new(dialect: Dialect, faults: Vec<Fault>) -> Self {
        let state = Arc::new(Mutex::new(State {
            faults,
            ..State::default()
        }));
        let handler = handler(dialect, Arc::clone(&state));
        let server = Server::start(handler);
        Self {
            dialect,
            state,
            address: server.address,
            server: Some(server),
        }
    }

    /// One that is well, and whose connections are made into something else first.
    pub(crate) fn behind(dialect: Dialect, wrap: Arc<Wrap>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let handler = handler(dialect, Arc::clone(&state));
        let server = Server::start_wrapped(([127, 0, 0, 1], 0).into(), handler, wrap);
        Self {
            dialect,
            state,
            address: server.address,
            server: Some(server),
        }
    }

    /// The URL for `--output`, with more options.
    pub(crate) fn url(&self, options: &str) -> String {
        let url = self
            .dialect
            .url
            .replace("ADDRESS", &self.address.to_string());
        let sign = if url.contains('?') { '&' } else { '?' };
        if options.is_empty() {
            url
        } else {
            format!("{url}{sign}{options}")
        }
    }

    /// It is gone.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    /// It is there, again if it was gone.
    pub(crate) fn restart(&mut self) {
        self.server = None;
        let handler = handler(self.dialect, Arc::clone(&self.state));
        self.server = Some(Server::start_at(self.address, handler));
    }

    /// The events it has, in the order of their arrival.
    pub(crate) fn ids(&self) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.events.iter().map(|event| event.id.clone()).collect()
    }

    /// How many events it has said it will never take.
    pub(crate) fn lost(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .lost
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .requests
    }

    /// Waits until it has had `count` requests.
    #[track_caller]
    pub(crate) fn wait_requests(&self, count: usize) {
        assert!(
            until(SOON * 3, || self.requests() >= count),
            "{} requests",
            self.requests()
        );
    }

    /// Waits until it has all of `sent`.
    #[track_caller]
    pub(crate) fn wait_all(&self, sent: usize) {
        let has = || {
            let mut ids = self.ids();
            ids.sort_unstable();
            ids.dedup();
            ids.len()
        };
        assert!(
            until(SOON * 3, || has() >= sent),
            "{} of {sent} arrived",
            has()
        );
    }

    /// Every request was as it should be, and what it told of each event was right.
    #[track_caller]
    pub(crate) fn check(&self, sent: &BTreeMap<String, Value>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(
            state.requests, state.checked,
            "requests were malformed; see above"
        );
        for event in &state.events {
            let line = &sent[&event.id];
            let shown = line["@timestamp"].as_str().expect("a time");
            let at = humantime::parse_rfc3339(shown).expect("a time");
            let at = at.duration_since(std::time::UNIX_EPOCH).expect("a time");
            let differs = Duration::from_nanos(event.at).abs_diff(at);
            assert!(differs < Duration::from_micros(2), "{event:?} {shown}");
        }
    }
}

fn handler(
    dialect: Dialect,
    state: Arc<Mutex<State>>,
) -> Arc<dyn Fn(&Request) -> Reply + Send + Sync> {
    Arc::new(move |request| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests += 1;
        let events = (dialect.events)(request);
        assert!(!events.is_empty(), "an empty request");
        state.checked += 1;
        if state.faults.is_empty() {
            let answer = (dialect.taken)(&events);
            state.events.extend(events);
            return answer;
        }
        match state.faults.remove(0) {
            Fault::Refuse(reply) => reply,
            Fault::Lie(reply) => {
                state.events.extend(events);
                reply
            }
            Fault::Part(part) => {
                let Part { taken, lost, reply } = part(&events);
                state.events.extend(taken);
                state.lost += lost;
                reply
            }
            Fault::Lose(reply) => {
                state.lost += events.len();
                reply
            }
        }
    })
}
