//! How full the kernel's tables are.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::Ebpf;
use aya::maps::Map;
use socktrace_common::maps::{SocketSet, SuspectEntry, WAYS};
use zerocopy::FromZeros as _;

use super::{Sizes, sys};
use crate::model::TableUse;

/// Sets of the table of sockets that are looked at. All of them are tens of megabytes.
const SAMPLE: u32 = 256;

/// The tables that can become full.
#[derive(Debug)]
pub struct Tables {
    suspects: Option<OwnedFd>,
    sockets: Option<OwnedFd>,
    sizes: Sizes,
}

impl Tables {
    /// The tables of the object, which was loaded with these sizes.
    #[must_use]
    pub(super) fn new(ebpf: &Ebpf, sizes: Sizes) -> Self {
        let fd = |name| match ebpf.map(name)? {
            Map::HashMap(data) | Map::Array(data) => data.fd().as_fd().try_clone_to_owned().ok(),
            _ => None,
        };
        Self {
            suspects: fd("SUSPECTS"),
            sockets: fd("SOCKETS"),
            sizes,
        }
    }

    /// How full they are. Suspects are counted; sockets are estimated from a sample of the places in which
    /// they may be.
    #[must_use]
    pub fn read(&self) -> Vec<TableUse> {
        let sets = self.sizes.socket_sets();
        let suspects = self.suspects.as_ref();
        vec![
            TableUse {
                name: "suspects",
                entries: suspects.and_then(|map| sys::count_entries::<SuspectEntry>(map).ok()),
                most: self.sizes.suspects.into(),
            },
            TableUse {
                name: "sockets",
                entries: self.sockets.as_ref().and_then(|map| estimate(map, sets)),
                most: u64::from(sets) * WAYS as u64,
            },
        ]
    }
}

/// How many sockets are in the table, from as many of its `sets` as are looked at.
fn estimate(map: &OwnedFd, sets: u32) -> Option<u64> {
    let sample = sets.min(SAMPLE);
    let mut set = SocketSet::new_zeroed();
    let mut used = 0_u64;
    for n in 0..sample {
        let index = u64::from(n) * u64::from(sets) / u64::from(sample);
        sys::read_element(map, u32::try_from(index).ok()?, &mut set).ok()?;
        used += set.tags.iter().filter(|tag| **tag != 0).count() as u64;
    }
    (used * u64::from(sets)).checked_div(sample.into())
}
