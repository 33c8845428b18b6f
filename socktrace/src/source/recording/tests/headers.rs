//! Headers: what they keep, and what is not one.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{Header, HeaderError, ReadError, Reader, WriteError, Writer};
use super::{header, recording};
use crate::model::{BootTime, Host};

/// Bytes of the fixed part.
const FIXED: usize = 72;

fn empty() -> Vec<u8> {
    recording([[0_u8; 0]; 0])
}

/// The header's error of a file.
#[track_caller]
fn refused(file: &[u8]) -> HeaderError {
    match Reader::new(file) {
        Err(ReadError::Header(error)) => error,
        other => panic!("expected the header to be refused, got {other:?}"),
    }
}

/// A header with these bytes at an offset.
fn patched(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = empty();
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn a_header_is_read_as_it_was_written() {
    let file = empty();
    let reader = Reader::new(file.as_slice()).unwrap();
    assert_eq!(reader.header(), &header());
    assert_eq!(reader.offset(), u64::try_from(file.len()).unwrap());
    assert_eq!(reader.header().context().hz, 250);
    assert_eq!(reader.count(), 0);
}

#[test]
fn the_layout_is_as_documented() {
    let file = empty();
    assert_eq!(&file[..16], b"SOCKTRACE\0REC\0\0\0");
    assert_eq!(file[16..20], 0x0102_0304_u32.to_ne_bytes());
    assert_eq!(file[20..24], 1_u32.to_ne_bytes());
    assert_eq!(file[24..28], 1_u32.to_ne_bytes());
    assert_eq!(file[28..32], 250_u32.to_ne_bytes());
    assert_eq!(file[32..40], 60_000_000_000_u64.to_ne_bytes());
    assert_eq!(file[40..48], 1_000_000_000_000_u64.to_ne_bytes());
    assert_eq!(file[48..64], 1_795_359_845_123_456_789_i128.to_ne_bytes());
    assert_eq!(file[64..66], 5_u16.to_ne_bytes());
    assert_eq!(file[66..68], 32_u16.to_ne_bytes());
    assert_eq!(file[68..70], 36_u16.to_ne_bytes());
    assert_eq!(file[70..72], [0, 0]);
    assert_eq!(&file[72..80], b"web-13f6");
    assert_eq!(file.len(), FIXED + 5 + 32 + 36);
}

#[test]
fn foreign_files() {
    let files: [&[u8]; 7] = [
        b"{",
        b"not a recording",
        b"{\"@timestamp\":\"2026-11-22T15:04:05.123456Z\"}\n",
        &[0; 4096],
        &[0xff; 4096],
        b"\x7fELF\x02\x01\x01",
        b"SOCKTRACE REC",
    ];
    for file in files {
        assert_eq!(refused(file), HeaderError::Magic);
    }
}

#[test]
fn a_wrong_magic_anywhere() {
    for offset in 0..16 {
        assert_eq!(
            refused(&patched(offset, b"?")),
            HeaderError::Magic,
            "{offset}"
        );
    }
}

#[test]
fn the_other_byte_order() {
    let mark = 0x0102_0304_u32.swap_bytes().to_ne_bytes();
    assert_eq!(refused(&patched(16, &mark)), HeaderError::ByteOrder);
    assert_eq!(refused(&patched(16, &[0; 4])), HeaderError::Magic);
}

#[test]
fn other_versions() {
    for found in [0_u32, 2, u32::MAX] {
        let bytes = found.to_ne_bytes();
        assert_eq!(refused(&patched(20, &bytes)), HeaderError::Format(found));
        assert_eq!(refused(&patched(24, &bytes)), HeaderError::Wire(found));
    }
}

#[test]
fn reserved_bytes() {
    assert_eq!(
        refused(&patched(70, &7_u16.to_ne_bytes())),
        HeaderError::Reserved(7)
    );
}

#[test]
fn texts_that_are_too_long() {
    for (offset, what) in [(64, "name"), (66, "id"), (68, "boot id")] {
        for len in [256, u16::MAX] {
            let error = HeaderError::TextLength {
                what,
                len: len.into(),
            };
            assert_eq!(refused(&patched(offset, &len.to_ne_bytes())), error);
        }
    }
}

#[test]
fn texts_that_are_no_utf8() {
    for (offset, what) in [(72, "name"), (77, "id"), (109, "boot id")] {
        assert_eq!(
            refused(&patched(offset, &[0xff])),
            HeaderError::Text { what }
        );
    }
}

#[test]
fn truncated_anywhere() {
    let file = empty();
    for len in 0..file.len() {
        let whole = if len < FIXED { FIXED } else { file.len() };
        match Reader::new(&file[..len]) {
            Err(ReadError::TruncatedHeader { have, need }) => {
                assert_eq!((have, need), (len as u64, whole as u64));
            }
            other => panic!("{len}: {other:?}"),
        }
    }
}

#[test]
fn errors_say_what_and_what_to_do() {
    let says = |file: &[u8]| Reader::new(file).unwrap_err().to_string();
    assert_eq!(
        says(b"plain text"),
        "offset 0: not a recording that can be played back: it does not begin as a recording of socktrace does"
    );
    assert_eq!(
        says(&patched(24, &2_u32.to_ne_bytes())),
        "offset 0: not a recording that can be played back: its wire version is 2, not 1: use the socktrace \
         that recorded it"
    );
    assert_eq!(
        says(b""),
        "offset 0: the recording ends within its header of 72 bytes"
    );
}

#[test]
fn what_does_not_fit_is_not_begun() {
    let begin = |header: &Header| match Writer::new(Vec::new(), header) {
        Err(WriteError::Header(error)) => error,
        other => panic!("{other:?}"),
    };
    let mut long = header();
    long.host.name = "x".repeat(256);
    assert_eq!(
        begin(&long),
        HeaderError::TextLength {
            what: "name",
            len: 256
        }
    );
    let mut slow = header();
    slow.leak_after = Duration::MAX;
    assert_eq!(begin(&slow), HeaderError::LeakAfter(Duration::MAX));
}

proptest! {
    #[test]
    fn any_header_is_read_as_it_was_written(
        (name, id, boot_id) in (".{0,60}", ".{0,60}", ".{0,60}"),
        wall_minus_boot_ns in any::<i128>(),
        (started, leak_after, hz) in any::<(u64, u64, u32)>(),
    ) {
        let agent_started = BootTime(started);
        let host = Host { name, id, boot_id, wall_minus_boot_ns, agent_started };
        let header = Header { host, leak_after: Duration::from_nanos(leak_after), hz };
        let mut file = Vec::new();
        drop(Writer::new(&mut file, &header).unwrap());
        let reader = Reader::new(file.as_slice()).unwrap();
        prop_assert_eq!(reader.header(), &header);
        prop_assert_eq!(reader.count(), 0);
    }
}
