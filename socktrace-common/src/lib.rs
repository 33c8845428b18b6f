//! The wire between the eBPF programs and the agent.
//!
//! Everything here is an integer-only `#[repr(C)]` structure in which every byte is named, so that a
//! record can be written field by field in the kernel and cast without copying in user space. Sizes
//! and offsets are asserted at compile time: a change that moves a byte does not build.
//!
//! * [`wire`]: the header and the records that cross the ring buffer, the iterators and recordings.
//! * [`maps`]: the values of the kernel's maps.
//! * [`config`]: what the agent hands to the programs when it loads them, struct offsets included.
//! * [`progress`]: whether bytes moved, for both sides.
//! * [`counters`]: what the programs count, losses first.
#![cfg_attr(not(test), no_std)]

pub mod config;
pub mod counters;
pub mod maps;
pub mod progress;
pub mod wire;

/// Marks a structure as plain bytes on both sides of the wire.
macro_rules! plain {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)* } size $size:literal) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(
            feature = "user",
            derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
        )]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }
        const _: () = assert!(core::mem::size_of::<$name>() == $size);
        const _: () = assert!(core::mem::align_of::<$name>() <= 8);
    };
}
pub(crate) use plain;
