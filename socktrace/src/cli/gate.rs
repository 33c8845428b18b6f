//! Findings from their first wanted line to their last.

use std::collections::HashSet;

use super::filter::Filter;
use crate::model::{Cookie, Finding, Phase};

/// Lets a finding through once it matches the filter, and from then on until it is resolved.
///
/// A later line may not match any more: its kind has changed, its process is gone and with it the
/// cgroup. Whoever was told of a leak must still be told of its end. Holds as many entries as wanted
/// findings are open.
#[derive(Clone, Debug)]
pub struct FindingGate {
    filter: Filter,
    told: HashSet<Cookie>,
}

impl FindingGate {
    /// A gate that has let nothing through yet.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            told: HashSet::new(),
        }
    }

    /// From now on other findings are wanted. Whoever was told of a leak is still told of its end.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
    }

    /// Whether this line is wanted. The end of a leak is wanted only if the leak was.
    pub fn admits(&mut self, finding: &Finding) -> bool {
        let cookie = finding.leak.socket.cookie;
        match finding.leak.phase {
            Phase::Resolved(_) => self.told.remove(&cookie),
            Phase::Open | Phase::Update => {
                let admitted = self.told.contains(&cookie) || self.filter.matches_finding(finding);
                if admitted {
                    self.told.insert(cookie);
                }
                admitted
            }
        }
    }

    /// Wanted findings that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.told.len()
    }
}
