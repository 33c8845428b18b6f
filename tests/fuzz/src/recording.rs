//! Any file is a recording, or refused: nothing panics, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use socktrace::decode::records;
use socktrace::source::recording::{ReadError, Reader, Writer};

fuzz_target!(|file: &[u8]| {
    let Ok(mut reader) = Reader::new(file) else {
        return;
    };
    let header = reader.header().clone();
    let start = usize::try_from(reader.offset()).expect("within the file");
    let mut found = Vec::new();
    let mut last = None;
    for record in &mut reader {
        assert!(last.is_none(), "nothing comes after the last error");
        match record {
            Ok(record) => found.push(Ok(record)),
            Err(ReadError::Record { reason, .. }) => found.push(Err(reason)),
            Err(error) => last = Some(error.to_string()),
        }
    }
    let end = usize::try_from(reader.offset()).expect("within the file");
    assert!(end <= file.len());
    assert_eq!(
        last.is_none(),
        end == file.len(),
        "the whole file is read, or an error says why not"
    );

    // The sound part, written again, is the same file.
    let mut copy = Vec::new();
    let mut writer = Writer::new(&mut copy, &header).expect("what was read can be written");
    let body = &file[start..end];
    let mut framed = records(body, header.context()).peekable();
    while let Some((offset, record)) = framed.next() {
        let next = framed.peek().map_or(body.len(), |(next, _)| *next);
        writer
            .record(&body[offset..next])
            .expect("what was read can be written");
        assert_eq!(
            found.get(usize::try_from(writer.written() - 1).expect("small")),
            Some(&record)
        );
    }
    assert_eq!(writer.written(), u64::try_from(found.len()).expect("small"));
    writer.flush().expect("memory is not full");
    drop(writer);
    assert_eq!(copy, file[..end]);
});
