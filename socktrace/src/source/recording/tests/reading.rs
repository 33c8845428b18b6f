//! Reading: what is yielded, and where it ends.

use std::io::{self, Read};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::{ReadError, Reader};
use super::recording;
use crate::decode::tests::wire::{HZ, bytes, every_kind, gap, sequenced};
use crate::decode::{DecodeError, decode};
use crate::model::Record;

/// Gives one byte a call, and an interruption before each.
#[derive(Debug)]
struct Dribble<'a> {
    rest: &'a [u8],
    interrupt: bool,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some((to, (from, rest))) = buffer.first_mut().zip(self.rest.split_first()) else {
            return Ok(0);
        };
        *to = *from;
        self.rest = rest;
        Ok(1)
    }
}

/// The disk goes away after some bytes.
#[derive(Debug)]
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("input/output error")),
            n => Ok(n),
        }
    }
}

fn all_kinds() -> (Vec<u8>, Vec<Record>) {
    let kinds = every_kind().map(|(_, bytes)| bytes);
    let records = kinds
        .iter()
        .map(|bytes| decode(bytes, HZ).unwrap())
        .collect();
    (recording(kinds), records)
}

fn header_len() -> usize {
    recording([[0_u8; 0]; 0]).len()
}

#[test]
fn records_are_read_as_they_were_written() {
    let (file, records) = all_kinds();
    let mut reader = Reader::new(file.as_slice()).unwrap();
    for expected in records {
        assert_eq!(reader.next().unwrap().unwrap(), expected);
    }
    assert!(reader.next().is_none());
    assert!(reader.next().is_none());
    assert_eq!(reader.offset(), file.len() as u64);
}

#[test]
fn the_size_of_reads_does_not_matter() {
    let (file, records) = all_kinds();
    let reader = Reader::new(Dribble {
        rest: &file,
        interrupt: false,
    })
    .unwrap();
    let found: Vec<Record> = reader.map(Result::unwrap).collect();
    assert_eq!(found, records);
}

#[test]
fn a_recording_truncated_anywhere_gives_what_is_whole_and_the_offset() {
    let (file, records) = all_kinds();
    let mut ends = vec![header_len()];
    for (_, bytes) in every_kind() {
        ends.push(ends[ends.len() - 1] + bytes.len());
    }
    for len in header_len()..=file.len() {
        let whole = ends.iter().filter(|end| **end <= len).count() - 1;
        let mut reader = Reader::new(&file[..len]).unwrap();
        for expected in &records[..whole] {
            assert_eq!(reader.next().unwrap().unwrap(), *expected, "{len}");
        }
        match reader.next() {
            None => assert!(ends.contains(&len), "{len}"),
            Some(Err(ReadError::Truncated { offset, have, need })) => {
                assert_eq!(offset, ends[whole] as u64, "{len}");
                assert_eq!(have, len - ends[whole], "{len}");
                let record = ends[whole + 1] - ends[whole];
                assert_eq!(need, if have < 32 { 32 } else { record }, "{len}");
            }
            other => panic!("{len}: {other:?}"),
        }
        assert!(reader.next().is_none(), "{len}");
    }
}

#[test]
fn foreign_bytes_end_it_with_offset_and_reason() {
    let mut file = recording([sequenced(0, 0), sequenced(0, 1)]);
    let offset = file.len() as u64;
    file.extend_from_slice(&[b'?'; 500]);
    let mut reader = Reader::new(file.as_slice()).unwrap();
    assert!(reader.next().unwrap().is_ok());
    assert!(reader.next().unwrap().is_ok());
    let error = reader.next().unwrap().unwrap_err();
    assert!(error.is_last());
    assert_eq!(
        error.to_string(),
        format!(
            "offset {offset}: what follows is not a record: wire version 16191 cannot be read, only 1: \
             use the socktrace that made the record"
        )
    );
    assert!(reader.next().is_none());
}

#[test]
fn a_bad_field_is_told_and_passed_over() {
    let mut bad = gap();
    bad.place = 9;
    let file = recording([sequenced(0, 0), bytes(&bad), sequenced(0, 1)]);
    let mut reader = Reader::new(file.as_slice()).unwrap();
    assert!(reader.next().unwrap().is_ok());
    let offset = reader.offset();
    let error = reader.next().unwrap().unwrap_err();
    assert!(!error.is_last());
    assert_eq!(
        error.to_string(),
        format!(
            "offset {offset}: a record cannot be understood: gap: place is 0x9, not a place where \
             records get lost"
        )
    );
    assert!(reader.next().unwrap().is_ok());
    assert!(reader.next().is_none());
}

#[test]
fn a_failing_disk_ends_it() {
    let file = recording([sequenced(0, 0)]);
    let mut reader = Reader::new(Failing(&file)).unwrap();
    assert!(reader.next().unwrap().is_ok());
    let error = reader.next().unwrap().unwrap_err();
    assert!(error.is_last());
    assert_eq!(
        error.to_string(),
        format!(
            "offset {}: the recording cannot be read: input/output error",
            file.len()
        )
    );
    assert!(reader.next().is_none());
    match Reader::new(Failing(b"SOCK")) {
        Err(ReadError::Io { offset: 0, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_recordings_jiffies_count() {
    let (file, _) = all_kinds();
    let mut file = file;
    file[28..32].copy_from_slice(&1000_u32.to_ne_bytes());
    let idle =
        Reader::new(file.as_slice())
            .unwrap()
            .find_map(|record| match record.unwrap().event {
                crate::model::Event::Held(held) => held.idle,
                _ => None,
            });
    assert_eq!(idle, Some(std::time::Duration::from_millis(250)));
}

proptest! {
    #[test]
    fn any_file_is_read_or_refused(file in vec(any::<u8>(), 0..2000)) {
        if let Ok(reader) = Reader::new(file.as_slice()) {
            prop_assert!(reader.count() < 2000);
        }
    }

    /// Whatever is damaged, the records before it come out unharmed.
    #[test]
    fn what_comes_before_the_damage_is_sound(
        damage in vec((any::<Index>(), 1..=u8::MAX), 1..4),
    ) {
        let (mut file, records) = all_kinds();
        let len = file.len() - header_len();
        let mut first = file.len();
        for (at, change) in damage {
            let at = header_len() + at.index(len);
            file[at] ^= change;
            first = first.min(at);
        }
        let mut reader = Reader::new(file.as_slice()).unwrap();
        let mut end = header_len();
        for (expected, (_, bytes)) in records.iter().zip(every_kind()) {
            end += bytes.len();
            if end > first {
                break;
            }
            prop_assert_eq!(reader.next().unwrap().unwrap(), *expected);
        }
        let mut last = false;
        for record in reader {
            prop_assert!(!last, "nothing comes after the last error");
            last = record.is_err_and(|error| error.is_last());
        }
    }

    #[test]
    fn any_bytes_behind_the_header_are_read_or_refused(tail in vec(any::<u8>(), 0..500)) {
        let mut file = recording([sequenced(0, 0)]);
        file.extend_from_slice(&tail);
        let mut reader = Reader::new(file.as_slice()).unwrap();
        prop_assert!(reader.next().unwrap().is_ok());
        let rest = reader.next();
        prop_assert_eq!(rest.is_none(), tail.is_empty());
        if tail.len() < 32
            && let Some(Err(ReadError::Foreign { reason: DecodeError::Version { .. }, .. })) = rest
        {
            prop_assert!(false, "what is too short for a header is truncated");
        }
    }
}
