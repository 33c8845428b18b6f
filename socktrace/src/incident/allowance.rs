//! How many lines a process may have in a minute.

use std::collections::HashMap;
use std::time::Duration;

use super::{Hash, Incidents, Who};
use crate::model::BootTime;

/// The minute in which lines are counted; it begins with the first of them.
const MINUTE: Duration = Duration::from_mins(1);

/// Lines let through lately, by process. What is older than a minute is as good as nothing and goes.
#[derive(Debug)]
pub(super) struct Allowances {
    per_minute: u32,
    max: usize,
    taken: HashMap<Who, Taken, Hash>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    since: BootTime,
    lines: u32,
}

impl Incidents {
    /// From now on so many lines of single findings pass.
    pub fn set_lines_per_process(&mut self, lines: u32) {
        self.config.lines_per_process = lines;
        self.allowances.set_per_minute(lines);
    }
}

impl Allowances {
    /// `per_minute` lines for each of at most `max` processes.
    pub(super) fn new(per_minute: u32, max: usize) -> Self {
        Self {
            per_minute,
            max,
            taken: HashMap::default(),
        }
    }

    /// From now on a process may have so many.
    pub(super) fn set_per_minute(&mut self, lines: u32) {
        self.per_minute = lines;
    }

    /// Takes one line of what `who` is allowed; false if there is none left, or no room to count.
    pub(super) fn take(&mut self, who: Who, now: BootTime) -> bool {
        if self.taken.len() >= self.max && !self.taken.contains_key(&who) {
            self.taken.retain(|_, taken| !taken.is_over(now));
            if self.taken.len() >= self.max {
                return false;
            }
        }
        let taken = self.taken.entry(who).or_insert(Taken {
            since: now,
            lines: 0,
        });
        if taken.is_over(now) {
            *taken = Taken {
                since: now,
                lines: 0,
            };
        }
        let allowed = taken.lines < self.per_minute;
        taken.lines += u32::from(allowed);
        allowed
    }

    /// Forgets what no longer counts.
    pub(super) fn forget(&mut self, now: BootTime) {
        self.taken.retain(|_, taken| !taken.is_over(now));
    }
}

impl Taken {
    fn is_over(&self, now: BootTime) -> bool {
        now.since(self.since) >= MINUTE
    }
}
