//! Where records begin and end.

use std::time::Duration;

use super::wire::{HZ, accept, bytes, every_kind, gap, held, mark, sequenced};
use crate::decode::frame::KINDS;
use crate::decode::{
    DecodeContext, DecodeError, MAX_RECORD_LEN, Origin, decode, frame, origin, records,
};
use crate::model::Event;

/// Bytes of a record's header.
const HEADER: usize = 32;

#[test]
fn every_kind_has_one_row_of_its_own() {
    let kinds = every_kind();
    assert_eq!(KINDS.len(), kinds.len());
    for (number, ((kind, name, len), (expected, bytes))) in (1..).zip(KINDS.iter().zip(kinds)) {
        assert_eq!((*kind, *name, *len), (number, expected, bytes.len()));
        assert!(*len <= MAX_RECORD_LEN);
    }
}

#[test]
fn every_kind_decodes() {
    for (name, bytes) in every_kind() {
        assert!(decode(&bytes, HZ).is_ok(), "{name}");
        assert_eq!(frame(&bytes), Ok(bytes.len()), "{name}");
    }
}

#[test]
fn alignment_does_not_matter() {
    for (name, bytes) in every_kind() {
        for shift in 0..8 {
            let mut shifted = vec![0xaa; shift];
            shifted.extend_from_slice(&bytes);
            assert_eq!(
                decode(&shifted[shift..], HZ),
                decode(&bytes, HZ),
                "{name} at {shift}"
            );
        }
    }
}

#[test]
fn truncated_anywhere() {
    for (name, bytes) in every_kind() {
        for have in 0..bytes.len() {
            let need = if have < HEADER { HEADER } else { bytes.len() };
            let expected = DecodeError::Truncated { have, need };
            assert_eq!(decode(&bytes[..have], HZ), Err(expected), "{name}");
            assert_eq!(frame(&bytes[..have]).is_err(), have < HEADER, "{name}");
        }
    }
}

#[test]
fn longer_than_said() {
    for (name, mut bytes) in every_kind() {
        for surplus in 1..=HEADER {
            bytes.push(0);
            assert_eq!(
                decode(&bytes, HZ),
                Err(DecodeError::Surplus { surplus }),
                "{name}"
            );
        }
    }
}

#[test]
fn other_versions() {
    for (name, mut bytes) in every_kind() {
        for found in [0, 2, 3, 0x0100, u16::MAX] {
            bytes[0..2].copy_from_slice(&found.to_ne_bytes());
            assert_eq!(
                decode(&bytes, HZ),
                Err(DecodeError::Version { found }),
                "{name}"
            );
            assert_eq!(frame(&bytes), Err(DecodeError::Version { found }), "{name}");
        }
    }
}

#[test]
fn unknown_kinds() {
    let (_, mut bytes) = every_kind()[0].clone();
    for found in [0, 10, 11, 0x0100, u16::MAX] {
        bytes[2..4].copy_from_slice(&found.to_ne_bytes());
        assert_eq!(decode(&bytes, HZ), Err(DecodeError::Kind { found }));
        assert_eq!(frame(&bytes), Err(DecodeError::Kind { found }));
    }
}

#[test]
fn lengths_that_are_not_the_kinds() {
    for (kind, mut bytes) in every_kind() {
        let expected = bytes.len();
        let right = u32::try_from(expected).unwrap();
        for found in [0, 1, 32, right - 1, right + 1, right + 8, u32::MAX] {
            bytes[4..8].copy_from_slice(&found.to_ne_bytes());
            let error = DecodeError::Length {
                kind,
                found,
                expected,
            };
            assert_eq!(decode(&bytes, HZ), Err(error));
            assert_eq!(frame(&bytes), Err(error));
        }
    }
}

#[test]
fn errors_say_what_to_do() {
    let error = DecodeError::Version { found: 2 };
    assert_eq!(
        error.to_string(),
        "wire version 2 cannot be read, only 1: use the socktrace that made the record"
    );
    let error = DecodeError::Truncated { have: 3, need: 32 };
    assert_eq!(error.to_string(), "the record ends after 3 of 32 bytes");
    let error = DecodeError::Length {
        kind: "gap",
        found: 49,
        expected: 48,
    };
    assert_eq!(error.to_string(), "gap: header.len is 49, not 48");
}

#[test]
fn no_records() {
    assert_eq!(records(b"", HZ).count(), 0);
}

#[test]
fn records_follow_each_other() {
    let kinds = every_kind();
    let stream = kinds
        .iter()
        .map(|(_, bytes)| bytes.as_slice())
        .collect::<Vec<_>>()
        .concat();
    let mut offset = 0;
    let mut found = records(&stream, HZ);
    for (_, bytes) in &kinds {
        assert_eq!(found.next(), Some((offset, decode(bytes, HZ))));
        offset += bytes.len();
    }
    assert_eq!(found.next(), None);
    assert_eq!(found.next(), None);
}

#[test]
fn a_bad_field_does_not_stop_the_walk() {
    let mut bad = gap();
    bad.place = 77;
    let stream = [bytes(&mark()), bytes(&bad), bytes(&accept())].concat();
    let found: Vec<_> = records(&stream, HZ)
        .map(|(at, record)| (at, record.is_ok()))
        .collect();
    assert_eq!(found, [(0, true), (48, false), (96, true)]);
}

#[test]
fn a_foreign_header_stops_the_walk() {
    let stream = [bytes(&mark()), vec![0xff; 48], bytes(&accept())].concat();
    let found: Vec<_> = records(&stream, HZ).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[1], (48, Err(DecodeError::Version { found: 0xffff })));
}

#[test]
fn a_stream_truncated_anywhere_gives_what_is_whole_and_one_error() {
    let stream = [bytes(&mark()), bytes(&accept()), bytes(&held())].concat();
    let ends = [0, 48, 168, 336];
    assert_eq!(stream.len(), 336);
    for have in 0..=stream.len() {
        let found: Vec<_> = records(&stream[..have], HZ).collect();
        let whole = ends.iter().filter(|end| **end > 0 && **end <= have).count();
        assert_eq!(
            found.iter().filter(|(_, record)| record.is_ok()).count(),
            whole,
            "{have}"
        );
        let cut = usize::from(!ends.contains(&have));
        assert_eq!(found.len(), whole + cut, "{have}");
        if cut == 1 {
            let (at, error) = found[whole];
            assert_eq!(at, ends[whole], "{have}");
            assert!(
                matches!(error, Err(DecodeError::Truncated { .. })),
                "{have}: {error:?}"
            );
        }
    }
}

#[test]
fn the_walk_decodes_with_its_context() {
    let idle = |hz| match records(&bytes(&held()), DecodeContext { hz }).next() {
        Some((0, Ok(record))) => match record.event {
            Event::Held(held) => held.idle,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(idle(250), Some(Duration::from_secs(1)));
    assert_eq!(idle(1000), Some(Duration::from_millis(250)));
    assert_eq!(idle(0), None);
}

#[test]
fn origins() {
    assert_eq!(origin(&sequenced(3, 17)), Some(Origin { cpu: 3, seq: 17 }));
    assert_eq!(
        origin(&sequenced(8191, u64::MAX)),
        Some(Origin {
            cpu: 8191,
            seq: u64::MAX
        })
    );
    assert_eq!(origin(&sequenced(8192, 17)), None, "no such CPU");
    assert_eq!(origin(&bytes(&accept())), None, "not numbered");
    assert_eq!(origin(&sequenced(3, 17)[..31]), None, "header not whole");
    assert_eq!(origin(b""), None);
}

#[test]
fn a_record_of_unknown_kind_has_arrived_all_the_same() {
    let mut bytes = sequenced(3, 17);
    bytes[2] = 0xff;
    assert_eq!(origin(&bytes), Some(Origin { cpu: 3, seq: 17 }));
    bytes[0] = 0xff;
    assert_eq!(
        origin(&bytes),
        None,
        "another version has its number elsewhere"
    );
}
