//! What is kept, and for how long.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::world::*;
use crate::history::{Limits, Reader, room, store};
use crate::model::{ENDED_UNSEEN, Past, PastLosses, WallMicros};

#[test]
fn what_is_kept_is_read_as_it_was_also_while_it_is_written() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    let bare = Past {
        process: None,
        thread: None,
        via: None,
        fd: None,
        diagnosis: None,
        holders: Vec::new(),
        ..past(2)
    };
    store.write(&[past(1), bare.clone()], NOON).unwrap();
    assert_eq!(folder.read(), [past(1), bare.clone()]);
    store.write(&[over(1, NOON + 90 * SECOND)], NOON).unwrap();
    let after = folder.read();
    assert_eq!(after, [over(1, NOON + 90 * SECOND), bare]);
    drop(store);
    assert_eq!(folder.read(), after);
    let mode = |name| {
        let path = folder.0.path().join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        (mode("history.db"), mode("history.db.lock")),
        (0o640, 0o640)
    );
}

#[test]
fn a_later_line_keeps_what_it_does_not_know_any_more() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    store.write(&[past(1)], NOON).unwrap();
    let mut later = over(1, NOON + 90 * SECOND);
    later.process = None;
    later.thread = None;
    later.fd = None;
    // An agent that was started anew does not know since when.
    later.started = NOON + 30 * SECOND;
    later.since_seen = false;
    store.write(&[later], NOON).unwrap();
    let [read] = &folder.read()[..] else { panic!() };
    assert_eq!(read, &over(1, NOON + 90 * SECOND));
}

#[test]
fn a_range_has_what_was_open_in_it() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    let mut late = past(3);
    late.started = NOON + 500 * SECOND;
    store
        .write(&[past(1), over(2, NOON + 90 * SECOND), late], NOON)
        .unwrap();
    let ids = |since, until| -> Vec<u8> {
        let read = read(&folder.path(), NOON + since * SECOND, NOON + until * SECOND);
        read.iter().map(|past| past.id[0]).collect()
    };
    assert_eq!(ids(0, 1000), [1, 2, 3]);
    assert_eq!(ids(90, 499), [1, 2]);
    assert_eq!(ids(91, 499), [1]);
    assert_eq!(ids(-10, -1), [0; 0]);
}

#[test]
fn a_finding_is_found_again_under_its_name_or_has_ended_unseen() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    store
        .write(&[past(1), past(2)], NOON + 70 * SECOND)
        .unwrap();
    drop(store);
    let mut store = folder.store("boot");
    // Nothing has ended before there was time to find it again.
    assert!(folder.read().iter().all(|past| past.end.is_none()));
    let again = Past {
        updated: NOON + 200 * SECOND,
        ..past(1)
    };
    store.write(&[again], NOON + 200 * SECOND).unwrap();
    assert_eq!(store.end_unseen().unwrap(), 1);
    let [first, second] = &folder.read()[..] else {
        panic!()
    };
    assert_eq!((first.end.as_ref(), first.told), (None, past(1).told));
    let end = second.end.as_ref().unwrap();
    // When the agent before was last heard of.
    assert_eq!((&*end.cause, end.at), (ENDED_UNSEEN, NOON + 70 * SECOND));
    assert_eq!(second.phase, "resolved");
    // It was there nevertheless: with a filter that did not match, say.
    store.write(&[past(2)], NOON + 300 * SECOND).unwrap();
    assert_eq!(folder.read()[1].end, None);
}

#[test]
fn after_another_boot_nothing_is_open() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    store.write(&[past(1)], NOON + 70 * SECOND).unwrap();
    drop(store);
    let _store = folder.store("another boot");
    let [read] = &folder.read()[..] else { panic!() };
    assert_eq!(read.end.as_ref().unwrap().cause, ENDED_UNSEEN);
}

#[test]
fn minutes_count_what_comes_stays_and_goes() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    store.write(&[past(1), past(2)], NOON).unwrap();
    // The same told again is no other one.
    store.write(&[past(1)], NOON).unwrap();
    store.count(NOON + MINUTE).unwrap();
    store
        .write(&[over(1, NOON + 2 * MINUTE + SECOND)], NOON)
        .unwrap();
    store
        .write(&[over(1, NOON + 2 * MINUTE + SECOND)], NOON)
        .unwrap();
    store.count(NOON + 2 * MINUTE).unwrap();
    let counts: Vec<_> = minutes(&folder.path())
        .iter()
        .map(|minute| {
            assert_eq!(minute.process, Some((12, b"orders".to_vec())));
            let from = (minute.begin - NOON) / MINUTE;
            (from, minute.open, minute.opened, minute.resolved)
        })
        .collect();
    assert_eq!(counts, [(1, 2, 2, 0), (2, 1, 0, 1)]);
}

#[test]
fn what_is_too_old_goes_and_is_counted() {
    let folder = Folder::new();
    let mut store = folder.store("boot");
    let age = WallMicros::try_from(ROOMY.age.as_micros()).unwrap();
    store
        .write(
            &[over(1, NOON + SECOND), over(2, NOON + MINUTE), past(3)],
            NOON,
        )
        .unwrap();
    store.count(NOON + age + 2 * SECOND).unwrap();
    let left: Vec<_> = folder.read().iter().map(|past| past.id[0]).collect();
    assert_eq!(left, [2, 3]);
    let expired = PastLosses {
        expired: 1,
        ..PastLosses::default()
    };
    assert_eq!(
        Reader::open(&folder.path()).unwrap().losses().unwrap(),
        expired
    );
}

/// The oldest resolved go first, then counts, and open findings only when there is nothing else.
#[test]
fn it_grows_to_its_limit_and_no_further() {
    let folder = Folder::new();
    let limits = Limits {
        size: 2 << 20,
        age: ROOMY.age,
    };
    let (mut store, _) = store::Store::open(&folder.path(), limits, "boot").unwrap();
    let open: Vec<_> = (0..500).map(past).collect();
    store.write(&open, NOON).unwrap();
    let mut written = 500;
    for round in 0..12_u32 {
        let ended = NOON + WallMicros::from(round) * MINUTE;
        let batch: Vec<_> = (0..1000)
            .map(|n| over(1000 + round * 1000 + n, ended))
            .collect();
        store.write(&batch, ended).unwrap();
        store.count(ended).unwrap();
        written += 1000;
        let used = room::used(store.database()).unwrap();
        assert!(used <= limits.size, "{used}");
    }
    drop(store);
    let size = fs::metadata(folder.path()).unwrap().len();
    assert!(size <= limits.size, "{size}");
    let left = folder.read();
    let losses = Reader::open(&folder.path()).unwrap().losses().unwrap();
    assert_eq!(left.len() as u64 + losses.displaced, written);
    assert_eq!(left.iter().filter(|past| past.end.is_none()).count(), 500);
    let oldest = left
        .iter()
        .filter_map(|past| past.end.as_ref())
        .map(|end| end.at)
        .min();
    assert!(oldest > Some(NOON + 4 * MINUTE), "the newest are left");

    // And where all are open.
    let (mut store, _) = store::Store::open(&folder.path(), limits, "boot").unwrap();
    let open: Vec<_> = (100_000..108_000).map(past).collect();
    store.write(&open, NOON).unwrap();
    assert!(room::used(store.database()).unwrap() <= limits.size);
    assert!(folder.read().len() > 1000);
}

/// More at once than is kept free for it.
#[test]
fn long_command_lines_find_room() {
    let folder = Folder::new();
    let limits = Limits {
        size: 4 << 20,
        age: ROOMY.age,
    };
    let (mut store, _) = store::Store::open(&folder.path(), limits, "boot").unwrap();
    let batch: Vec<_> = (0..2000)
        .map(|n| {
            let mut past = over(n, NOON);
            let process = past.process.as_mut().unwrap();
            process.entity[..4].copy_from_slice(&n.to_le_bytes());
            process.command_line = Some(vec![b'x'; 4096]);
            past
        })
        .collect();
    store.write(&batch, NOON).unwrap();
    let losses = store::losses(store.database()).unwrap();
    assert!(losses.displaced > 0);
    assert_eq!(folder.read().len() as u64 + losses.displaced, 2000);
}
