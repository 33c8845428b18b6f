//! What was found outlives the program that found it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use socktrace_tests::child::Running;
use socktrace_tests::json::text;
use socktrace_tests::program::socktrace;
use tempfile::TempDir;

use crate::privilege::{as_nobody, copy_for_everybody};
use crate::{AT_ONCE, check_failure, outcome, run, stored};

const RECORDINGS: [&str; 4] = [
    "close_wait.strec",
    "closed_held.strec",
    "progress.strec",
    "unaccepted.strec",
];

/// A history of all recordings, and the lines that told of their findings.
struct Kept {
    folder: TempDir,
    told: Vec<Value>,
}

impl Kept {
    fn new() -> Self {
        let kept = Self {
            folder: tempfile::tempdir().expect("a folder"),
            told: Vec::new(),
        };
        let told = RECORDINGS.iter().flat_map(|recording| {
            let recording = stored(recording);
            let outcome = run(&[
                "replay",
                "--history",
                &kept.file(),
                recording.to_str().expect("a name"),
            ]);
            outcome.check_code(0);
            assert_eq!(outcome.stderr, "");
            findings(&outcome.stdout)
        });
        Self {
            told: told.collect(),
            ..kept
        }
    }

    fn file(&self) -> String {
        let file = self.folder.path().join("history.db");
        file.to_str().expect("a name").to_owned()
    }

    #[track_caller]
    fn ask(&self, more: &[&str]) -> String {
        let file = self.file();
        let args = ["history", "--history", &file, "--since", "1970-01-01"];
        let outcome = run(&[&args[..], more].concat());
        outcome.check_code(0);
        assert_eq!(outcome.stderr, "");
        outcome.stdout
    }
}

/// The lines of findings.
fn findings(lines: &str) -> Vec<Value> {
    let values = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    values
        .filter(|line| line["socktrace"]["leak"]["id"].is_string())
        .collect()
}

/// Each finding is there once, as its last line told it.
#[test]
fn every_finding_is_kept_as_it_was_last_told() {
    let kept = Kept::new();
    let past = findings(&kept.ask(&["--format", "json"]));
    assert!(!past.is_empty());
    for finding in &past {
        let id = text(finding, "socktrace.leak.id");
        let last = kept.told.iter().rev();
        let last = last
            .clone()
            .find(|told| text(told, "socktrace.leak.id") == id)
            .expect("it was told");
        for same in [
            "/@timestamp",
            "/event/start",
            "/process/pid",
            "/socktrace/leak/kind",
            "/socktrace/leak/phase",
            "/socktrace/leak/cause",
            "/socktrace/leak/closed_by",
            "/socktrace/local",
            "/socktrace/peer",
        ] {
            assert_eq!(finding.pointer(same), last.pointer(same), "{same}");
        }
    }
    let ids = |lines: &[Value]| {
        let mut ids: Vec<_> = lines
            .iter()
            .map(|line| text(line, "socktrace.leak.id").to_owned())
            .collect();
        ids.sort_unstable();
        ids
    };
    let mut told = ids(&kept.told);
    told.dedup();
    assert_eq!(ids(&past), told);
}

#[test]
fn the_past_can_be_filtered_and_counted() {
    let kept = Kept::new();
    let all = findings(&kept.ask(&[])).len();
    for (filter, none) in [
        (["--kind", "close_wait"], false),
        (["--pid", "812"], false),
        (["--port", "8080"], false),
        (["--family", "6"], true),
        (["--comm", "nobody"], true),
        (["--until", "1971-01-01"], true),
    ] {
        let found = findings(&kept.ask(&filter)).len();
        assert!(found <= all && (found == 0) == none, "{filter:?}: {found}");
    }
    let by_kind = kept.ask(&["--by", "kind", "--format", "csv"]);
    let counts = by_kind.lines().skip(1).map(|line| {
        let count = line.split(',').nth(1).expect("a count");
        count.parse::<usize>().expect("a number")
    });
    assert_eq!(counts.sum::<usize>(), all, "{by_kind}");
    assert!(
        by_kind.starts_with("kind,count,open,first,last\r\n"),
        "{by_kind}"
    );
    let minutes = kept.ask(&["--by", "minute", "--format", "text"]);
    assert!(minutes.starts_with("MINUTE "), "{minutes}");
    assert!(minutes.ends_with(&format!("{all} findings\n")), "{minutes}");
}

#[test]
fn the_same_again_changes_nothing() {
    let kept = Kept::new();
    let before = kept.ask(&["--format", "csv"]);
    let recording = stored(RECORDINGS[0]);
    let recording = recording.to_str().expect("a name");
    run(&["replay", "--history", &kept.file(), recording]).check_code(0);
    assert_eq!(kept.ask(&["--format", "csv"]), before);
}

#[test]
fn what_is_no_history_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.db");
    let name = |path: &Path| path.to_str().expect("a name").to_owned();
    check_failure(
        &["history", "--history", &name(&missing)],
        1,
        &["missing.db", "run --history"],
    );
    assert!(!missing.exists());
    let other = folder.path().join("other");
    fs::write(&other, "precious\n").expect("a file");
    let recording = stored(RECORDINGS[0]);
    for args in [
        &["history", "--history", &name(&other)][..],
        &["replay", &name(&recording), "--history", &name(&other)],
    ] {
        check_failure(args, 1, &["something else"]);
        assert_eq!(fs::read_to_string(&other).expect("the file"), "precious\n");
    }
    for wrong in [
        &["history", "--since", "yesterday"][..],
        &["history", "--by", "minute", "--port", "80"],
        &["run", "--history", "a", "--history-size", "1KiB"],
    ] {
        check_failure(wrong, 2, &[]);
    }
}

/// By somebody who may read it and nothing else, where no agent is at work.
#[test]
fn it_is_read_where_nothing_may_be_written() {
    let kept = Kept::new();
    let all = kept.ask(&["--format", "csv"]);
    let folder = tempfile::tempdir().expect("a folder");
    let program = copy_for_everybody(folder.path());
    let copy = folder.path().join("history.db");
    fs::copy(kept.file(), &copy).expect("a copy");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o444)).expect("permissions");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).expect("permissions");
    let copy = copy.to_str().expect("a name");
    let args = ["history", "--history", copy, "--since", "1970-01-01"];
    let args = [&args[..], &["--format", "csv"]].concat();
    let outcome = outcome(&mut as_nobody(&program, &args));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    outcome.check_code(0);
    assert_eq!(outcome.stdout, all);
    let files = fs::read_dir(folder.path()).expect("the folder");
    assert_eq!(files.count(), 2, "the program and the copy");
}

#[test]
fn a_reader_that_has_seen_enough_is_a_quiet_end() {
    let kept = Kept::new();
    let file = kept.file();
    let args = ["history", "--history", &file, "--since", "1970-01-01"];
    let mut child = Running::spawn(&mut socktrace(&args)).expect("socktrace");
    drop(child.take_stdout());
    let status = child.wait(AT_ONCE).expect("it ends");
    assert_eq!((status.code(), child.stderr().as_str()), (Some(0), ""));
}
