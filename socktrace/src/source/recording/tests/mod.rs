//! Recordings, sound and otherwise.

use std::time::Duration;

use super::Header;
use crate::model::{BootTime, Host};

mod headers;
mod reading;
mod scenes;
mod stage;
mod stored;
mod writing;

/// The header of the recordings in these tests.
fn header() -> Header {
    Header {
        host: Host {
            name: "web-1".to_owned(),
            id: "3f6c0a7be5d14c0f9a7a2d1c5b8e4f60".to_owned(),
            boot_id: "0b7c4a1e-2f5d-4a6b-8c9d-1e2f3a4b5c6d".to_owned(),
            wall_minus_boot_ns: 1_795_359_845_123_456_789,
            agent_started: BootTime(1_000_000_000_000),
        },
        leak_after: Duration::from_mins(1),
        hz: 250,
    }
}

/// A recording of these records.
fn recording<B: AsRef<[u8]>>(records: impl IntoIterator<Item = B>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = super::Writer::new(&mut file, &header()).unwrap();
    for record in records {
        writer.record(record.as_ref()).unwrap();
    }
    writer.flush().unwrap();
    drop(writer);
    file
}
