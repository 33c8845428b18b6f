//! What becomes of it when something goes wrong.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::world::*;
use crate::history::{HistoryError, Pace, Reader, store};

#[test]
fn a_damaged_one_is_put_aside() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    store
        .write(&(0..500).map(past).collect::<Vec<_>>(), NOON)
        .unwrap();
    drop(store);
    let whole = fs::read(folder.path()).unwrap();
    let filled = |range: std::ops::Range<usize>, with| {
        let mut bytes = whole.clone();
        bytes[range].fill(with);
        bytes
    };
    for bytes in [
        filled(16..2016, 0xa5),
        filled(0..4096, 0),
        whole[..3000].to_vec(),
    ] {
        fs::write(folder.path(), &bytes).unwrap();
        let (mut store, aside) = store::Store::open(&folder.path(), ROOMY, "boot").unwrap();
        let aside = aside.expect("it is put aside");
        assert_eq!(fs::read(aside).unwrap(), bytes);
        store.write(&[past(1)], NOON).unwrap();
        assert_eq!(folder.read(), [past(1)]);
    }
}

/// Damage that shows only when a page is needed.
#[test]
fn one_that_is_damaged_later_is_put_aside_too_and_the_agent_is_told() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    store
        .write(&(0..2000).map(past).collect::<Vec<_>>(), NOON)
        .unwrap();
    drop(store);
    let mut bytes = fs::read(folder.path()).unwrap();
    bytes
        .iter_mut()
        .skip(8 * 4096)
        .for_each(|byte| *byte = 0xa5);
    fs::write(folder.path(), &bytes).unwrap();
    let (told, writer) = writer(&folder.path(), Pace::PlayedBack);
    let writer = writer.unwrap();
    for n in 0..2000 {
        writer.keep(over(n, NOON));
    }
    writer.finish();
    let told = told.lock().unwrap().join("\n");
    assert!(told.contains("history.db.corrupt"), "{told}");
    // Nothing came after the damage was seen: the new one is made by whoever opens it next.
    drop(folder.store("boot"));
    assert!(folder.0.path().join("history.db.corrupt").exists());
}

#[test]
fn what_cannot_be_a_history_is_left_alone() {
    let folder = Folder::new();
    let reason = |path: &Path| writer(path, Pace::PlayedBack).1.unwrap_err().to_string();
    fs::write(folder.path(), "root:x:0:0:root:/root:/bin/bash\n").unwrap();
    assert!(reason(&folder.path()).contains("something else"));
    assert!(
        fs::read_to_string(folder.path())
            .unwrap()
            .starts_with("root")
    );
    fs::remove_file(folder.0.path().join("history.db.lock")).unwrap();

    let other = folder.0.path().join("other.db");
    let db = rusqlite::Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)")
        .unwrap();
    drop(db);
    assert!(reason(&other).contains("something else"));
    let error = Reader::open(&other).unwrap_err().to_string();
    assert!(error.contains("something else"), "{error}");

    let newer = folder.0.path().join("newer.db");
    drop(store::Store::open(&newer, ROOMY, "boot").unwrap());
    let db = rusqlite::Connection::open(&newer).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    assert!(reason(&newer).contains("newer socktrace"));
    assert!(
        Reader::open(&newer)
            .unwrap_err()
            .to_string()
            .contains("newer")
    );

    let nowhere = Path::new("/no/such/folder/history.db");
    assert!(reason(nowhere).contains("/no/such/folder"));
    assert!(
        Reader::open(nowhere)
            .unwrap_err()
            .to_string()
            .contains("run --history")
    );
    assert!(reason(Path::new("/proc/history.db")).contains("cannot open"));
}

#[test]
fn there_is_one_writer() {
    let folder = Folder::new();
    let store = folder.store("boot");
    let error = writer(&folder.path(), Pace::PlayedBack).1.unwrap_err();
    assert!(matches!(error, HistoryError::Busy { .. }), "{error}");
    drop(store);
    assert!(writer(&folder.path(), Pace::PlayedBack).1.is_ok());
}

/// Whoever keeps is not held up by a database that is locked, and what is lost is told.
#[test]
fn a_locked_database_holds_nobody_up() {
    let folder = Folder::new();
    let (told, writer) = writer(&folder.path(), Pace::Live(Duration::from_hours(1)));
    let writer = writer.unwrap();
    let other = rusqlite::Connection::open(folder.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for n in 0..20_000 {
        writer.keep(past(n));
    }
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    writer.finish();
    let kept = folder.read().len() as u64;
    let losses = Reader::open(&folder.path()).unwrap().losses().unwrap();
    assert_eq!(
        kept + losses.unwritten,
        20_000,
        "{:?}",
        told.lock().unwrap()
    );
    assert!(losses.unwritten > 0);
    let told = told.lock().unwrap().join("\n");
    assert!(told.contains("changes were lost"), "{told}");
}
