//! How the agent is, in short.

use std::time::Duration;

use super::Vitals;
use crate::model::{BootTime, Loss, Readiness, SinkState, Support};
use crate::sink::{Account, Outcome, Trouble};

/// Whoever reads the kernel shows itself every second. After so long it is stuck.
const STALLED: Duration = Duration::from_secs(15);

/// For how long whoever reads the kernel has not been seen at work, if that is too long.
pub(super) fn stalled(vitals: &Vitals, now: BootTime) -> Option<Duration> {
    let silent = now.since(vitals.ticked());
    (silent > STALLED).then_some(silent)
}

/// How the agent is.
pub(super) fn readiness(vitals: &Vitals, now: BootTime) -> Readiness {
    let missing = vitals.hooks.iter();
    Readiness {
        stalled: stalled(vitals, now),
        missing: missing
            .filter(|(_, support)| *support == Support::Missing)
            .map(|(purpose, _)| *purpose)
            .collect(),
        lost: vitals.counted().lost,
        sinks: vitals
            .sinks()
            .into_iter()
            .map(|(name, account)| state(name, &account))
            .collect(),
    }
}

fn state(name: String, account: &Account) -> SinkState {
    let told = |trouble: Trouble| (trouble.since, trouble.reason);
    let troubles = account.troubles();
    let losing = troubles.losing.into_iter().map(|(to, trouble)| Loss {
        to: to.name(),
        is_end: to == Outcome::Closed,
        since: trouble.since,
        reason: trouble.reason,
    });
    SinkState {
        name,
        away: troubles.away.map(told),
        losing: losing.collect(),
        rejected: troubles.rejected.map(told),
        lines: Outcome::ALL
            .map(|outcome| (outcome.name(), account.lines(outcome)))
            .to_vec(),
        queued: account.queued(),
        spooled: account.spooled(),
        last_success: account.last_success(),
    }
}
