//! The core, driven by hand.

mod flood;
mod lines;
mod phases;
mod properties;
mod world;
