//! BTF with nothing in it but names at their places.

use super::types::{HEADER_LEN, MAGIC, TYPE_LEN, VERSION};
use super::{Index, Kind};

/// `BTF_KIND_FWD`, `BTF_KIND_TYPEDEF` and `BTF_KIND_FUNC`, where `struct btf_type` has the kind.
const FWD: u32 = 7 << 24;
const TYPEDEF: u32 = 8 << 24;
const FUNC: u32 = 12 << 24;

impl Index<'_> {
    /// BTF in which the functions and type definitions that were found have the ids that they have in the
    /// kernel's, which is all that loading a program needs. An id is a position, so every other type up to
    /// the last of them is there too, as the least type there is: a declaration without a name.
    #[must_use]
    pub fn reduced(&self) -> Vec<u8> {
        let mut kept: Vec<(u32, u32, &str)> = Vec::new();
        for ((kind, name), id) in self.found() {
            match kind {
                Kind::Func => kept.push((*id, FUNC, name)),
                Kind::Typedef => kept.push((*id, TYPEDEF, name)),
                _ => {}
            }
        }
        kept.sort_unstable();
        let last = kept.last().map_or(0, |(id, ..)| *id);
        let mut strings = vec![0];
        let mut types = Vec::with_capacity(last as usize * TYPE_LEN);
        let mut next = kept.into_iter().peekable();
        for id in 1..=last {
            let (mut name_at, mut info) = (0, FWD);
            if let Some((_, kind, name)) = next.next_if(|(of, ..)| *of == id) {
                (name_at, info) = (length(&strings), kind);
                strings.extend_from_slice(name.as_bytes());
                strings.push(0);
            }
            // A function's and a type definition's type is void.
            for word in [name_at, info, 0] {
                types.extend_from_slice(&word.to_le_bytes());
            }
        }
        let mut bytes = Vec::with_capacity(HEADER_LEN + types.len() + strings.len());
        bytes.extend_from_slice(&MAGIC);
        // No flags.
        bytes.extend_from_slice(&[VERSION, 0]);
        let header = u32::try_from(HEADER_LEN).unwrap_or_default();
        let (types_len, strings_len) = (length(&types), length(&strings));
        for word in [header, 0, types_len, types_len, strings_len] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&types);
        bytes.extend_from_slice(&strings);
        bytes
    }
}

/// Sections of BTF that was read are shorter than 4 GiB, and these are shorter than those.
fn length(section: &[u8]) -> u32 {
    u32::try_from(section.len()).unwrap_or(u32::MAX)
}
