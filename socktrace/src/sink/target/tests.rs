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

#[test]
fn brokers_servers_and_the_journal_have_names() {
    let check = |spec: &str, name: &str| {
        let target = Target::parse(spec.as_ref()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(target.name(), name, "{spec}");
        assert_eq!(target.default_format(), Some(Format::Json));
    };
    check("journald://", "journald:///run/systemd/journal/socket");
    check("journald:///a/b?identifier=x", "journald:///a/b");
    if cfg!(feature = "kafka") {
        check("kafka://a/leaks", "kafka://a:9092/leaks");
        check(
            "kafka://a:1,[::1]:2,c/leaks",
            "kafka://a:1,[::1]:2,c:9092/leaks",
        );
    }
    if cfg!(feature = "nats") {
        let spec = "nats://a,b:7/leaks.{action}";
        check(spec, "nats://a:4222,b:7/leaks.{action}");
        let Ok(Target::Nats(nats)) = Target::parse(spec.as_ref()) else {
            panic!("{spec}");
        };
        assert_eq!(nats.subject_of("socket.leak"), "leaks.socket.leak");
    }
    for (spec, hint) in [
        ("syslog+tcp://a,b", "several hosts"),
        ("journald://host/a", "a host"),
        ("kafka://a", "no topic"),
        ("kafka://a/b/c", "a topic has"),
        ("kafka://a/b?sasl=plain", "belong together"),
        ("kafka://a:0/b", "0 is no port"),
        ("kafka://a,:9/b", "no host"),
        ("kafka://a/b?password=x", "seen by everybody"),
        ("kafka://a/b?tls=false&ca=/c", "need tls=true"),
        ("kafka://a/b?tls=yes", "true or false"),
        ("nats://a", "no subject"),
        ("nats://a/b.*", "a subject is"),
        ("nats://a/b..c", "a subject is"),
        ("nats://a/$JS.API", "a subject is"),
        ("nats://a/b?user=u", "user and password-file"),
        ("kafka://a/b?format=text", "text is for people"),
    ] {
        let error = Destination::parse(spec.as_ref()).unwrap_err().to_string();
        let lacks = error.contains("built without it");
        assert!(error.contains(hint) || lacks, "{spec}: {error}");
    }
}
