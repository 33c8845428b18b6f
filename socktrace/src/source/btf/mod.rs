//! A reader of BTF, the kernel's description of its types (Documentation/bpf/btf.rst), in one pass.
//!
//! The kernel has over a hundred thousand types and the agent needs a dozen, so nothing is built for the
//! others: no names, no members. The bytes come from the kernel and are still not trusted; whatever they
//! are, reading ends, and ends without a panic.
//!
//! * `types`: one type after another.
//! * [`Index`]: the types that are wanted, and their members.
//! * [`Index::reduced`]: BTF with the wanted types at their places, and nothing else.

mod index;
mod reduce;
#[cfg(test)]
mod tests;
mod types;

pub use index::{Index, Wanted};
pub use types::Kind;
use types::{Type, Types};

/// What is wrong with BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// It does not begin with BTF's magic number, in this machine's order of bytes.
    #[error("it is no BTF")]
    Magic,
    /// It is of another version.
    #[error("its version {0} is not known")]
    Version(u8),
    /// It ends before it should.
    #[error("it ends too early")]
    Truncated,
    /// A type is of a kind that did not exist when this was written: its length is not known.
    #[error("type {id} is of the unknown kind {kind}")]
    Kind {
        /// The type's position.
        id: u32,
        /// What it says of itself.
        kind: u32,
    },
}
