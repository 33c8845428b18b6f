//! Right command lines and what they mean.

use crate::source::hooks::{HookOverrides, IoHook, StateHook};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::super::*;
use super::*;
use crate::model::{Comm, Family, Kind, TcpState, Tgid};
use crate::schema::{Format, Selection};
use crate::sink::Target;

fn run(line: &str) -> RunSettings {
    match settings(line) {
        Settings::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

/// The outputs of a run, on a terminal and without colours as told.
fn outputs(line: &str, terminal: bool, no_color: bool) -> Vec<Output> {
    let surroundings = Environment {
        stdout_is_terminal: terminal,
        no_color,
        ..environment()
    };
    match parse(words(line), &surroundings).unwrap() {
        Settings::Run(run) => run.outputs,
        Settings::Doctor(doctor) => doctor.outputs,
        other => panic!("{other:?}"),
    }
}

fn output(format: Format, colour: bool, targets: &[&str]) -> Output {
    let targets = targets
        .iter()
        .map(|spec| Target::parse(spec.as_ref()).unwrap())
        .collect();
    Output {
        format,
        colour,
        envelope: None,
        selection: Selection::default(),
        targets,
    }
}

#[test]
fn each_command_has_its_defaults() {
    let outputs = vec![output(Format::Json, false, &["-"])];
    let filter = Filter::default();
    let kernel = |ring_size| KernelSettings {
        record: None,
        hooks: HookOverrides::default(),
        ring_size,
        max_sockets: 131_072,
        sandbox: true,
        rehearsal: Rehearsal::default(),
    };
    assert_eq!(
        settings("run"),
        Settings::Run(RunSettings {
            leak_after: Duration::from_mins(1),
            max_lines_per_process: 20,
            keep: None,
            filter: filter.clone(),
            outputs: outputs.clone(),
            metrics: None,
            kernel: kernel(4 << 20),
        })
    );
    assert_eq!(
        settings("trace"),
        Settings::Trace(TraceSettings {
            filter: filter.clone(),
            outputs: outputs.clone(),
            kernel: kernel(8 << 20),
        })
    );
    assert_eq!(
        settings("scan"),
        Settings::Scan(ScanSettings {
            by: Vec::new(),
            filter: filter.clone(),
            outputs: outputs.clone()
        })
    );
    assert_eq!(
        settings("doctor"),
        Settings::Doctor(DoctorSettings {
            outputs: outputs.clone()
        })
    );
    assert_eq!(
        settings("replay x.rec"),
        Settings::Replay(ReplaySettings {
            file: "x.rec".into(),
            leak_after: None,
            max_sockets: 131_072,
            max_lines_per_process: 20,
            keep: None,
            filter,
            outputs,
        })
    );
}

#[test]
fn durations_and_sizes_are_taken_over() {
    assert_eq!(
        run("run --leak-after 10ms").leak_after,
        Duration::from_millis(10)
    );
    assert_eq!(
        run("run --leak-after=1h30m").leak_after,
        Duration::from_mins(90)
    );
    assert_eq!(
        run("run --leak-after 365d").leak_after,
        Duration::from_hours(8760)
    );
    assert_eq!(run("run --ring-size 4096").kernel.ring_size, 4096);
    assert_eq!(run("run --ring-size 1GiB").kernel.ring_size, 1 << 30);
    assert_eq!(run("run --max-sockets 1").kernel.max_sockets, 1);
    let Settings::Replay(replay) = settings("replay --leak-after 1s x") else {
        panic!()
    };
    assert_eq!(replay.leak_after, Some(Duration::from_secs(1)));
}

#[test]
fn a_ring_is_no_smaller_than_a_page() {
    let huge = Environment {
        page_size: 16 << 20,
        ..environment()
    };
    let Settings::Run(run) = parse(words("run"), &huge).unwrap() else {
        panic!()
    };
    assert_eq!(run.kernel.ring_size, 16 << 20);
}

#[test]
fn hooks_and_recording_are_taken_over() {
    let kernel = run("run --record a.rec --hooks state=tracepoint,io=none").kernel;
    assert_eq!(kernel.record, Some("a.rec".into()));
    assert_eq!(kernel.hooks.state, Some(StateHook::Tracepoint));
    assert_eq!(kernel.hooks.io, Some(IoHook::None));
    assert_eq!(kernel.hooks.release, None);
}

#[test]
fn filters_are_repeated_or_listed() {
    let check = |line: &str, expected: Filter| assert_eq!(run(line).filter, expected, "{line}");
    let all = Filter::default;
    let both = Filter {
        pids: vec![Tgid(1), Tgid(2)],
        ..all()
    };
    check("run --pid 1,2", both.clone());
    check("run --pid 1 --pid 2", both);
    let comms = [b"orders".as_slice(), b"nginx"]
        .map(Comm::from_bytes)
        .to_vec();
    check("run --comm orders,nginx", Filter { comms, ..all() });
    check(
        "run --cgroup /a/",
        Filter {
            cgroups: vec![b"/a".to_vec()],
            ..all()
        },
    );
    check(
        "run --port 80,8080",
        Filter {
            ports: vec![80, 8080],
            ..all()
        },
    );
    check(
        "run --family 4,ipv6",
        Filter {
            families: vec![Family::V4, Family::V6],
            ..all()
        },
    );
    let states = vec![TcpState::CloseWait, TcpState::Close];
    check("run --state close-wait,CLOSED", Filter { states, ..all() });
    let kinds = vec![Kind::CloseWait, Kind::Unaccepted];
    check(
        "run --kind close_wait,unaccepted",
        Filter { kinds, ..all() },
    );
    check(
        "run --netns 10,blue,/proc/812/ns/net",
        Filter {
            netns: vec![10, 11, 12],
            ..all()
        },
    );
}

#[test]
fn filters_that_can_match_are_taken() {
    for line in [
        "run --state CLOSE_WAIT,ESTABLISHED",
        "run --kind close_wait,closed_held --state CLOSE",
        "run --kind unaccepted --state CLOSE_WAIT",
        "scan --kind half_closed --state FIN_WAIT2",
        "trace --state ESTABLISHED",
        "trace --kind closed_held",
    ] {
        settings(line);
    }
}

#[test]
fn names_need_not_be_utf8() {
    let arguments = [
        b"socktrace".to_vec(),
        b"run".to_vec(),
        b"--comm".to_vec(),
        b"a\xff".to_vec(),
    ];
    let settings = parse(arguments.map(OsString::from_vec), &environment()).unwrap();
    let Settings::Run(run) = settings else {
        panic!()
    };
    assert_eq!(run.filter.comms, [Comm::from_bytes(b"a\xff")]);
}

#[test]
fn the_format_follows_the_terminal_and_the_flag() {
    use Format::{Json, Text};
    let check = |line, terminal, expected: &[Output]| {
        assert_eq!(outputs(line, terminal, false), expected, "{line}");
    };
    check("run", true, &[output(Text, true, &["-"])]);
    check("run", false, &[output(Json, false, &["-"])]);
    check("run --format text", false, &[output(Text, false, &["-"])]);
    check("run --format json", true, &[output(Json, false, &["-"])]);
    check(
        "run --output a.json",
        true,
        &[output(Json, false, &["a.json"])],
    );
    check(
        "run --output a --output b",
        true,
        &[output(Json, false, &["a", "b"])],
    );
    let both = [output(Text, true, &["-"]), output(Json, false, &["a"])];
    check("run --output - --output a", true, &both);
    check(
        "run --output - --output a",
        false,
        &[output(Json, false, &["-", "a"])],
    );
    let texts = [output(Text, true, &["-"]), output(Text, false, &["a"])];
    check("run --output - --output a --format text", true, &texts);
    check("doctor", true, &[output(Text, true, &["-"])]);
}

#[test]
fn targets_with_the_same_lines_share_a_stream() {
    use Format::{Cef, Json};
    let line = "run --output a --output file:///b?actions=socket.leak --output file:///c?format=json \
                --output file:///d?actions=socket.leak --output syslog://?format=cef";
    let streams = outputs(line, false, false);
    let names: Vec<Vec<String>> = streams
        .iter()
        .map(|stream| stream.targets.iter().map(Target::name).collect())
        .collect();
    assert_eq!(
        names,
        [vec!["a", "/c"], vec!["/b", "/d"], vec!["syslog:///dev/log"]]
    );
    let formats: Vec<_> = streams.iter().map(|stream| stream.format).collect();
    assert_eq!(formats, [Json, Json, Cef]);
    // An output's own format goes before the flag.
    let streams = outputs(
        "run --format cef --output a --output file:///b?format=json",
        true,
        false,
    );
    let formats: Vec<_> = streams.iter().map(|stream| stream.format).collect();
    assert_eq!(formats, [Cef, Json]);
}

#[test]
fn colour_follows_the_terminal_the_environment_and_the_flag() {
    let check = |line, terminal, no_color, expected: bool| {
        let outputs = outputs(line, terminal, no_color);
        assert_eq!(outputs[0].colour, expected, "{line} {terminal} {no_color}");
    };
    check("run", true, false, true);
    check("run", true, true, false);
    check("run --format text", false, false, false);
    check("run --format text --color always", false, true, true);
    check("run --color never", true, false, false);
    check("run --color auto", true, false, true);
    check("run --format json --color always", true, false, false);
}

#[test]
fn groups_have_the_names_of_the_flag() {
    use GroupBy::{Container, Kind, Listener, Peer, Process, State};
    for by in [Process, Peer, State, Kind, Listener, Container] {
        let Settings::Scan(scan) = settings(&format!("scan --by {}", by.name())) else {
            panic!()
        };
        assert_eq!(scan.by, [by]);
    }
    let Settings::Scan(scan) = settings("scan --by process,state --by peer") else {
        panic!()
    };
    assert_eq!(scan.by, [Process, State, Peer]);
}

#[cfg(feature = "history")]
#[test]
fn a_history_is_kept_where_a_file_is_given() {
    let keep = run("run --history /tmp/h.db --history-size 8MiB --history-age 1d")
        .keep
        .unwrap();
    assert_eq!(keep.file.to_str(), Some("/tmp/h.db"));
    assert_eq!((keep.size, keep.age), (8 << 20, Duration::from_hours(24)));
    let Settings::History(history) = settings("history") else {
        panic!()
    };
    assert_eq!(history.file.to_str(), Some("/var/lib/socktrace/history.db"));
    assert_eq!(history.since, Moment::Ago(Duration::from_hours(24)));
    assert_eq!((history.until, history.by), (None, None));
    assert_eq!(history.format, AnswerFormat::Json);
    for (line, words) in [
        ("run --history a --history-size 1MiB", "8MiB"),
        ("history --by minute --port 80", "--port"),
        ("history --since yesterday", "2026-11-22"),
        ("history --format ocsf", "csv"),
    ] {
        let error = mistake(line).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[cfg(not(feature = "history"))]
#[test]
fn without_the_feature_it_is_said_that_no_history_is_kept() {
    for line in ["run --history a", "replay --history a b", "history"] {
        assert!(mistake(line).to_string().contains("feature `history`"));
    }
}
