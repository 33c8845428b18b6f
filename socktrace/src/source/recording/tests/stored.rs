//! The recordings in `tests/recordings` and the seeds of the fuzz targets: small, made here, and kept
//! as files so that replay, fuzzing and people can use them.
//!
//! `SOCKTRACE_UPDATE=1 cargo test -p socktrace --no-default-features stored` writes them anew.
#![cfg(target_endian = "little")]

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{Reader, Writer};
use super::header;
use super::scenes::scenes;
use crate::decode::tests::wire::every_kind;

fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// The file must hold `expected`; it is written if that is asked for.
#[track_caller]
fn check(path: &Path, expected: &[u8]) {
    if std::env::var_os("SOCKTRACE_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, expected).unwrap();
    }
    let found = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        found == expected,
        "{} is out of date; SOCKTRACE_UPDATE=1 renews it",
        path.display()
    );
}

#[test]
fn stored_recordings_are_up_to_date_and_can_be_read() {
    let folder = tests_folder().join("recordings");
    for (name, records) in scenes() {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file, &header()).unwrap();
        for record in &records {
            writer.record(record).unwrap();
        }
        writer.flush().unwrap();
        drop(writer);
        check(&folder.join(format!("{name}.strec")), &file);
    }
    // Those that were recorded elsewhere and put there, too.
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for record in Reader::new(fs::File::open(&path).unwrap()).unwrap() {
            record.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

#[test]
fn stored_seeds_are_up_to_date() {
    let folder = tests_folder().join("fuzz/seeds/decode");
    let kinds = every_kind();
    for (name, bytes) in &kinds {
        check(
            &folder.join(name.replace(' ', "_")).with_extension("bin"),
            bytes,
        );
    }
    let stream: Vec<u8> = kinds.into_iter().flat_map(|(_, bytes)| bytes).collect();
    check(&folder.join("stream.bin"), &stream);
}
