//! Names of destinations.

use super::*;
use crate::model::Kind;
use crate::schema::Severity;

fn plain(path: &OsStr) -> Target {
    Target::File(FileTarget {
        path: path.into(),
        rotation: Rotation::default(),
    })
}

#[test]
fn a_dash_is_standard_output_and_a_path_is_a_file() {
    assert_eq!(Target::parse("-".as_ref()), Ok(Target::Stdout));
    for path in [
        "out.json",
        "/var/log/socktrace.json",
        "./-",
        "./tcp://x",
        "a:b",
        "://x",
        "1x://y",
    ] {
        assert_eq!(Target::parse(path.as_ref()), Ok(plain(path.as_ref())));
    }
    let bytes = OsStr::from_bytes(b"/tmp/\xff");
    assert_eq!(Target::parse(bytes), Ok(plain(bytes)));
}

#[test]
fn a_file_may_be_rotated() {
    let check = |spec: &str, path: &str, rotation| {
        let path = path.into();
        let file = FileTarget { path, rotation };
        assert_eq!(
            Target::parse(spec.as_ref()),
            Ok(Target::File(file)),
            "{spec}"
        );
    };
    let none = Rotation::default();
    check("file:///a/b.json", "/a/b.json", none);
    check("file:///a%20b", "/a b", none);
    check(
        "file:///a?rotate-size=10MiB&rotate-age=24h&keep=7&compress=gzip",
        "/a",
        Rotation {
            size: Some(10 << 20),
            age: Some(Duration::from_hours(24)),
            keep: Some(7),
            compress: true,
        },
    );
    check(
        "file:///a?rotate-size=4096",
        "/a",
        Rotation {
            size: Some(4096),
            ..none
        },
    );
}

#[test]
fn syslog_is_reached_in_several_ways() {
    let check = |spec: &str, wire, name: &str| {
        let target = Target::parse(spec.as_ref()).unwrap();
        assert_eq!(target.name(), name);
        let Target::Syslog(syslog) = target else {
            panic!("{target:?}");
        };
        assert_eq!(syslog.wire, wire, "{spec}");
    };
    let local = || Wire::Unix("/dev/log".into());
    check("syslog://", local(), "syslog:///dev/log");
    check("syslog:///dev/log", local(), "syslog:///dev/log");
    let udp = Wire::Udp("10.0.0.1".to_owned(), 514);
    check("syslog+udp://10.0.0.1", udp, "syslog+udp://10.0.0.1:514");
    let tcp = Wire::Tcp("::1".to_owned(), 6000);
    check("syslog+tcp://[::1]:6000", tcp, "syslog+tcp://[::1]:6000");
    if cfg!(feature = "tls") {
        let tls = Wire::Tls("siem".to_owned(), 6514, TlsTarget::default());
        check("syslog+tls://siem", tls, "syslog+tls://siem:6514");
    }
    let target =
        Target::parse("syslog+tcp://h?facility=local3&app-name=leaks&enterprise=4711".as_ref());
    let target = target.unwrap();
    let envelope = target.envelope().unwrap();
    assert_eq!((&*envelope.app_name, envelope.enterprise), ("leaks", 4711));
}

#[test]
fn every_url_may_say_what_its_lines_are() {
    let options = |spec: &str| Destination::parse(spec.as_ref()).unwrap().options;
    for spec in [
        "-",
        "a.json",
        "file:///a?keep=1&rotate-size=1k",
        "stdout://",
    ] {
        assert_eq!(options(spec), StreamOptions::default(), "{spec}");
    }
    let query = "format=ocsf&actions=socket.leak,process.leak&min-severity=notice&kinds=close_wait,unaccepted";
    for spec in [
        "stdout://",
        "file:///a",
        "syslog://",
        "syslog+udp://h",
        "syslog+tcp://h",
    ] {
        let options = options(&format!("{spec}?{query}"));
        assert_eq!(options.format, Some(Format::Ocsf));
        let selection = options.selection;
        let actions: Vec<_> = selection
            .actions
            .iter()
            .map(|action| action.name())
            .collect();
        assert_eq!(actions, ["socket.leak", "process.leak"]);
        assert_eq!(selection.min_severity, Some(Severity::Notice));
        assert_eq!(selection.kinds, [Kind::CloseWait, Kind::Unaccepted]);
    }
    assert_eq!(options("stdout://?format=ecs").format, Some(Format::Json));
}

#[test]
fn a_url_that_cannot_be_meant_says_what_is_wrong() {
    for (spec, hint) in [
        ("gopher://host", "gopher is not supported"),
        ("syslog+tcp://", "no host"),
        ("syslog+udp://h/a", "a path"),
        ("syslog:///dev/log?facility=local9", "local0 to local7"),
        ("syslog:///dev/log?app-name=a%20b", "printable"),
        ("syslog+tcp://h?enterprise=x", "number"),
        ("syslog+tcp://h?spool=a", "absolute"),
        ("syslog+tcp://h?spool-size=9MiB", "needs spool"),
        ("syslog+tcp://h?spool=/a&spool-size=1MiB", "at least 8 MiB"),
        ("file://host/a", "a host"),
        ("file:///", "no path"),
        ("file:///a?size=1", "size is no option"),
        ("file:///a?rotate-size=x", "rotate-size"),
        ("file:///a?rotate-size=0", "at once"),
        ("file:///a?keep=3", "need rotate-size"),
        ("file:///a?rotate-size=1&rotate-size=2", "twice"),
        ("file:///a?compress=zip&rotate-size=1k", "gzip or none"),
        ("file:///a b", "is not a URL"),
        ("file:///a?format=xml", "the formats are"),
        ("file:///a?actions=socket.leek", "the actions are"),
        ("file:///a?actions=", "no such action"),
        ("file:///a?min-severity=error", "the severities are"),
        ("file:///a?kinds=closed", "the kinds are"),
        ("file:///a?kinds=close_wait,close_wait", "close_wait twice"),
        ("syslog://?format=text", "for people"),
        ("stdout://host", "a host"),
    ] {
        let error = Target::parse(spec.as_ref()).unwrap_err().to_string();
        assert!(error.starts_with(spec) && error.contains(hint), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    assert_eq!(Target::parse("".as_ref()), Err(TargetError::Empty));
    let error = Target::parse("syslog+tcp://u:hunter2@h".as_ref()).unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.contains("password-file") && !shown.contains("hunter2"),
        "{shown}"
    );
}
