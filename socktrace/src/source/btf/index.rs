//! The types that are wanted, found by name in one pass, and what is in them.

use super::{BtfError, Kind, Type, Types};

/// How deep a member may lie in members without a name.
const DEPTH: u32 = 8;
/// How many members one question may look at. The largest structure that is asked for has some hundred.
const MEMBERS: u32 = 1 << 16;
/// How many modifiers and type definitions may stand before a type.
const ALIASES: u32 = 32;

/// A type that is wanted, by kind and name.
pub type Wanted = (Kind, &'static str);

/// Where a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Bytes from the beginning of the structure.
    offset: u32,
    /// Its type.
    type_id: u32,
}

/// Types by name and by position.
#[derive(Clone, Debug)]
pub struct Index<'a> {
    types: Types<'a>,
    /// Where each type begins in the types' section; the first is type 1.
    begins: Vec<u32>,
    /// What was wanted and is there, with its id.
    found: Vec<(Wanted, u32)>,
}

impl<'a> Index<'a> {
    /// Looks for `wanted` in `bytes`. Of several types of one kind and name the first counts; a structure
    /// without a size is only a declaration.
    ///
    /// # Errors
    ///
    /// If `bytes` are no BTF, or a type in them cannot be read.
    pub fn new(bytes: &'a [u8], wanted: &[Wanted]) -> Result<Self, BtfError> {
        let types = Types::of(bytes)?;
        let mut index = Self {
            types,
            begins: Vec::new(),
            found: Vec::with_capacity(wanted.len()),
        };
        let mut begin = 0;
        // Id 0 is void, which is not written.
        for id in 1.. {
            let Some((kind, end)) = types.read(begin, id)? else {
                break;
            };
            let at = u32::try_from(begin).map_err(|_| BtfError::Truncated)?;
            index.begins.push(at);
            index.note(id, &kind, wanted);
            begin = end;
        }
        Ok(index)
    }

    fn note(&mut self, id: u32, seen: &Type<'_>, wanted: &[Wanted]) {
        let is_definition = match seen.kind {
            Kind::Struct | Kind::Union => seen.size_or_ref > 0,
            Kind::Func | Kind::Typedef => true,
            _ => false,
        };
        if !is_definition || seen.name == 0 {
            return;
        }
        let initial = self.types.initial(seen.name);
        for (kind, name) in wanted {
            // Most names differ in the first letter, and there are many.
            if *kind == seen.kind
                && name.as_bytes().first() == Some(&initial)
                && self.types.is_named(seen.name, name)
                && self.id(*kind, name).is_none()
            {
                self.found.push(((*kind, name), id));
            }
        }
    }

    /// The id of a type that was wanted.
    #[must_use]
    pub fn id(&self, kind: Kind, name: &str) -> Option<u32> {
        let is_it = |found: &&(Wanted, u32)| found.0 == (kind, name);
        self.found.iter().find(is_it).map(|(_, id)| *id)
    }

    /// What was found, in no particular order.
    pub(super) fn found(&self) -> &[(Wanted, u32)] {
        &self.found
    }

    /// Offset of a member in `struct name`, bytes. `path` is a member's name, or those of members in
    /// members: `ns.inum`. Members of members without a name count as the structure's own, as in C.
    #[must_use]
    pub fn offset(&self, name: &str, path: &str) -> Option<u32> {
        let mut of = self.id(Kind::Struct, name)?;
        let mut offset = 0_u32;
        let mut budget = MEMBERS;
        for member in path.split('.') {
            let place = self.place(of, member, DEPTH, &mut budget)?;
            offset = offset.checked_add(place.offset)?;
            of = place.type_id;
        }
        Some(offset)
    }

    /// How many parameters a function has.
    #[must_use]
    pub fn parameters(&self, function: &str) -> Option<u32> {
        let function = self.get(self.id(Kind::Func, function)?)?;
        let prototype = self.get(function.size_or_ref)?;
        (prototype.kind == Kind::FuncProto).then_some(prototype.len)
    }

    /// The member called `name` of the structure or union `of`.
    fn place(&self, of: u32, name: &str, depth: u32, budget: &mut u32) -> Option<Place> {
        let of = self.resolved(of)?;
        for member in of.members() {
            *budget = budget.checked_sub(1)?;
            let offset = member.bit_offset / 8;
            if member.name != 0 {
                if self.types.is_named(member.name, name) {
                    return (!member.is_bitfield).then_some(Place {
                        offset,
                        type_id: member.type_id,
                    });
                }
            } else if depth > 0
                && let Some(inner) = self.place(member.type_id, name, depth - 1, budget)
            {
                return Some(Place {
                    offset: offset.checked_add(inner.offset)?,
                    ..inner
                });
            }
        }
        None
    }

    /// A type without what only says something about it.
    fn resolved(&self, id: u32) -> Option<Type<'a>> {
        let mut found = self.get(id)?;
        for _ in 0..ALIASES {
            if !matches!(found.kind, Kind::Modifier | Kind::Typedef) {
                return Some(found);
            }
            found = self.get(found.size_or_ref)?;
        }
        None
    }

    fn get(&self, id: u32) -> Option<Type<'a>> {
        let position = usize::try_from(id.checked_sub(1)?).ok()?;
        let begin = usize::try_from(*self.begins.get(position)?).ok()?;
        Some(self.types.read(begin, id).ok()??.0)
    }
}
