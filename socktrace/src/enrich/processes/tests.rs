//! Facts from fake folders, and from the real one.

use super::*;
use crate::enrich::fake::{FakeProc, at_ticks};
use crate::model::Place;

fn name_of(process: Option<Process>) -> Option<Vec<u8>> {
    process.map(|p| p.name)
}

#[test]
fn all_facts_of_a_process() {
    let fake = FakeProc::new();
    fake.process(812, b"orders", 500);
    fake.write("812/cmdline", b"/srv/orders\0--port\08080\0");
    fake.write(
        "812/status",
        b"Name:\torders\nUid:\t1000\t1001\t1000\t1000\n",
    );
    fake.write("812/cgroup", b"0::/system.slice/orders.service\n");
    fake.link("812/exe", b"/srv/orders (deleted)");
    let started = BootTime(5_001_234_567);
    let facts = Processes::new(fake.proc(), 8).facts(Tgid(812), started);
    assert_eq!(
        facts,
        Some(Process {
            tgid: Tgid(812),
            started,
            name: b"orders".to_vec(),
            executable: Some(b"/srv/orders (deleted)".to_vec()),
            command_line: Some(b"/srv/orders --port 8080".to_vec()),
            uid: Some(1000),
            parent: Some(Tgid(1)),
            cgroup: Some(b"/system.slice/orders.service".to_vec()),
            place: Place {
                unit: Some(b"orders.service".to_vec()),
                ..Place::default()
            },
        })
    );
}

#[test]
fn names_are_kept_byte_for_byte() {
    for name in [
        &b"a b"[..],
        b"",
        b"(sd-pam)",
        b"x) R 1 (",
        b"a\nb",
        b"a\n",
        b"\n",
        b"\xff\xfe",
        b"\x1b[31m\"\\",
        b"\xe2\x80",
    ] {
        let fake = FakeProc::new();
        fake.process(7, name, 100);
        let got = Processes::new(fake.proc(), 8).facts(Tgid(7), at_ticks(100));
        assert_eq!(name_of(got).as_deref(), Some(name));
    }
}

#[test]
fn what_is_missing_is_left_out() {
    for file in ["exe", "cmdline", "status", "cgroup"] {
        let fake = FakeProc::new();
        fake.process(7, b"x", 100);
        let whole = Processes::new(fake.proc(), 8)
            .facts(Tgid(7), at_ticks(100))
            .unwrap();
        fake.remove(&format!("7/{file}"));
        let got = Processes::new(fake.proc(), 8)
            .facts(Tgid(7), at_ticks(100))
            .unwrap();
        let mut expect = whole.clone();
        match file {
            "exe" => expect.executable = None,
            "cmdline" => expect.command_line = None,
            "status" => expect.uid = None,
            _ => expect.cgroup = None,
        }
        assert_ne!(expect, whole, "{file} was there");
        assert_eq!(got, expect, "{file}");
    }
}

#[test]
fn nothing_is_known_of_a_process_that_is_gone() {
    let fake = FakeProc::new();
    let mut processes = Processes::new(fake.proc(), 8);
    assert_eq!(processes.facts(Tgid(7), at_ticks(100)), None);
    for file in ["stat", "comm"] {
        fake.process(7, b"x", 100);
        fake.remove(&format!("7/{file}"));
        assert_eq!(
            processes.facts(Tgid(7), at_ticks(100)),
            None,
            "without {file}"
        );
    }
    fake.process(7, b"x", 100);
    assert!(
        processes.facts(Tgid(7), at_ticks(100)).is_some(),
        "an absence is not cached"
    );
}

#[test]
fn a_garbled_stat_is_no_process() {
    let fake = FakeProc::new();
    fake.process(7, b"x", 100);
    for stat in [&b""[..], b"7 (x", b"7 (x) S", b"\xff\xff\xff"] {
        fake.write("7/stat", stat);
        assert_eq!(
            Processes::new(fake.proc(), 8).facts(Tgid(7), at_ticks(100)),
            None
        );
    }
}

#[test]
fn another_start_is_another_process() {
    let fake = FakeProc::new();
    fake.process(7, b"x", 100);
    for (ns, found) in [
        (1_000_000_000, true),
        (1_009_999_999, true),
        (1_012_345_678, true),
        (990_000_000, true),
        (1_020_000_000, false),
        (980_000_000, false),
        (0, false),
        (u64::MAX, false),
    ] {
        let got = Processes::new(fake.proc(), 8).facts(Tgid(7), BootTime(ns));
        assert_eq!(
            got.map(|p| p.started),
            found.then_some(BootTime(ns)),
            "{ns}"
        );
    }
}

#[test]
fn a_reused_pid_gives_new_facts_and_the_old_are_kept_apart() {
    let fake = FakeProc::new();
    let mut processes = Processes::new(fake.proc(), 8);
    fake.process(7, b"old", 100);
    assert_eq!(
        name_of(processes.facts(Tgid(7), at_ticks(100))).as_deref(),
        Some(&b"old"[..])
    );
    fake.process(7, b"new", 900);
    assert_eq!(
        name_of(processes.facts(Tgid(7), at_ticks(900))).as_deref(),
        Some(&b"new"[..])
    );
    assert_eq!(
        name_of(processes.facts(Tgid(7), at_ticks(100))).as_deref(),
        Some(&b"old"[..])
    );
    assert_eq!(processes.facts(Tgid(7), at_ticks(500)), None);
}

#[test]
fn cached_facts_need_no_file() {
    let fake = FakeProc::new();
    let mut processes = Processes::new(fake.proc(), 8);
    fake.process(7, b"x", 100);
    let first = processes.facts(Tgid(7), at_ticks(100));
    fake.remove_process(7);
    assert!(first.is_some());
    assert_eq!(processes.facts(Tgid(7), at_ticks(100)), first);
    assert_eq!(
        processes.facts_named(Tgid(7), at_ticks(100), Comm::from_bytes(b"x")),
        first
    );
    let renamed = processes.facts_named(Tgid(7), at_ticks(100), Comm::from_bytes(b"y"));
    assert_eq!(
        renamed, first,
        "the last that was known of a process that is gone"
    );
}

#[test]
fn another_name_is_read_again() {
    let fake = FakeProc::new();
    let mut processes = Processes::new(fake.proc(), 8);
    fake.process(7, b"sh", 100);
    let named = |processes: &mut Processes, name: &[u8]| {
        let facts = processes.facts_named(Tgid(7), at_ticks(100), Comm::from_bytes(name));
        facts.unwrap().command_line.unwrap()
    };
    fake.write("7/cmdline", b"sh\0-c\0orders\0");
    assert_eq!(named(&mut processes, b"sh"), b"sh -c orders");
    fake.write("7/comm", b"orders\n");
    fake.write("7/cmdline", b"orders\0");
    assert_eq!(named(&mut processes, b"sh"), b"sh -c orders", "cached");
    assert_eq!(named(&mut processes, b"orders"), b"orders");
    fake.remove_process(7);
    assert_eq!(named(&mut processes, b"orders"), b"orders", "cached anew");
}

#[test]
fn no_more_than_the_capacity_is_kept() {
    let fake = FakeProc::new();
    let mut processes = Processes::new(fake.proc(), 4);
    for pid in 1..=20 {
        fake.process(pid, b"x", 100);
        assert!(processes.facts(Tgid(pid), at_ticks(100)).is_some());
    }
    for pid in 1..=20 {
        fake.remove_process(pid);
    }
    let mut known = |pid| processes.facts(Tgid(pid), at_ticks(100)).is_some();
    assert!(known(20) && known(19), "the latest are kept");
    assert!((1..=16).all(|pid| !known(pid)), "the first are forgotten");
}

#[test]
fn long_files_are_cut() {
    let fake = FakeProc::new();
    fake.process(7, b"x", 100);
    fake.write("7/cmdline", &b"y".repeat(1 << 20));
    let hierarchies: Vec<u8> = (1..=14u8)
        .rev()
        .flat_map(|n| [format!("{n}:c{n}:/").as_bytes(), &b"p".repeat(4000), b"\n"].concat())
        .collect();
    fake.write("7/cgroup", &[&hierarchies[..], b"0::/unified\n"].concat());
    let groups = format!("Uid:\t5\t5\t5\t5\nGroups:\t{}\n", "65535 ".repeat(65536));
    fake.write("7/status", groups.as_bytes());
    let facts = Processes::new(fake.proc(), 8)
        .facts(Tgid(7), at_ticks(100))
        .unwrap();
    assert_eq!(facts.command_line, Some(b"y".repeat(4096)));
    assert_eq!(facts.cgroup.as_deref(), Some(&b"/unified"[..]));
    assert_eq!(facts.uid, Some(5));
}

#[test]
fn kernel_threads_have_neither_executable_nor_command_line() {
    let fake = FakeProc::new();
    fake.process(2, b"kworker/0:1-events_power_efficient", 0);
    fake.remove("2/exe");
    fake.write("2/cmdline", b"");
    let facts = Processes::new(fake.proc(), 8)
        .facts(Tgid(2), BootTime(7_000_000))
        .unwrap();
    assert_eq!(facts.name, b"kworker/0:1-events_power_efficient");
    assert_eq!((facts.executable, facts.command_line), (None, None));
}

#[test]
fn zombies_have_a_name_a_parent_and_a_user() {
    let fake = FakeProc::new();
    fake.process(7, b"defunct", 100);
    fake.stat(7, 7, b"defunct", b'Z', 100);
    fake.remove("7/exe");
    fake.write("7/cmdline", b"");
    let facts = Processes::new(fake.proc(), 8)
        .facts(Tgid(7), at_ticks(100))
        .unwrap();
    assert_eq!(facts.name, b"defunct");
    assert_eq!((facts.parent, facts.uid), (Some(Tgid(1)), Some(0)));
    assert_eq!((facts.executable, facts.command_line), (None, None));
}

#[test]
fn a_thread_shows_what_an_ended_leader_no_longer_does() {
    let fake = FakeProc::new();
    fake.process(7, b"orders", 100);
    fake.stat(7, 7, b"orders", b'Z', 100);
    fake.remove("7/exe");
    fake.write("7/cmdline", b"");
    fake.thread(7, 8, b"ended", b'Z');
    fake.thread(7, 9, b"survivor", b'S');
    fake.link("7/task/9/exe", b"/srv/orders");
    fake.write("7/task/9/cmdline", b"/srv/orders\0");
    let facts = Processes::new(fake.proc(), 8)
        .facts(Tgid(7), at_ticks(100))
        .unwrap();
    assert_eq!(facts.name, b"orders");
    assert_eq!(facts.executable.as_deref(), Some(&b"/srv/orders"[..]));
    assert_eq!(facts.command_line.as_deref(), Some(&b"/srv/orders"[..]));
}

#[track_caller]
fn check_thread(fake: &FakeProc, started: u64, tid: u32, expect: Option<&[u8]>) {
    let processes = Processes::new(fake.proc(), 8);
    let thread = processes.thread(Tgid(7), at_ticks(started), Tid(tid));
    assert_eq!((thread.tid, thread.name.as_deref()), (Tid(tid), expect));
}

#[test]
fn threads_have_names_of_their_own() {
    let fake = FakeProc::new();
    fake.process(7, b"orders", 100);
    fake.thread(7, 8, b"worker-2", b'S');
    fake.thread(7, 9, b"a\n\xff", b'S');
    fake.process(10, b"other", 100);
    check_thread(&fake, 100, 8, Some(b"worker-2"));
    check_thread(&fake, 100, 9, Some(b"a\n\xff"));
    check_thread(&fake, 100, 10, None);
    check_thread(&fake, 200, 8, None);
    fake.remove_process(7);
    check_thread(&fake, 100, 8, None);
}

#[track_caller]
fn check_user(fake: &FakeProc, tid: u32, at: Option<u64>, expect: Option<&[u8]>) {
    let used = SocketUse {
        at: at.map(at_ticks),
        tgid: Tgid(7),
        tid: Tid(tid),
        op: crate::model::UseOp::Recv,
    };
    let name = Processes::new(fake.proc(), 8).user(&used);
    assert_eq!(name.as_deref(), expect);
}

/// A thread, or a process, that started after the use has nothing but the number.
#[test]
fn a_user_is_named_only_if_it_was_there_then() {
    let fake = FakeProc::new();
    fake.process(7, b"orders", 100);
    fake.stat(7, 8, b"worker-2", b'S', 300);
    fake.write("7/task/8/comm", b"worker-2\n");
    check_user(&fake, 8, Some(400), Some(b"worker-2"));
    check_user(&fake, 8, Some(300), Some(b"worker-2"));
    check_user(&fake, 8, Some(200), None);
    check_user(&fake, 8, None, None);
    check_user(&fake, 9, Some(400), None);
    fake.process(7, b"another", 500);
    fake.thread(7, 8, b"another's", b'S');
    check_user(&fake, 8, Some(400), None);
}

#[test]
fn this_very_process_is_found_in_the_real_proc() {
    let proc = ProcFs::new("/proc");
    let own = std::process::id();
    let stat = parse::stat(&proc.read(format!("{own}/stat"), STAT).unwrap()).unwrap();
    let started = BootTime(stat.start_ticks * 1_000_000_000 / proc.ticks_per_second());
    let facts = Processes::new(proc, 8).facts(Tgid(own), started).unwrap();
    let exe = std::env::current_exe().unwrap();
    assert_eq!(
        facts.executable.as_deref(),
        Some(exe.as_os_str().as_encoded_bytes())
    );
    assert_eq!(
        facts.parent,
        Some(Tgid(std::os::unix::process::parent_id()))
    );
    assert!(facts.command_line.is_some() && facts.uid.is_some() && facts.cgroup.is_some());
}
