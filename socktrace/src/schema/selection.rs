//! Which events a stream has.

use std::collections::HashSet;
use std::str::FromStr;

use crate::model::{Cookie, Finding, Kind, Phase};

/// `event.action` of everything there is.
const ACTIONS: [&str; 10] = [
    "socket.leak",
    "process.leak",
    "socktrace.status",
    "socket.connect",
    "socket.accept",
    "socket.state_change",
    "socket.release",
    "socket.scan",
    "socket.scan_summary",
    "socktrace.doctor",
];

/// An `event.action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Action(&'static str);

impl Action {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = ACTIONS.into_iter().find(|action| *action == text);
        known
            .map(Self)
            .ok_or_else(|| format!("no such action; the actions are {}", ACTIONS.join(", ")))
    }
}

/// How much an event matters, with the numbers of syslog (RFC 5424 §6.2.1): the smaller, the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// A leak opens, an incident is there, records were lost.
    Warning = 4,
    /// A leak has changed, `scan` has seen one.
    Notice = 5,
    /// Everything else.
    Informational = 6,
}

impl Severity {
    /// Every severity, the greatest first.
    pub const ALL: [Self; 3] = [Self::Warning, Self::Notice, Self::Informational];

    /// Its name in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Informational => "informational",
        }
    }

    /// Whether it is `least` or more.
    #[must_use]
    pub fn is_at_least(self, least: Self) -> bool {
        self as u8 <= least as u8
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|severity| severity.name() == text)
            .ok_or_else(|| "the severities are informational, notice and warning".to_owned())
    }
}

/// Which events a stream has: conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Any of these; empty: all.
    pub actions: Vec<Action>,
    /// At least this; `None`: all.
    pub min_severity: Option<Severity>,
    /// Of events that are about a kind of leak, any of these; empty: all.
    pub kinds: Vec<Kind>,
}

/// What a selection looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    pub(super) action: &'static str,
    pub(super) severity: Severity,
    pub(super) kind: Option<Kind>,
}

impl Traits {
    /// Of an event that is about no kind of leak.
    pub(super) fn new(action: &'static str, severity: Severity) -> Self {
        Self {
            action,
            severity,
            kind: None,
        }
    }
}

/// A selection, and what it has let through.
#[derive(Debug, Default)]
pub(super) struct Selector {
    selection: Selection,
    /// Open findings that were told. Kept only if kinds are selected: a kind may change, and whoever was
    /// told of a leak must still be told of its end. As many as findings are open.
    told: HashSet<Cookie>,
}

impl Selector {
    pub(super) fn new(selection: Selection) -> Self {
        Self {
            selection,
            told: HashSet::new(),
        }
    }

    /// Whether an event is wanted that is not a finding.
    pub(super) fn wants(&self, traits: Traits) -> bool {
        let kinds = &self.selection.kinds;
        self.wants_any_kind(traits)
            && (kinds.is_empty() || traits.kind.is_none_or(|kind| kinds.contains(&kind)))
    }

    /// Whether a line of a finding is wanted.
    pub(super) fn wants_finding(&mut self, finding: &Finding, traits: Traits) -> bool {
        if self.selection.kinds.is_empty() {
            return self.wants_any_kind(traits);
        }
        let cookie = finding.leak.socket.cookie;
        if let Phase::Resolved(_) = finding.leak.phase {
            return self.told.remove(&cookie) && self.wants_any_kind(traits);
        }
        let wanted =
            self.wants(traits) || (self.told.contains(&cookie) && self.wants_any_kind(traits));
        if wanted {
            self.told.insert(cookie);
        }
        wanted
    }

    fn wants_any_kind(&self, traits: Traits) -> bool {
        let Selection {
            actions,
            min_severity,
            ..
        } = &self.selection;
        (actions.is_empty() || actions.iter().any(|action| action.0 == traits.action))
            && min_severity.is_none_or(|least| traits.severity.is_at_least(least))
    }
}
