//! Second tries.
//!
//! On a busy machine one case in thousands fails for the machine's sake: a program that gets no processor
//! for seconds. Such a case is tried once more. That is printed and counted, and only a few may need it, so that
//! what fails every other time is not taken for a pass.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// How many cases of one run may be tried twice.
const MOST: usize = 4;

/// The cases that were tried twice, and why.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    cases: Mutex<Vec<(&'static str, String)>>,
}

impl Retries {
    /// Runs `case`, and once more if it panics.
    ///
    /// # Panics
    ///
    /// If it panics twice, or if too many others have been tried twice.
    pub(crate) fn run(&self, name: &'static str, case: impl Fn()) {
        let Err(cause) = catch_unwind(AssertUnwindSafe(&case)) else {
            return;
        };
        let may_try = {
            let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
            let may_try = cases.len() < MOST;
            if may_try {
                cases.push((name, message(&*cause)));
            }
            may_try
        };
        if !may_try {
            resume_unwind(cause);
        }
        case();
    }

    /// Prints what was tried twice; how many cases that were.
    pub(crate) fn summarise(&self) -> usize {
        let cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, why) in &*cases {
            println!("TRIED TWICE: {name}: {why}");
        }
        cases.len()
    }
}

/// The beginning of what a panic says.
fn message(cause: &(dyn Any + Send)) -> String {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied());
    let line = text.and_then(|text| text.lines().next());
    line.unwrap_or("a panic without a message")
        .chars()
        .take(160)
        .collect()
}
