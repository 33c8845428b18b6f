//! One sink.

use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::mpsc::channel;

use super::super::open::Patient;
use super::super::{LineSink, Sink, SinkError, Target, open};
use super::{Arrived, Memory, PATIENCE};

/// The contract: what `write` has accepted has arrived when it returns, whole, once and in order.
fn check_contract(mut sink: Box<dyn Sink>, mut arrived: Arrived) {
    assert!(!sink.name().is_empty());
    assert!(!sink.name().chars().any(char::is_control));
    sink.write(b"").unwrap();
    sink.write(b"one\n").unwrap();
    assert_eq!(arrived(), b"one\n");
    sink.write(b"two\nthree\n").unwrap();
    assert_eq!(arrived(), b"one\ntwo\nthree\n");
    let mut expected = b"one\ntwo\nthree\n".to_vec();
    let long = format!("{}\n", "x".repeat(40_000)).into_bytes();
    sink.write(&long).unwrap();
    expected.extend_from_slice(&long);
    assert!(arrived() == expected);
}

/// The file at `path`.
fn plain(path: &Path) -> Target {
    Target::parse(path.as_os_str()).unwrap()
}

#[test]
fn memory_keeps_the_contract() {
    let memory = Memory::new(usize::MAX, |_| None);
    check_contract(Box::new(memory.sink()), memory.arrived());
}

#[test]
fn short_and_interrupted_writes_keep_the_contract() {
    let memory = Memory::new(7, |call| {
        (call % 3 == 0).then_some(io::ErrorKind::Interrupted)
    });
    check_contract(Box::new(memory.sink()), memory.arrived());
}

#[test]
fn a_file_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.json");
    let sink = open(&plain(&path)).unwrap();
    check_contract(sink, Box::new(move || std::fs::read(&path).unwrap()));
}

#[test]
fn a_pipe_keeps_the_contract() {
    let (mut reader, writer) = io::pipe().unwrap();
    let sink = Box::new(LineSink::new("pipe".into(), writer));
    let (sender, received) = channel();
    // A pipe holds 64 KiB: somebody has to read while the sink writes.
    std::thread::spawn(move || {
        let mut buffer = vec![0; 8192];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            let _ = sender.send(buffer[..n].to_vec());
        }
    });
    let mut all = Vec::new();
    let mut expected = [4, 14, 14 + 40_001].into_iter();
    check_contract(
        sink,
        Box::new(move || {
            let want = expected.next().unwrap();
            while all.len() < want {
                all.extend(received.recv_timeout(PATIENCE).unwrap());
            }
            all.clone()
        }),
    );
}

#[test]
fn a_batch_is_one_write() {
    let memory = Memory::new(usize::MAX, |_| None);
    memory
        .sink()
        .write("line\n".repeat(1000).as_bytes())
        .unwrap();
    assert_eq!(*memory.calls.lock().unwrap(), 1);
}

#[test]
fn a_file_is_created_for_its_group_only_and_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.json");
    open(&plain(&path)).unwrap().write(b"one\n").unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
    open(&plain(&path)).unwrap().write(b"two\n").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
}

#[test]
fn what_cannot_be_opened_is_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let check = |name: &str, reason: &str| {
        let path = dir.path().join(name);
        let error = open(&plain(&path)).err().unwrap().to_string();
        let start = format!(
            "cannot open {}: ",
            crate::schema::escape(path.as_os_str().as_encoded_bytes())
        );
        assert!(
            error.starts_with(&start) && error.contains(reason),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    };
    check("missing/out", "No such file or directory");
    check("", "Is a directory");
    check("new\nline/out", "No such file or directory");
    let pipe = dir.path().join("pipe");
    let path = std::ffi::CString::new(pipe.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: `path` is a valid C string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    check("pipe", "named pipe");
}

#[test]
fn a_full_device_is_a_counted_failure() {
    let error = open(&plain(Path::new("/dev/full")))
        .unwrap()
        .write(b"a\nb\n")
        .unwrap_err();
    let SinkError::Write {
        reason, lines: 2, ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(reason.kind(), io::ErrorKind::StorageFull);
    assert!(
        error.to_string().starts_with("cannot write to /dev/full: "),
        "{error}"
    );
}

#[test]
fn a_reader_that_went_away_is_a_quiet_end() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let error = LineSink::new("pipe".into(), writer)
        .write(b"one\n")
        .unwrap_err();
    assert!(error.is_closed(), "{error:?}");
}

#[test]
fn a_torn_line_spoils_none_but_itself() {
    // Three bytes a call; the third call fails, then all is well again.
    let memory = Memory::new(3, |call| (call == 3).then_some(io::ErrorKind::StorageFull));
    let mut sink = memory.sink();
    let error = sink.write(b"aa\nbbbb\ncc\n").unwrap_err();
    assert!(
        matches!(error, SinkError::Write { lines: 2, .. }),
        "{error:?}"
    );
    sink.write(b"next\n").unwrap();
    assert_eq!(memory.text(), "aa\nbbb\nnext\n");
}

#[test]
fn a_torn_line_is_ended_once_however_often_writing_fails() {
    let memory = Memory::new(3, |call| {
        (2..6).contains(&call).then_some(io::ErrorKind::Other)
    });
    let mut sink = memory.sink();
    for batch in ["aaaa\n", "b\n", "c\n", "d\n"] {
        assert!(sink.write(batch.as_bytes()).is_err());
    }
    sink.write(b"e\n").unwrap();
    sink.write(b"f\n").unwrap();
    assert_eq!(memory.text(), "aaa\ne\nf\n");
}

#[test]
fn a_non_blocking_file_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: `name` is a valid C string.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let nonblocking = |options: &mut std::fs::OpenOptions| {
        options.custom_flags(libc::O_NONBLOCK).open(&path).unwrap()
    };
    let mut reader = nonblocking(std::fs::OpenOptions::new().read(true));
    let writer = nonblocking(std::fs::OpenOptions::new().write(true));
    let batch = "line\n".repeat(60_000).into_bytes();
    let expected = batch.len();
    let writing =
        std::thread::spawn(move || LineSink::new("pipe".into(), Patient(writer)).write(&batch));
    let (mut got, mut buffer) = (0, vec![0; 65_536]);
    loop {
        let finished = writing.is_finished();
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !finished => {}
            Err(error) => panic!("{error}"),
        }
    }
    writing.join().unwrap().unwrap();
    assert_eq!(got, expected);
}
