use std::cell::Cell;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use flate2::read::GzDecoder;

use super::super::tests::wait_until;
use super::super::{Rotation, Sink};
use super::*;

/// A clock that stands still until it is moved.
#[derive(Clone)]
struct Hands(Arc<Mutex<u64>>);

impl Hands {
    fn new() -> Self {
        // 2026-11-22T15:04:05Z, counted from boot as well: that was in 1970.
        Self(Arc::new(Mutex::new(1_795_359_845)))
    }

    fn advance(&self, seconds: u64) {
        *self.0.lock().unwrap() += seconds;
    }
}

impl Clock for Hands {
    fn boot(&self) -> BootTime {
        BootTime(*self.0.lock().unwrap() * 1_000_000_000)
    }

    fn wall_minus_boot_ns(&self) -> i128 {
        0
    }
}

/// A folder `logs` with a sink that writes to `out.json` in it.
struct Stage {
    folder: tempfile::TempDir,
    hands: Hands,
    sink: FileSink<Hands>,
    lines: Cell<u32>,
}

impl Stage {
    fn new(rotation: Rotation) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hands = Hands::new();
        fs::create_dir(folder.path().join("logs")).unwrap();
        let target = FileTarget {
            path: folder.path().join("logs/out.json"),
            rotation,
        };
        let sink = FileSink::open("out".to_owned(), &target, hands.clone()).unwrap();
        Self {
            folder,
            hands,
            sink,
            lines: Cell::new(0),
        }
    }

    fn in_logs(&self, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(name)
    }

    fn path(&self) -> PathBuf {
        self.in_logs("out.json")
    }

    /// Writes a line of ten bytes.
    fn write(&mut self) {
        let line = format!("line {:04}\n", self.lines.get());
        self.lines.set(self.lines.get() + 1);
        self.sink.write(line.as_bytes()).unwrap();
    }

    /// Names of the files that were put aside, behind `out.json.`.
    fn aside(&self) -> Vec<String> {
        let files = aside::put_aside(&self.path()).unwrap();
        let name = |file: &PathBuf| {
            let name = file.file_name().unwrap().to_str().unwrap();
            name.strip_prefix("out.json.").unwrap().to_owned()
        };
        files.iter().map(name).collect()
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.in_logs(name)).unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

const SIZE: Rotation = Rotation {
    size: Some(25),
    age: None,
    keep: None,
    compress: false,
};

#[test]
fn a_full_file_is_put_aside_between_lines() {
    let mut stage = Stage::new(SIZE);
    for _ in 0..5 {
        stage.write();
        stage.hands.advance(1);
    }
    assert_eq!(stage.aside(), ["20261122T150407Z", "20261122T150409Z"]);
    assert_eq!(
        stage.read("out.json.20261122T150407Z"),
        "line 0000\nline 0001\n"
    );
    assert_eq!(
        stage.read("out.json.20261122T150409Z"),
        "line 0002\nline 0003\n"
    );
    assert_eq!(stage.read("out.json"), "line 0004\n");
}

#[test]
fn several_within_a_second_are_told_apart() {
    let mut stage = Stage::new(SIZE);
    for _ in 0..23 {
        stage.write();
    }
    let expected = (1..=11).map(|n| match n {
        1 => "20261122T150405Z".to_owned(),
        n => format!("20261122T150405Z-{n}"),
    });
    assert!(
        stage.aside().into_iter().eq(expected),
        "{:?}",
        stage.aside()
    );
}

#[test]
fn a_batch_larger_than_a_file_may_be_stays_whole() {
    let mut stage = Stage::new(SIZE);
    stage.sink.write(b"one\n").unwrap();
    let long = "a line\n".repeat(100);
    stage.sink.write(long.as_bytes()).unwrap();
    assert_eq!(stage.read("out.json"), long);
    assert_eq!(stage.aside().len(), 1);
}

#[test]
fn an_old_file_is_put_aside() {
    let mut stage = Stage::new(Rotation {
        size: None,
        age: Some(Duration::from_mins(1)),
        ..SIZE
    });
    // The file system dates its birth by another clock.
    stage.sink.begun = stage.hands.boot();
    stage.write();
    stage.hands.advance(59);
    stage.write();
    assert!(stage.aside().is_empty());
    stage.hands.advance(1);
    stage.write();
    assert_eq!(stage.aside(), ["20261122T150505Z"]);
    assert_eq!(stage.read("out.json"), "line 0002\n");
}

#[test]
fn only_so_many_are_kept_and_others_files_are_left_alone() {
    let mut stage = Stage::new(Rotation {
        keep: Some(2),
        ..SIZE
    });
    let others = [
        "out.json.bak",
        "out.json.20261122T150405Zx",
        "other.20261122T150405Z",
    ];
    for other in others {
        fs::write(stage.in_logs(other), "").unwrap();
    }
    for _ in 0..9 {
        stage.write();
        stage.hands.advance(1);
    }
    wait_until(|| stage.aside() == ["20261122T150411Z", "20261122T150413Z"]);
    for other in others {
        assert!(stage.in_logs(other).exists(), "{other}");
    }
}

#[test]
fn compressed_files_hold_the_same_lines() {
    let mut stage = Stage::new(Rotation {
        compress: true,
        ..SIZE
    });
    for _ in 0..3 {
        stage.write();
    }
    wait_until(|| stage.aside() == ["20261122T150405Z.gz"]);
    let file = File::open(stage.in_logs("out.json.20261122T150405Z.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "line 0000\nline 0001\n");
}

#[test]
fn a_file_that_somebody_moved_is_begun_anew_when_asked() {
    let mut stage = Stage::new(Rotation::default());
    stage.write();
    fs::rename(stage.path(), stage.in_logs("moved")).unwrap();
    stage.write();
    assert_eq!(stage.read("moved"), "line 0000\nline 0001\n");
    stage.sink.reopen().unwrap();
    stage.write();
    assert_eq!(stage.read("out.json"), "line 0002\n");
}

#[test]
fn a_full_file_that_somebody_moved_is_begun_anew() {
    let mut stage = Stage::new(SIZE);
    stage.write();
    stage.write();
    fs::remove_file(stage.path()).unwrap();
    stage.write();
    assert_eq!(stage.read("out.json"), "line 0002\n");
}

#[test]
fn lines_are_written_even_if_the_file_cannot_be_put_aside() {
    let mut stage = Stage::new(SIZE);
    stage.write();
    stage.write();
    fs::rename(stage.in_logs(""), stage.folder.path().join("moved")).unwrap();
    let error = stage.sink.write(b"line 0002\n").unwrap_err();
    assert!(error.to_string().contains("lost 0 lines"), "{error}");
    let moved = fs::read_to_string(stage.folder.path().join("moved/out.json")).unwrap();
    assert_eq!(moved, "line 0000\nline 0001\nline 0002\n");
}

#[test]
fn times_are_in_file_names_as_they_are_on_the_wall() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_359_845);
    let name = aside::free_name(Path::new("/nonexistent/out"), now).unwrap();
    assert_eq!(name, Path::new("/nonexistent/out.20261122T150405Z"));
}
