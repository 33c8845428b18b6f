//! What every sink promises, and what several promise together.

mod contract;
mod several;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::LineSink;
use crate::clock;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that has arrived at a sink.
type Arrived = Box<dyn FnMut() -> Vec<u8>>;

/// A writer in memory that takes at most `at_most` bytes a call and fails where `plan` says so.
#[derive(Clone)]
struct Memory {
    bytes: Arc<Mutex<Vec<u8>>>,
    calls: Arc<Mutex<usize>>,
    at_most: usize,
    /// What the n-th call fails with.
    plan: Arc<dyn Fn(usize) -> Option<io::ErrorKind> + Send + Sync>,
}

impl Memory {
    fn new(
        at_most: usize,
        plan: impl Fn(usize) -> Option<io::ErrorKind> + Send + Sync + 'static,
    ) -> Self {
        let (bytes, calls) = (Arc::default(), Arc::default());
        Self {
            bytes,
            calls,
            at_most,
            plan: Arc::new(plan),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    fn sink(&self) -> LineSink<Self> {
        LineSink::new("memory".into(), self.clone())
    }

    fn arrived(&self) -> Arrived {
        let memory = self.clone();
        Box::new(move || memory.bytes())
    }
}

/// Waits until something is so.
#[track_caller]
pub(super) fn wait_until(is_so: impl Fn() -> bool) {
    let begun = clock::monotonic_ns();
    while !is_so() {
        let waited = Duration::from_nanos(clock::monotonic_ns() - begun);
        assert!(waited < PATIENCE, "it never came to be");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        if let Some(kind) = (self.plan)(*calls) {
            return Err(kind.into());
        }
        let taken = bytes.get(..self.at_most).unwrap_or(bytes);
        self.bytes.lock().unwrap().extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
