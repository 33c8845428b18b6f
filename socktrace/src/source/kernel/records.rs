//! The records in the ring buffer's memory (kernel/bpf/ringbuf.c).
//!
//! A page with the reader's position, one with the writers', and then the records, each behind a header of its
//! length and two bits. The kernel maps the records' pages twice, one behind the other, so that one that goes over
//! the end can be read in one piece. Pages that are mapped twice count twice as memory of this process, and
//! records are copied out anyway: here they are mapped once, and what goes over the end is copied in two pieces.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{Ordering, fence};

use super::sys::{Mapping, page_size};
use crate::source::batch::Batch;

/// `BPF_RINGBUF_BUSY_BIT`: it is not written to its end.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: it was given up.
const DISCARD: u32 = 1 << 30;
/// `BPF_RINGBUF_HDR_SZ`.
const HEADER: usize = 8;

/// The position is told to the writers whenever so much was read. After each record, its cache line would go to and
/// fro between us and them; later, they would find the buffer fuller than it is.
const TELL: usize = 16 << 10;

/// The reading end.
#[derive(Debug)]
pub(super) struct Records {
    reader: Mapping,
    /// The writers' page, then the records.
    writers: Mapping,
    /// Where the records begin.
    data: usize,
    /// How much room they have: a power of two.
    len: usize,
    /// How much was read since the buffer was made.
    position: usize,
    /// The position that the writers know.
    told: usize,
}

impl Records {
    /// Maps the memory of a ring buffer with room for `len` bytes.
    pub(super) fn map(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let page = page_size();
        if !len.is_power_of_two() || len < page {
            return Err(io::Error::other("its size is no power of two"));
        }
        let reader = Mapping::new(fd, 0, page, true)?;
        let writers = Mapping::new(fd, page, page + len, false)?;
        let position = reader.first_word().load(Ordering::Acquire);
        Ok(Self {
            reader,
            writers,
            data: page,
            len,
            position,
            told: position,
        })
    }

    /// Copies records out until `into` has `most` bytes or more; true if none is left. Then whoever writes the next
    /// one wakes up who waits for it.
    pub(super) fn take(&mut self, into: &mut Batch, most: usize) -> bool {
        loop {
            let written = self.writers.first_word().load(Ordering::Acquire);
            let full = self.take_until(written, into, most);
            let told_more = self.tell();
            if full {
                return false;
            }
            // Nothing new since we told how far we are: the writer of the next record finds us waiting.
            if !told_more {
                return true;
            }
        }
    }

    /// Copies records out that begin before `written`; true if `into` became full first.
    fn take_until(&mut self, written: usize, into: &mut Batch, most: usize) -> bool {
        // Both count up and over.
        while written.wrapping_sub(self.position).cast_signed() > 0 {
            if into.bytes() >= most {
                return true;
            }
            let at = self.position & (self.len - 1);
            let Some(header) = self.writers.word_at(self.data + at) else {
                return false;
            };
            let header = header.load(Ordering::Acquire);
            if header & BUSY != 0 {
                return false;
            }
            let len = (header & !DISCARD) as usize;
            if header & DISCARD == 0 {
                self.copy(at + HEADER, len, into);
            }
            let room = (HEADER + len).next_multiple_of(HEADER);
            self.position = self.position.wrapping_add(room);
            if self.position.wrapping_sub(self.told) >= TELL {
                self.tell();
            }
        }
        false
    }

    /// Copies a record whose bytes begin at `at`, perhaps behind the end.
    fn copy(&self, at: usize, len: usize, into: &mut Batch) {
        let begin = at & (self.len - 1);
        let first = len.min(self.len - begin);
        let piece = |from: usize, len: usize| {
            // SAFETY: the writer is done with the record, as its header says, and the kernel writes there again only
            // when it is told of a position behind it, which needs `&mut self`.
            unsafe { self.writers.bytes(self.data + from, self.data + from + len) }
        };
        into.push_both(piece(begin, first), piece(0, len - first));
    }

    /// Tells the writers how far we are; true if they did not know.
    fn tell(&mut self) -> bool {
        if self.told == self.position {
            return false;
        }
        self.told = self.position;
        self.reader
            .first_word()
            .store(self.position, Ordering::Release);
        // Either we see what is written next, or its writer sees that we have read everything before.
        fence(Ordering::SeqCst);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    /// A file with the layout of a ring buffer, and the writing end.
    struct Writer {
        file: File,
        len: usize,
        written: usize,
    }

    impl Writer {
        fn new(len: usize, written: usize) -> Self {
            let file = tempfile::tempfile().unwrap();
            file.set_len((2 * page_size() + len) as u64).unwrap();
            let writer = Self { file, len, written };
            writer.put(0, &written.to_ne_bytes());
            writer.put(page_size(), &written.to_ne_bytes());
            writer
        }

        fn put(&self, at: usize, bytes: &[u8]) {
            self.file.write_all_at(bytes, at as u64).unwrap();
        }

        /// Bytes at a position, which may go over the end.
        fn put_data(&self, position: usize, bytes: &[u8]) {
            for (index, byte) in bytes.iter().enumerate() {
                let at = position.wrapping_add(index) & (self.len - 1);
                self.put(2 * page_size() + at, &[*byte]);
            }
        }

        fn header(&self, position: usize, len: usize, bits: u32) {
            let header = u32::try_from(len).unwrap() | bits;
            self.put_data(position, &header.to_ne_bytes());
        }

        /// Writes a record and returns its position.
        fn record(&mut self, bytes: &[u8], bits: u32) -> usize {
            let position = self.written;
            self.header(position, bytes.len(), bits);
            self.put_data(position.wrapping_add(HEADER), bytes);
            let room = (HEADER + bytes.len()).next_multiple_of(HEADER);
            self.written = position.wrapping_add(room);
            self.put(page_size(), &self.written.to_ne_bytes());
            position
        }

        /// What the reader has told.
        fn read(&self) -> usize {
            let mut word = [0; size_of::<usize>()];
            self.file.read_exact_at(&mut word, 0).unwrap();
            usize::from_ne_bytes(word)
        }

        fn map(&self) -> Records {
            Records::map(self.file.as_fd(), self.len).unwrap()
        }
    }

    #[track_caller]
    fn check(records: &mut Records, most: usize, expected: &[&[u8]], empty: bool) {
        let mut batch = Batch::new();
        let is_empty = records.take(&mut batch, most);
        assert_eq!(batch.records().collect::<Vec<_>>(), expected);
        assert_eq!(is_empty, empty);
    }

    #[test]
    fn records_come_in_order_and_the_position_is_told() {
        let mut writer = Writer::new(page_size(), 0);
        let mut records = writer.map();
        check(&mut records, 1000, &[], true);
        writer.record(b"one", 0);
        writer.record(b"", 0);
        writer.record(b"eight by", 0);
        check(&mut records, 1000, &[b"one", b"", b"eight by"], true);
        assert_eq!(writer.read(), writer.written);
        check(&mut records, 1000, &[], true);
    }

    #[test]
    fn what_is_given_up_is_skipped_and_what_is_being_written_is_waited_for() {
        let mut writer = Writer::new(page_size(), 0);
        let mut records = writer.map();
        writer.record(b"given up", DISCARD);
        let busy = writer.record(b"slow", BUSY);
        writer.record(b"behind it", 0);
        check(&mut records, 1000, &[], true);
        assert_eq!(writer.read(), busy);
        writer.header(busy, 4, 0);
        check(&mut records, 1000, &[b"slow", b"behind it"], true);
    }

    #[test]
    fn a_full_batch_leaves_the_rest() {
        let mut writer = Writer::new(page_size(), 0);
        let mut records = writer.map();
        for record in [b"aa", b"bb", b"cc"] {
            writer.record(record, 0);
        }
        check(&mut records, 3, &[b"aa", b"bb"], false);
        check(&mut records, 3, &[b"cc"], true);
    }

    #[test]
    fn records_go_over_the_end_of_the_memory_and_of_the_count() {
        let len = page_size();
        // The count of bytes since the beginning goes over its own end too.
        for begin in [0, 0_usize.wrapping_sub(3 * len)] {
            let mut writer = Writer::new(len, begin);
            let mut records = writer.map();
            let record: Vec<u8> = (0..=255).cycle().take(1000).collect();
            for round in 0..40 {
                // Each time the end is at another place of a record.
                let record = record.get(round * 3..).unwrap();
                writer.record(record, 0);
                writer.record(record, 0);
                check(&mut records, usize::MAX, &[record, record], true);
                assert_eq!(writer.read(), writer.written);
            }
        }
    }

    #[test]
    fn the_position_is_told_while_much_is_read() {
        let mut writer = Writer::new(64 << 10, 0);
        let mut records = writer.map();
        let record = vec![7; 8 * 1024 - HEADER];
        for _ in 0..6 {
            writer.record(&record, 0);
        }
        let mut batch = Batch::new();
        let full = records.take_until(writer.written, &mut batch, usize::MAX);
        assert!(!full);
        assert_eq!(batch.records().count(), 6);
        assert_eq!(writer.read(), 48 << 10);
        assert_eq!(records.told, records.position);
    }

    #[test]
    fn no_ring_buffer_is_refused() {
        let file = tempfile::tempfile().unwrap();
        for len in [0, 4095, 3 * page_size()] {
            assert!(Records::map(file.as_fd(), len).is_err(), "{len}");
        }
    }
}
