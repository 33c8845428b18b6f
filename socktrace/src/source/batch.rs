//! Records of the ring buffer, one behind the other in one piece of memory, each as long as the kernel
//! says: what stands in one says nothing about where the next begins.

use std::ops::Range;

/// Any number of records. Clearing it keeps the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// One without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.push_both(record, &[]);
    }

    /// Adds a record that is in two pieces.
    pub fn push_both(&mut self, first: &[u8], second: &[u8]) {
        self.bytes.extend_from_slice(first);
        self.bytes.extend_from_slice(second);
        self.ends.push(self.bytes.len());
    }

    /// The records, in the order they were added in.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| {
            let range: Range<usize> = begin..end;
            begin = end;
            self.bytes.get(range).unwrap_or_default()
        })
    }

    /// Bytes of all records.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets all records.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut batch = Batch::new();
        assert!(batch.is_empty());
        let records: [&[u8]; 4] = [b"one", b"", b"three", b"4"];
        for round in 0..2 {
            for record in records {
                batch.push(record);
            }
            assert!(batch.records().eq(records), "round {round}");
            assert_eq!((batch.bytes(), batch.is_empty()), (9, false));
            batch.clear();
            assert_eq!(batch.records().count(), 0);
        }
    }
}
