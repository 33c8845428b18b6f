//! An event loop in a sink's thread, for clients that need one.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::courier::Refusal;
use crate::clock;

/// A connection that rested for so long is not taken up again: nobody has answered its counterpart meanwhile.
const IDLE: Duration = Duration::from_mins(1);

/// Runs what a client does, when there is something to do.
#[derive(Default)]
pub(super) struct Loop {
    /// Made in the thread that uses it, which may be left without an end.
    runtime: Option<Runtime>,
    /// When it was used last, on the monotonic clock in nanoseconds.
    used: u64,
}

impl Loop {
    /// Whether it is so long that nothing was sent that connections are to be made anew.
    pub(super) fn has_rested(&self) -> bool {
        let rest = clock::monotonic_ns().saturating_sub(self.used);
        Duration::from_nanos(rest) > IDLE
    }

    /// Runs `work` to its end, or for as long as `patience` lasts.
    pub(super) fn run<T>(
        &mut self,
        patience: Duration,
        work: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let runtime = match &mut self.runtime {
            Some(runtime) => runtime,
            none => none.insert(start().map_err(|error| Refusal::away(&error))?),
        };
        let done = runtime.block_on(async { tokio::time::timeout(patience, work).await });
        self.used = clock::monotonic_ns();
        done.unwrap_or_else(|_| Err(later(&format!("no answer within {patience:?}"))))
    }
}

fn start() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_name("resolver")
        .thread_stack_size(super::STACK)
        .build()
}

/// The same lines again later.
pub(super) fn later(reason: &str) -> Refusal {
    Refusal::Later {
        reason: crate::schema::escape(reason.as_bytes()).into_owned(),
        after: None,
    }
}
