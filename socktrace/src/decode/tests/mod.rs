//! Tables of records, good and bad, and properties over all of them.

use crate::model::{Comm, Task, Tgid, Tid};

mod agents;
pub(crate) mod encoder;
mod fields;
mod frames;
mod kinds;
mod owners;
mod properties;
mod sequences;
mod sockets;
mod strategies;
pub(crate) mod wire;

/// The task of [`wire::task`].
const TASK: Task = Task {
    tgid: Tgid(812),
    tid: Tid(815),
    comm: Comm(*b"orders\0\0\0\0\0\0\0\0\0\0"),
};

/// The event of a good record, as the variant it must be.
macro_rules! event {
    ($kind:ident, $wire:expr) => {
        match $crate::decode::tests::wire::read(&$wire).unwrap().event {
            $crate::model::Event::$kind(event) => event,
            other => panic!("expected {}, got {other:?}", stringify!($kind)),
        }
    };
}
use event;
