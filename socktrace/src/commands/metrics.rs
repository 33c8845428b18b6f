//! Serving metrics while `run` watches.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;

use crate::metrics::Vitals;
use crate::model::HookReport;
use crate::sink::Account;
use crate::source::kernel::tables::Tables;

/// Takes the address, before anything is loaded: whoever cannot have it is told at once.
pub(super) fn listen(address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    address
        .map(|address| {
            TcpListener::bind(address).with_context(|| format!("cannot serve metrics at {address}"))
        })
        .transpose()
}

/// Begins to answer at `listener`, if there is one; what is to be entered for the answers.
pub(super) fn serve(
    listener: Option<TcpListener>,
    sinks: Vec<(String, Arc<Account>)>,
    tables: Tables,
    hooks: &[HookReport],
) -> anyhow::Result<Option<Arc<Vitals>>> {
    let Some(listener) = listener else {
        return Ok(None);
    };
    let vitals = Arc::new(Vitals::new(
        crate::clock::Clock::boot(&crate::clock::System),
        hooks,
    ));
    vitals.set_sinks(sinks);
    answer(listener, &vitals, tables).context("cannot serve metrics")?;
    Ok(Some(vitals))
}

#[cfg(feature = "metrics")]
fn answer(listener: TcpListener, vitals: &Arc<Vitals>, tables: Tables) -> std::io::Result<()> {
    let machine =
        crate::metrics::Machine::new(super::live::procfs(), Box::new(move || tables.read()));
    crate::metrics::start(listener, Arc::clone(vitals), machine)
}

#[cfg(not(feature = "metrics"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "where there is a server it may fail to start"
)]
fn answer(listener: TcpListener, vitals: &Arc<Vitals>, tables: Tables) -> std::io::Result<()> {
    // The settings refuse an address.
    drop((listener, vitals, tables));
    Ok(())
}
