//! Findings to keep, and where.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::super::store::Store;
use super::super::{HistoryError, Limits, Pace, Reader, Writer};
use crate::model::{
    Comm, Kind, Past, PastEnd, PastMinute, PastProcess, PastSocket, TcpState, WallMicros, Word,
};

pub(super) const SECOND: WallMicros = 1_000_000;
pub(super) const MINUTE: WallMicros = 60 * SECOND;
/// 2026-11-22T15:04:00Z
pub(super) const NOON: WallMicros = 1_795_359_840 * SECOND;
pub(super) const ALL: WallMicros = WallMicros::MAX;
pub(super) const ROOMY: Limits = Limits {
    size: 64 << 20,
    age: Duration::from_hours(24 * 30),
};

pub(super) fn process(pid: u32) -> PastProcess {
    PastProcess {
        entity: [u8::try_from(pid % 256).unwrap(); 16],
        pid,
        started: NOON - 1000 * SECOND,
        name: b"orders".to_vec(),
        executable: Some(b"/srv/orders".to_vec()),
        command_line: Some(b"/srv/orders --config /etc/orders.toml".to_vec()),
        uid: Some(1000),
        parent: Some(1),
        cgroup: Some(b"/system.slice/orders.service".to_vec()),
        unit: Some(b"orders.service".to_vec()),
        container: Some("c0ffee00".repeat(8)),
        runtime: Some(Word::Borrowed("docker")),
        pod: None,
    }
}

/// An open finding of process 12.
pub(super) fn past(n: u32) -> Past {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.to_le_bytes());
    Past {
        id,
        phase: Word::Borrowed("open"),
        kind: Kind::CloseWait,
        diagnosis: Some(Word::Borrowed("eof_unread")),
        started: NOON,
        since_seen: true,
        told: NOON + 60 * SECOND,
        updated: NOON + 60 * SECOND,
        end: None,
        episode: 0,
        process: Some(process(12)),
        thread: Some((815, Some(b"worker\xff".to_vec()))),
        via: Some(Word::Borrowed("last_io")),
        fd: Some(37),
        socket: PastSocket {
            cookie: u64::MAX - u64::from(n),
            inode: Some(90_210),
            netns: 4_026_531_840,
            netns_name: Some(b"blue".to_vec()),
            state: TcpState::CloseWait,
            role: Word::Borrowed("accepted"),
            local: "10.0.0.5:8080".parse().unwrap(),
            peer: "[2001:db8::9]:52114".parse().unwrap(),
            rx_queue: 1,
            tx_queue: 0,
        },
        holders: vec![(12, 37, Comm::from_bytes(b"exactly16bytes!!")); 2],
        holders_total: 2,
    }
}

/// The same, over.
pub(super) fn over(n: u32, at: WallMicros) -> Past {
    Past {
        phase: Word::Borrowed("resolved"),
        updated: at,
        end: Some(PastEnd {
            at,
            cause: Word::Borrowed("closed"),
            by: Some((12, 815, Comm::from_bytes(b"worker"))),
        }),
        ..past(n)
    }
}

pub(super) struct Folder(pub(super) TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("history.db")
    }

    pub(super) fn store(&self, boot: &str) -> Store {
        let (store, aside) = Store::open(&self.path(), ROOMY, boot).unwrap();
        assert_eq!(aside, None);
        store
    }

    pub(super) fn read(&self) -> Vec<Past> {
        read(&self.path(), 0, ALL)
    }
}

pub(super) fn read(path: &Path, since: WallMicros, until: WallMicros) -> Vec<Past> {
    let mut all = Vec::new();
    let reader = Reader::open(path).unwrap();
    reader
        .findings(since, until, |past| all.push(past))
        .unwrap();
    all
}

pub(super) fn minutes(path: &Path) -> Vec<PastMinute> {
    let mut all = Vec::new();
    let reader = Reader::open(path).unwrap();
    reader.minutes(0, ALL, |minute| all.push(minute)).unwrap();
    all
}

pub(super) fn writer(
    path: &Path,
    pace: Pace,
) -> (Arc<Mutex<Vec<String>>>, Result<Writer, HistoryError>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&told);
    let tell = move |line: &str| lines.lock().unwrap().push(line.to_owned());
    (told, Writer::start(path, ROOMY, "boot", pace, tell))
}
