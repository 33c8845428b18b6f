//! Any bytes are BTF, or refused: nothing panics, nothing takes long, and what is reduced keeps its place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use socktrace::source::btf::{Index, Kind, Wanted};

const WANTED: &[Wanted] = &[
    (Kind::Struct, "net"),
    (Kind::Struct, "sock_common"),
    (Kind::Union, "u"),
    (Kind::Func, "f"),
    (Kind::Typedef, "t"),
];

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = Index::new(bytes, WANTED) else {
        return;
    };
    for (name, path) in [
        ("net", "ns.inum"),
        ("sock_common", "skc_dport"),
        ("absent", ""),
    ] {
        let _ = index.offset(name, path);
    }
    let _ = index.parameters("f");
    let reduced = index.reduced();
    let again = Index::new(&reduced, WANTED).expect("what is reduced can be read");
    for (kind, name) in WANTED {
        let expected = index
            .id(*kind, name)
            .filter(|_| matches!(kind, Kind::Func | Kind::Typedef));
        assert_eq!(again.id(*kind, name), expected);
    }
});
