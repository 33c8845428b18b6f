//! The measurements, one file each.

pub(super) mod connection;
pub(super) mod delay;
pub(super) mod leaked;
pub(super) mod request;
pub(super) mod scale;
