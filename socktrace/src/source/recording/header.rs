//! What a recording says of itself.

use std::time::Duration;

use socktrace_common::wire::WIRE_VERSION;
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::decode::DecodeContext;
use crate::model::{BootTime, Host};

const MAGIC: [u8; 16] = *b"SOCKTRACE\0REC\0\0\0";
const BYTE_ORDER: u32 = 0x0102_0304;
const FORMAT_VERSION: u32 = 1;
/// Linux allows 64 bytes for a host name; ids have 32 and 36.
const MAX_TEXT: usize = 255;

/// Bytes of the header's fixed part.
pub(super) const FIXED_LEN: usize = size_of::<Fixed>();

/// What a recording says of itself: what its records' meaning depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The machine and the run that were recorded.
    pub host: Host,
    /// `--leak-after` of that run.
    pub leak_after: Duration,
    /// `CONFIG_HZ` of that kernel; 0 if it was not known.
    pub hz: u32,
}

impl Header {
    /// What its records are to be decoded with.
    #[must_use]
    pub fn context(&self) -> DecodeContext {
        DecodeContext { hz: self.hz }
    }

    /// The header's bytes.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, HeaderError> {
        let Host {
            name,
            id,
            boot_id,
            wall_minus_boot_ns,
            agent_started,
        } = &self.host;
        let fixed = Fixed {
            magic: MAGIC,
            byte_order: BYTE_ORDER,
            format_version: FORMAT_VERSION,
            wire_version: WIRE_VERSION.into(),
            hz: self.hz,
            leak_after_ns: u64::try_from(self.leak_after.as_nanos())
                .map_err(|_| HeaderError::LeakAfter(self.leak_after))?,
            agent_started_ns: agent_started.0,
            wall_minus_boot_ns: wall_minus_boot_ns.to_ne_bytes(),
            name_len: text_len("name", name)?,
            id_len: text_len("id", id)?,
            boot_id_len: text_len("boot id", boot_id)?,
            reserved: 0,
        };
        Ok([
            fixed.as_bytes(),
            name.as_bytes(),
            id.as_bytes(),
            boot_id.as_bytes(),
        ]
        .concat())
    }
}

/// Why the beginning of a file is not a recording's header, or why none can be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The file does not begin as a recording does.
    #[error("it does not begin as a recording of socktrace does")]
    Magic,
    /// It was recorded where integers are stored the other way round.
    #[error("it was recorded on a machine of the other byte order: play it back on such a machine")]
    ByteOrder,
    /// Another format.
    #[error("its format version is {0}, not {FORMAT_VERSION}: use the socktrace that recorded it")]
    Format(u32),
    /// Records of another version.
    #[error("its wire version is {0}, not {WIRE_VERSION}: use the socktrace that recorded it")]
    Wire(u32),
    /// A reserved field is in use.
    #[error("a reserved field is {0}, not 0")]
    Reserved(u16),
    /// A text is longer than this format allows.
    #[error("the host's {what} has {len} bytes, more than {MAX_TEXT}")]
    TextLength {
        /// Which text.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A text is not UTF-8.
    #[error("the host's {what} is not UTF-8")]
    Text {
        /// Which text.
        what: &'static str,
    },
    /// A duration that has no place in the header.
    #[error("a leak-after of {0:?} is too long to be recorded")]
    LeakAfter(Duration),
}

/// True if a file that has only the first `have` of `bytes` could have become a recording.
pub(super) fn may_begin(bytes: &[u8], have: u64) -> bool {
    let have = usize::try_from(have).unwrap_or(usize::MAX);
    bytes
        .iter()
        .zip(MAGIC)
        .take(have)
        .all(|(byte, magic)| *byte == magic)
}

/// The header's fixed part, checked: what is left are its texts.
pub(super) struct Beginning {
    fixed: Fixed,
}

impl Beginning {
    /// Checks the fixed part, in an order that blames the most basic difference.
    pub(super) fn parse(bytes: &[u8; FIXED_LEN]) -> Result<Self, HeaderError> {
        let fixed: Fixed = zerocopy::transmute!(*bytes);
        if fixed.magic != MAGIC {
            return Err(HeaderError::Magic);
        }
        if fixed.byte_order == BYTE_ORDER.swap_bytes() {
            return Err(HeaderError::ByteOrder);
        }
        if fixed.byte_order != BYTE_ORDER {
            return Err(HeaderError::Magic);
        }
        if fixed.format_version != FORMAT_VERSION {
            return Err(HeaderError::Format(fixed.format_version));
        }
        if fixed.wire_version != u32::from(WIRE_VERSION) {
            return Err(HeaderError::Wire(fixed.wire_version));
        }
        if fixed.reserved != 0 {
            return Err(HeaderError::Reserved(fixed.reserved));
        }
        let lens = [
            ("name", fixed.name_len),
            ("id", fixed.id_len),
            ("boot id", fixed.boot_id_len),
        ];
        for (what, len) in lens {
            let len = usize::from(len);
            if len > MAX_TEXT {
                return Err(HeaderError::TextLength { what, len });
            }
        }
        Ok(Self { fixed })
    }

    /// Bytes of the texts that follow: at most three times 255.
    pub(super) fn texts_len(&self) -> usize {
        let Fixed {
            name_len,
            id_len,
            boot_id_len,
            ..
        } = self.fixed;
        [name_len, id_len, boot_id_len]
            .into_iter()
            .map(usize::from)
            .sum()
    }

    /// The whole header, from the bytes of its texts.
    pub(super) fn complete(self, texts: &[u8]) -> Result<Header, HeaderError> {
        let fixed = self.fixed;
        let (name, rest) = text("name", texts, fixed.name_len)?;
        let (id, rest) = text("id", rest, fixed.id_len)?;
        let (boot_id, _) = text("boot id", rest, fixed.boot_id_len)?;
        Ok(Header {
            host: Host {
                name,
                id,
                boot_id,
                wall_minus_boot_ns: i128::from_ne_bytes(fixed.wall_minus_boot_ns),
                agent_started: BootTime(fixed.agent_started_ns),
            },
            leak_after: Duration::from_nanos(fixed.leak_after_ns),
            hz: fixed.hz,
        })
    }
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Fixed {
    magic: [u8; 16],
    byte_order: u32,
    format_version: u32,
    wire_version: u32,
    hz: u32,
    leak_after_ns: u64,
    agent_started_ns: u64,
    /// Bytes, because an `i128` would be aligned to 16.
    wall_minus_boot_ns: [u8; 16],
    name_len: u16,
    id_len: u16,
    boot_id_len: u16,
    reserved: u16,
}

const _: () = assert!(size_of::<Fixed>() == 72);

fn text_len(what: &'static str, text: &str) -> Result<u16, HeaderError> {
    let len = text.len();
    match u16::try_from(len) {
        Ok(short) if len <= MAX_TEXT => Ok(short),
        _ => Err(HeaderError::TextLength { what, len }),
    }
}

/// The first `len` bytes as text, and the rest.
fn text<'a>(
    what: &'static str,
    bytes: &'a [u8],
    len: u16,
) -> Result<(String, &'a [u8]), HeaderError> {
    let len = usize::from(len);
    let (text, rest) = bytes
        .split_at_checked(len)
        .ok_or(HeaderError::TextLength { what, len })?;
    let text = std::str::from_utf8(text).map_err(|_| HeaderError::Text { what })?;
    Ok((text.to_owned(), rest))
}
