//! The errors the kernel ends connections with (include/uapi/asm-generic/errno.h).

pub(super) const EPIPE: u32 = 32;
pub(super) const ENETUNREACH: u32 = 101;
pub(super) const ECONNABORTED: u32 = 103;
pub(super) const ECONNRESET: u32 = 104;
pub(super) const ETIMEDOUT: u32 = 110;
pub(super) const EHOSTDOWN: u32 = 112;
pub(super) const EHOSTUNREACH: u32 = 113;
