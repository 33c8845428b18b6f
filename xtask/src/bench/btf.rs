//! Of BTF, the kernel's description of its types (Documentation/bpf/btf.rst), what names a function.

const FUNC: u32 = 12;

/// The number of the function with this name.
pub(super) fn function(btf: &[u8], name: &str) -> Option<u32> {
    let header = word(btf, 4)?;
    let section = |at| Some((header + word(btf, at)?) as usize);
    let (types, strings) = (section(8)?, section(16)?);
    let end = types + word(btf, 12)? as usize;
    let mut at = types;
    let mut id = 1;
    while at < end {
        let (name_at, info) = (word(btf, at)?, word(btf, at + 4)?);
        let kind = info >> 24 & 0x1f;
        if kind == FUNC {
            let text = btf.get(strings + name_at as usize..)?;
            let rest = text.strip_prefix(name.as_bytes());
            if rest.is_some_and(|rest| rest.first() == Some(&0)) {
                return Some(id);
            }
        }
        at += 12 + more(kind, (info & 0xffff) as usize);
        id += 1;
    }
    None
}

/// Bytes of what follows a type's head.
fn more(kind: u32, len: usize) -> usize {
    match kind {
        // INT, VAR, DECL_TAG
        1 | 14 | 17 => 4,
        // ARRAY
        3 => 12,
        // STRUCT, UNION, DATASEC, ENUM64
        4 | 5 | 15 | 19 => 12 * len,
        // ENUM, FUNC_PROTO
        6 | 13 => 8 * len,
        _ => 0,
    }
}

fn word(btf: &[u8], at: usize) -> Option<u32> {
    let bytes = btf.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_behind_other_types() {
        let strings = b"\0walk\0walk_far\0int\0";
        let types: [&[u32]; 5] = [
            &[15, 1 << 24, 4, 32],
            &[1, 4 << 24 | 1, 4, 1, 1, 0],
            &[0, 13 << 24 | 2, 0, 0, 1, 0, 1],
            &[6, FUNC << 24, 3],
            &[1, FUNC << 24, 3],
        ];
        let types: Vec<u8> = types
            .iter()
            .flat_map(|words| words.iter().flat_map(|word| word.to_ne_bytes()))
            .collect();
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        let words = [24, 0, types.len(), types.len(), strings.len()];
        for word in words {
            btf.extend_from_slice(&u32::try_from(word).unwrap().to_ne_bytes());
        }
        btf.extend_from_slice(&types);
        btf.extend_from_slice(strings);
        assert_eq!(function(&btf, "walk_far"), Some(4));
        assert_eq!(function(&btf, "walk"), Some(5));
        assert_eq!(function(&btf, "int"), None);
        assert_eq!(function(&btf[..40], "walk"), None);
    }
}
