//! What holds for all bytes and for all records.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::encoder::encode;
use super::strategies::record;
use super::wire::{HZ, every_kind};
use crate::decode::{DecodeError, MAX_RECORD_LEN, decode, frame, origin, records};

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in vec(any::<u8>(), 0..400)) {
        let whole = decode(&bytes, HZ);
        let _ = origin(&bytes);
        if let Ok(len) = frame(&bytes) {
            prop_assert!(len <= MAX_RECORD_LEN);
        }
        let first = records(&bytes, HZ).next();
        prop_assert_eq!(first.is_none(), bytes.is_empty());
        if whole.is_ok() {
            prop_assert_eq!(first, Some((0, whole)));
        }
    }

    /// Bytes that look like records for as long as possible reach deeper than random ones.
    #[test]
    fn almost_records_are_decoded_or_refused(
        kind in 0..9_usize,
        damage in vec((any::<Index>(), any::<u8>()), 0..8),
    ) {
        let (_, mut bytes) = every_kind()[kind].clone();
        let len = bytes.len();
        for (at, byte) in damage {
            bytes[at.index(len)] = byte;
        }
        match decode(&bytes, HZ) {
            Ok(record) => prop_assert_eq!(decode(&encode(&record), HZ), Ok(record)),
            Err(error) => {
                let longer = matches!(error, DecodeError::Surplus { .. });
                prop_assert!(!longer, "its length was not touched");
            }
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_itself(record in record()) {
        prop_assert_eq!(decode(&encode(&record), HZ), Ok(record));
    }

    #[test]
    fn a_stream_of_records_gives_them_all(list in vec(record(), 0..8), tail in 0..32_usize) {
        let mut stream: Vec<u8> = list.iter().flat_map(encode).collect();
        let whole = stream.len();
        stream.resize(whole + tail, 1);
        let mut walk = records(&stream, HZ);
        for expected in &list {
            prop_assert_eq!(walk.next().map(|(_, found)| found), Some(Ok(*expected)));
        }
        let rest = DecodeError::Truncated { have: tail, need: 32 };
        prop_assert_eq!(walk.next(), (tail > 0).then_some((whole, Err(rest))));
        prop_assert_eq!(walk.next(), None);
    }
}
