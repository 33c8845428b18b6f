//! Black-box tests of what leaves the agent, with counterparts that are not ours. They need neither root
//! nor a kernel that takes programs: recordings are played back.

mod authority;
mod damage;
mod http;
mod kafka;
mod load;
mod nats;
mod outage;
mod promtool;
mod proxy;
mod rsyslog;
mod tls;

use std::path::PathBuf;

/// A recording that comes with the tests.
fn stored(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "recordings", name]
        .iter()
        .collect()
}
