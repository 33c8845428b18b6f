//! BTF made by hand, whole, cut and spoilt.

use proptest::prelude::*;

use super::{BtfError, Index, Kind, Wanted};

/// `info` of `struct btf_type`: bit 31 says that members have numbers of bits.
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const BITS: u32 = 1 << 7;

/// Writes BTF.
#[derive(Default)]
struct Made {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Made {
    fn new() -> Self {
        Self {
            strings: vec![0],
            ..Self::default()
        }
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.strings.len()).expect("short");
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        at
    }

    /// Adds a type and returns its id. `words` follow `struct btf_type`.
    fn add(&mut self, kind: u32, name: &str, len: u32, size_or_ref: u32, words: &[u32]) -> u32 {
        let name = self.string(name);
        for word in [name, kind << 24 | len, size_or_ref].iter().chain(words) {
            self.types.extend_from_slice(&word.to_le_bytes());
        }
        self.count += 1;
        self.count
    }

    /// Adds a structure or union of members: name, type, place.
    fn compound(&mut self, kind: u32, name: &str, members: &[(&str, u32, u32)]) -> u32 {
        let words: Vec<u32> = members
            .iter()
            .flat_map(|(member, kind, place)| [self.string(member), *kind, *place])
            .collect();
        let len = u32::try_from(members.len()).expect("few");
        self.add(kind, name, len, 64, &words)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = 0xeb9f_u16.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[1, 0]);
        let len = |section: &[u8]| u32::try_from(section.len()).expect("short");
        let (types, strings) = (len(&self.types), len(&self.strings));
        for word in [24, 0, types, types, strings] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(&self.types);
        bytes.extend_from_slice(&self.strings);
        bytes
    }
}

const WANTED: &[Wanted] = &[
    (Kind::Struct, "sock_common"),
    (Kind::Struct, "net"),
    (Kind::Struct, "file"),
    (Kind::Func, "inet_csk_accept"),
    (Kind::Func, "inet_release"),
    (Kind::Typedef, "btf_trace_x"),
];

/// A little kernel with every kind of type there is.
fn kernel() -> Made {
    let mut made = Made::new();
    let int = made.add(1, "int", 0, 4, &[32]);
    made.add(2, "", 0, int, &[]);
    made.add(3, "", 0, 0, &[int, int, 7]);
    made.add(6, "colour", 2, 4, &[0, 0, 0, 1]);
    made.add(7, "sock_common", 0, 0, &[]);
    made.add(16, "double", 0, 8, &[]);
    made.add(19, "wide", 1, 8, &[0, 1, 0]);
    made.add(14, "a_variable", 0, int, &[1]);
    made.add(15, ".data", 1, 4, &[8, 0, 4]);
    made.add(17, "a_tag", 0, int, &[0]);
    // A declaration of what is defined below.
    made.add(STRUCT, "net", 0, 0, &[]);
    let ports = made.compound(STRUCT, "", &[("skc_dport", int, 0), ("skc_num", int, 16)]);
    let pair = made.compound(UNION, "", &[("skc_portpair", int, 0), ("", ports, 0)]);
    made.compound(
        STRUCT | BITS,
        "sock_common",
        &[
            ("skc_family", int, 64),
            ("", pair, 96),
            ("skc_reuse", int, 4 << 24 | 128),
            ("skc_state", int, 136),
        ],
    );
    let ns = made.compound(
        STRUCT,
        "ns_common",
        &[("stashed", int, 0), ("inum", int, 32)],
    );
    let alias = made.add(8, "ns_t", 0, ns, &[]);
    let constant = made.add(10, "", 0, alias, &[]);
    made.compound(STRUCT, "net", &[("passive", int, 0), ("ns", constant, 128)]);
    made.compound(STRUCT, "net", &[("ns", int, 0)]);
    made.compound(STRUCT, "filename", &[("name", int, 0)]);
    made.compound(STRUCT, "file", &[("odd", int, 3), ("f_ref", int, 8)]);
    let prototype = made.add(13, "", 2, int, &[0, int, 0, int]);
    made.add(12, "inet_csk_accept", 1, prototype, &[]);
    made.add(8, "btf_trace_x", 0, prototype, &[]);
    // Not what is wanted: another kind, and the beginning of a name only.
    made.add(12, "btf_trace_x", 1, prototype, &[]);
    made.add(12, "inet_release_later", 1, prototype, &[]);
    made.add(12, "inet_release", 1, int, &[]);
    made
}

#[track_caller]
fn check(name: &str, path: &str, offset: Option<u32>) {
    let bytes = kernel().bytes();
    let index = Index::new(&bytes, WANTED).expect("good BTF");
    assert_eq!(index.offset(name, path), offset, "{name}, {path}");
}

#[test]
fn a_member_is_found_where_it_is() {
    check("sock_common", "skc_family", Some(8));
    check("sock_common", "skc_state", Some(17));
    check("net", "passive", Some(0));
    check("file", "f_ref", Some(1));
}

#[test]
fn members_of_what_has_no_name_are_the_structure_s_own() {
    check("sock_common", "skc_portpair", Some(12));
    check("sock_common", "skc_dport", Some(12));
    check("sock_common", "skc_num", Some(14));
}

#[test]
fn members_of_members_are_found_through_aliases() {
    check("net", "ns.inum", Some(20));
    check("net", "ns", Some(16));
    check("net", "ns.absent", None);
    check("net", "passive.inum", None);
}

#[test]
fn what_has_no_place_in_bytes_is_not_found() {
    check("sock_common", "skc_reuse", None);
    check("file", "odd", None);
}

#[test]
fn what_is_not_there_or_not_wanted_is_not_found() {
    check("sock_common", "skc", None);
    check("sock_common", "", None);
    check("filename", "name", None);
    check("absent", "x", None);
}

#[test]
fn functions_and_typedefs_are_told_apart() {
    let bytes = kernel().bytes();
    let index = Index::new(&bytes, WANTED).expect("good BTF");
    assert_eq!(index.parameters("inet_csk_accept"), Some(2));
    assert_eq!(
        index.parameters("inet_release"),
        None,
        "its type is no prototype"
    );
    let accept = index
        .id(Kind::Func, "inet_csk_accept")
        .expect("it is there");
    assert_eq!(index.id(Kind::Typedef, "btf_trace_x"), Some(accept + 1));
    assert_eq!(index.id(Kind::Func, "btf_trace_x"), None);
    assert_eq!(index.id(Kind::Func, "inet_release"), Some(accept + 4));
}

#[test]
fn reduced_btf_keeps_ids_and_nothing_else() {
    let bytes = kernel().bytes();
    let index = Index::new(&bytes, WANTED).expect("good BTF");
    let reduced = index.reduced();
    let again = Index::new(&reduced, WANTED).expect("good BTF");
    for (kind, name) in WANTED {
        let expected = index.id(*kind, name).filter(|_| *kind != Kind::Struct);
        assert_eq!(again.id(*kind, name), expected, "{name}");
    }
    // Types of 12 bytes up to the last that matters, and the names of those that do.
    let last = index.id(Kind::Func, "inet_release").expect("it is there");
    let names = "\0inet_csk_accept\0btf_trace_x\0inet_release\0";
    assert_eq!(reduced.len(), 24 + 12 * last as usize + names.len());
    assert!(reduced.ends_with(names.as_bytes()));
    let nothing = Index::new(&bytes, &[]).expect("good BTF").reduced();
    assert!(Index::new(&nothing, WANTED).is_ok());
}

#[test]
fn no_btf_is_refused_with_a_reason() {
    let good = kernel().bytes();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Index::new(&bytes, WANTED).map(drop)
    };
    assert_eq!(with(0, 0xeb), Err(BtfError::Magic));
    assert_eq!(with(2, 2), Err(BtfError::Version(2)));
    assert_eq!(
        with(7, 0xff),
        Err(BtfError::Truncated),
        "the header's length"
    );
    assert_eq!(with(11, 0xff), Err(BtfError::Truncated), "the types' place");
    assert_eq!(
        with(23, 0xff),
        Err(BtfError::Truncated),
        "the strings' length"
    );
    assert_eq!(with(24 + 7, 31), Err(BtfError::Kind { id: 1, kind: 31 }));
    assert_eq!(with(24 + 7, 0), Err(BtfError::Kind { id: 1, kind: 0 }));
    assert_eq!(Index::new(&[], WANTED).map(drop), Err(BtfError::Truncated));
}

#[test]
fn a_cut_at_any_place_is_noticed() {
    let good = kernel().bytes();
    for len in 0..good.len() {
        assert_eq!(
            Index::new(&good[..len], WANTED).map(drop),
            Err(BtfError::Truncated),
            "{len} bytes"
        );
    }
    // Cut within the last type: the sections are whole and the type is not.
    let mut made = kernel();
    made.types.truncate(made.types.len() - 1);
    assert_eq!(
        Index::new(&made.bytes(), WANTED).map(drop),
        Err(BtfError::Truncated)
    );
}

#[test]
fn circles_come_to_an_end() {
    let mut made = Made::new();
    // A structure in itself, an alias of itself, and a bush that doubles with each level.
    made.compound(STRUCT, "net", &[("", 1, 0), ("", 1, 0)]);
    made.add(8, "ns_t", 0, 2, &[]);
    let members: Vec<(&str, u32, u32)> = (0..2000).map(|_| ("", 3, 0)).collect();
    made.compound(STRUCT, "file", &members);
    made.compound(STRUCT, "sock_common", &[("", 2, 0), ("far", 1, u32::MAX)]);
    let bytes = made.bytes();
    let index = Index::new(&bytes, WANTED).expect("good BTF");
    assert_eq!(index.offset("net", "absent"), None);
    assert_eq!(index.offset("file", "absent"), None);
    assert_eq!(index.offset("sock_common", "absent"), None);
    assert_eq!(index.offset("sock_common", "far"), None);
}

proptest! {
    #[test]
    fn spoilt_bytes_do_no_harm(
        spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = kernel().bytes();
        for (at, byte) in spoilt {
            let len = bytes.len();
            bytes[at.index(len)] = byte;
        }
        if let Ok(index) = Index::new(&bytes, WANTED) {
            for (name, path) in [("sock_common", "skc_num"), ("net", "ns.inum"), ("file", "f_ref")] {
                let _ = index.offset(name, path);
            }
            let _ = index.parameters("inet_csk_accept");
            prop_assert!(Index::new(&index.reduced(), WANTED).is_ok());
        }
    }
}
