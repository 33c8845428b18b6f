//! The sections of BTF, and the types in them one after another.

use super::BtfError;

/// Length of the fixed part of `struct btf_header` (include/uapi/linux/btf.h), bytes.
pub(super) const HEADER_LEN: usize = 24;
/// `BTF_MAGIC` as a little-endian machine writes it, and `BTF_VERSION`.
pub(super) const MAGIC: [u8; 2] = 0xeb9f_u16.to_le_bytes();
pub(super) const VERSION: u8 = 1;
/// Length of `struct btf_type`, bytes: all that most kinds have.
pub(super) const TYPE_LEN: usize = 12;
/// Length of `struct btf_member`, bytes.
const MEMBER_LEN: usize = 12;

/// The kinds of types that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `BTF_KIND_STRUCT`.
    Struct,
    /// `BTF_KIND_UNION`.
    Union,
    /// `BTF_KIND_TYPEDEF`.
    Typedef,
    /// `const`, `volatile`, `restrict` or a tag: something about another type.
    Modifier,
    /// `BTF_KIND_FUNC`.
    Func,
    /// `BTF_KIND_FUNC_PROTO`.
    FuncProto,
    /// Any other.
    Other,
}

/// BTF taken apart into its two sections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Types<'a> {
    types: &'a [u8],
    strings: &'a [u8],
}

/// A type as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// Where its name is; 0 if it has none.
    pub(super) name: u32,
    /// Another type's id or a size in bytes, depending on the kind.
    pub(super) size_or_ref: u32,
    /// How many members or parameters follow.
    pub(super) len: u32,
    /// Members say how many bits they have.
    bitfields: bool,
    /// What follows `struct btf_type`.
    rest: &'a [u8],
}

/// A member of a structure or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Where its name is; 0 if it is anonymous.
    pub(super) name: u32,
    /// Its type.
    pub(super) type_id: u32,
    /// Where it begins, bits from the beginning of what it is a member of.
    pub(super) bit_offset: u32,
    /// It is a bit field.
    pub(super) is_bitfield: bool,
}

impl<'a> Types<'a> {
    /// Finds the sections.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let header = bytes.get(..HEADER_LEN).ok_or(BtfError::Truncated)?;
        let (magic, rest) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(BtfError::Magic);
        }
        let version = rest.first().copied().unwrap_or_default();
        if version != VERSION {
            return Err(BtfError::Version(version));
        }
        let body = bytes
            .get(word(header, 4)? as usize..)
            .ok_or(BtfError::Truncated)?;
        let section = |at| -> Result<&'a [u8], BtfError> {
            let (from, len) = (word(header, at)?, word(header, at + 4)?);
            let end = from.checked_add(len).ok_or(BtfError::Truncated)?;
            body.get(from as usize..end as usize)
                .ok_or(BtfError::Truncated)
        };
        Ok(Self {
            types: section(8)?,
            strings: section(16)?,
        })
    }

    /// Reads the type that begins at `offset` in the types' section, and finds where the next begins.
    /// `None` at the end. `id` is for errors.
    pub(super) fn read(
        &self,
        offset: usize,
        id: u32,
    ) -> Result<Option<(Type<'a>, usize)>, BtfError> {
        let bytes = self.types.get(offset..).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        let info = word(bytes, 4)?;
        let (kind, len) = ((info >> 24) & 0x1f, info & 0xffff);
        let (kind, each, times) = shape(kind, len).ok_or(BtfError::Kind { id, kind })?;
        let end = TYPE_LEN + each * times as usize;
        let rest = bytes.get(TYPE_LEN..end).ok_or(BtfError::Truncated)?;
        let found = Type {
            kind,
            name: word(bytes, 0)?,
            size_or_ref: word(bytes, 8)?,
            len,
            bitfields: info >> 31 == 1,
            rest,
        };
        Ok(Some((found, offset + end)))
    }

    /// Whether the string at `offset` is `name`.
    pub(super) fn is_named(&self, offset: u32, name: &str) -> bool {
        let bytes = self.strings.get(offset as usize..).unwrap_or_default();
        bytes.starts_with(name.as_bytes()) && bytes.get(name.len()) == Some(&0)
    }

    /// The first byte of the string at `offset`; 0 if there is none.
    pub(super) fn initial(&self, offset: u32) -> u8 {
        self.strings
            .get(offset as usize)
            .copied()
            .unwrap_or_default()
    }
}

impl Type<'_> {
    /// Its members, if it is a structure or union.
    pub(super) fn members(&self) -> impl Iterator<Item = Member> {
        let has_members = matches!(self.kind, Kind::Struct | Kind::Union);
        let rest = if has_members { self.rest } else { &[] };
        rest.chunks_exact(MEMBER_LEN).map(|member| {
            let place = word(member, 8).unwrap_or_default();
            // Where members say their bits, the upper byte has the number; 0: an ordinary member.
            let (bits, bit_offset) = if self.bitfields {
                (place >> 24, place & 0x00ff_ffff)
            } else {
                (0, place)
            };
            Member {
                name: word(member, 0).unwrap_or_default(),
                type_id: word(member, 4).unwrap_or_default(),
                bit_offset,
                is_bitfield: bits != 0 || bit_offset % 8 != 0,
            }
        })
    }
}

/// What follows a `struct btf_type` of `kind`: the length of one piece in bytes, and how many there are.
fn shape(kind: u32, len: u32) -> Option<(Kind, usize, u32)> {
    Some(match kind {
        // Integers, variables and tags of declarations have one word, arrays three.
        1 | 14 | 17 => (Kind::Other, 4, 1),
        3 => (Kind::Other, 12, 1),
        4 => (Kind::Struct, MEMBER_LEN, len),
        5 => (Kind::Union, MEMBER_LEN, len),
        // Enumerators.
        6 => (Kind::Other, 8, len),
        8 => (Kind::Typedef, 0, 0),
        9..=11 | 18 => (Kind::Modifier, 0, 0),
        12 => (Kind::Func, 0, 0),
        13 => (Kind::FuncProto, 8, len),
        // A section has three words for each variable, an enumeration of 64 bits for each value.
        15 | 19 => (Kind::Other, 12, len),
        // Pointers, forward declarations, floating point: nothing.
        2 | 7 | 16 => (Kind::Other, 0, 0),
        _ => return None,
    })
}

/// The little-endian word at `at`.
fn word(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    let word = bytes
        .get(at..at.saturating_add(4))
        .and_then(|word| word.try_into().ok())
        .ok_or(BtfError::Truncated)?;
    Ok(u32::from_le_bytes(word))
}
