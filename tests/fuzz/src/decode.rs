//! Any bytes are one record, or a stream of them, or refused: nothing panics, and what two ways of
//! reading the same bytes say agrees.
#![no_main]

use libfuzzer_sys::fuzz_target;
use socktrace::decode::{
    DecodeContext, MAX_RECORD_LEN, decode, frame, gap_record, mark_record, origin, records,
};
use socktrace::model::Event;

fuzz_target!(|bytes: &[u8]| {
    let context = DecodeContext { hz: 250 };
    let _ = origin(bytes);
    if let Ok(record) = decode(bytes, context) {
        assert_eq!(frame(bytes), Ok(bytes.len()));
        // The agent's own records are made anew from what they say.
        let again = match record.event {
            Event::Gap(gap) => Some(gap_record(record.at, gap)),
            Event::Mark(mark) => Some(mark_record(record.at, mark)),
            _ => None,
        };
        if let Some(again) = again {
            assert_eq!(decode(&again, context), Ok(record));
        }
        // Everything that is shown can be shown.
        let _ = format!("{record:?}");
    }
    let mut end = 0;
    for (offset, record) in records(bytes, context) {
        assert_eq!(offset, end, "records follow each other");
        let rest = &bytes[offset..];
        match frame(rest) {
            Ok(len) if len <= rest.len() => {
                assert!(len <= MAX_RECORD_LEN);
                assert_eq!(record, decode(&rest[..len], context));
                end += len;
            }
            _ => {
                assert!(record.is_err());
                end = bytes.len();
            }
        }
    }
    assert_eq!(end, bytes.len(), "nothing is passed over in silence");
});
