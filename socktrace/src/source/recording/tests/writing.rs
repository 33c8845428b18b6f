//! Writing: what is accepted, and what happens when the disk is full.

use std::cell::Cell;
use std::io::{self, Write};

use super::super::{Reader, WriteError, Writer};
use super::{header, recording};
use crate::decode::DecodeError;
use crate::decode::tests::wire::{every_kind, sequenced};

/// A disk with room for so many bytes.
#[derive(Debug)]
struct Disk<'a> {
    file: &'a mut Vec<u8>,
    room: &'a Cell<usize>,
}

impl Write for Disk<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.room.get());
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.extend_from_slice(&bytes[..n]);
        self.room.set(self.room.get() - n);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_header_is_written_at_once() {
    let mut file = Vec::new();
    let room = Cell::new(usize::MAX);
    let writer = Writer::new(
        Disk {
            file: &mut file,
            room: &room,
        },
        &header(),
    )
    .unwrap();
    assert_eq!(usize::MAX - room.get(), recording([[0_u8; 0]; 0]).len());
    assert_eq!((writer.written(), writer.dropped()), (0, 0));
}

#[test]
fn a_place_that_cannot_be_written_to_shows_at_the_start() {
    let mut file = Vec::new();
    let room = Cell::new(0);
    match Writer::new(
        Disk {
            file: &mut file,
            room: &room,
        },
        &header(),
    ) {
        Err(error @ WriteError::Begin(_)) => {
            assert_eq!(
                error.to_string(),
                "the recording cannot be begun: no storage space"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn flushed_records_are_in_the_file() {
    let mut file = Vec::new();
    let room = Cell::new(10_000);
    let mut writer = Writer::new(
        Disk {
            file: &mut file,
            room: &room,
        },
        &header(),
    )
    .unwrap();
    let begun = room.get();
    let record = sequenced(0, 0);
    writer.record(&record).unwrap();
    writer.flush().unwrap();
    assert_eq!(begun - room.get(), record.len());
    assert_eq!((writer.written(), writer.dropped()), (1, 0));
}

/// A record on a full disk fails once, then everything is quiet, and what was written can be read.
#[test]
fn a_full_disk_ends_the_recording_with_one_message() {
    let record = sequenced(0, 0);
    let mut file = Vec::new();
    let room = Cell::new(recording([[0_u8; 0]; 0]).len() + 10 * record.len() + 7);
    let mut writer = Writer::new(
        Disk {
            file: &mut file,
            room: &room,
        },
        &header(),
    )
    .unwrap();
    let mut errors = Vec::new();
    for _ in 0..2_000 {
        errors.extend(writer.record(&record).err());
    }
    errors.extend(writer.flush().err());
    assert_eq!(errors.len(), 1, "{errors:?}");
    let accepted = writer.written();
    assert_eq!(
        errors[0].to_string(),
        format!(
            "the recording ends after {accepted} records, nothing more is written to it: no storage \
             space"
        )
    );
    assert_eq!(accepted + writer.dropped(), 2_000);
    assert!(writer.dropped() > 0);
    drop(writer);
    let read: Vec<_> = Reader::new(file.as_slice()).unwrap().collect();
    assert_eq!(read.iter().filter(|record| record.is_ok()).count(), 10);
    assert_eq!(read.len(), 11, "the eleventh is truncated");
}

#[test]
fn a_full_disk_shows_at_flush() {
    let record = sequenced(0, 0);
    let mut file = Vec::new();
    let room = Cell::new(recording([[0_u8; 0]; 0]).len());
    let mut writer = Writer::new(
        Disk {
            file: &mut file,
            room: &room,
        },
        &header(),
    )
    .unwrap();
    writer.record(&record).unwrap();
    assert!(matches!(
        writer.flush(),
        Err(WriteError::Stopped { written: 1, .. })
    ));
    assert!(writer.flush().is_ok());
    assert!(writer.record(&record).is_ok());
    assert_eq!((writer.written(), writer.dropped()), (1, 1));
}

#[test]
fn what_cannot_be_read_back_is_refused_and_ends_nothing() {
    let good = sequenced(0, 0);
    let mut long = good.clone();
    long.push(0);
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, &header()).unwrap();
    let mut refused = |bytes: &[u8]| match writer.record(bytes) {
        Err(WriteError::NotARecord(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(b""), DecodeError::Truncated { have: 0, need: 32 });
    assert_eq!(
        refused(&good[..119]),
        DecodeError::Truncated {
            have: 119,
            need: 120
        }
    );
    assert_eq!(refused(&long), DecodeError::Surplus { surplus: 1 });
    assert_eq!(refused(&[0xff; 64]), DecodeError::Version { found: 0xffff });
    writer.record(&good).unwrap();
    writer.flush().unwrap();
    assert_eq!((writer.written(), writer.dropped()), (1, 4));
    drop(writer);
    assert_eq!(file, recording([good]));
}

#[test]
fn a_record_with_a_bad_field_is_kept_for_whoever_looks_into_it() {
    let (_, mut bad) = every_kind()[0].clone();
    bad[32 + 8 + 8 + 4 + 4 + 6] = 99; // sock.state
    let file = recording([bad.as_slice()]);
    assert!(file.ends_with(&bad));
}
