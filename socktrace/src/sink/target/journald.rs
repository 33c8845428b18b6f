//! `journald://`.

use std::path::PathBuf;

use super::SpoolTarget;
use super::address::Address;
use crate::schema::{Envelope, Facility};

/// See [`super::Target::Journald`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JournaldTarget {
    /// Its socket.
    pub socket: PathBuf,
    /// What headers say, from which the fields are made.
    pub envelope: Envelope,
    /// Where lines wait while it is away; `None`: in memory.
    pub spool: Option<SpoolTarget>,
}

/// systemd-journald.service(8).
const SOCKET: &str = "/run/systemd/journal/socket";

impl JournaldTarget {
    /// `journald://` or `journald:///path/of/its/socket`, with the options `facility`, `identifier`, `spool`
    /// and `spool-size`.
    pub(super) fn of(address: &mut Address) -> Result<Self, String> {
        address.no_host()?;
        let mut envelope = Envelope::default();
        if let Some(facility) = address.option("facility", Facility::named)? {
            envelope.facility = facility;
        }
        if let Some(name) = address.option("identifier", Envelope::app_name)? {
            envelope.app_name = name;
        }
        Ok(Self {
            socket: address.path().unwrap_or_else(|_| SOCKET.into()),
            envelope,
            spool: SpoolTarget::of(address)?,
        })
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        format!("journald://{}", self.socket.display())
    }
}
