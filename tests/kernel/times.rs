//! Where the time goes: the cases that took longest.

use std::cmp::Reverse;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use socktrace_tests::wait::now;

/// How many are named.
const NAMED: usize = 8;

/// How long each case took that passed.
#[derive(Debug, Default)]
pub(crate) struct Times {
    cases: Mutex<Vec<(Duration, &'static str)>>,
}

impl Times {
    /// Runs `case`.
    pub(crate) fn measure(&self, name: &'static str, case: impl FnOnce()) {
        let begin = now();
        case();
        let took = now().since(begin);
        self.locked().push((took, name));
    }

    /// Prints the sum and the longest.
    pub(crate) fn summarise(&self) {
        let mut cases = self.locked();
        cases.sort_unstable_by_key(|(took, _)| Reverse(*took));
        let sum: Duration = cases.iter().map(|(took, _)| took).sum();
        print!("times: {:.0} s in all;", sum.as_secs_f64());
        for (took, name) in cases.iter().take(NAMED) {
            print!(" {name} {:.1} s", took.as_secs_f64());
        }
        println!();
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<(Duration, &'static str)>> {
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
