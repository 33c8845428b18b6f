use std::path::Path;

use super::rules;

/// Checks one file; `expect` has the line and a part of each complaint.
#[track_caller]
fn check(name: &str, text: &str, expect: &[(usize, &str)]) {
    let found = rules::check(Path::new(name), text);
    assert_eq!(found.len(), expect.len(), "{text:?} gives {found:#?}");
    for (complaint, (line, part)) in found.iter().zip(expect) {
        assert!(
            complaint.starts_with(&format!("{name}:{line}: ")),
            "{complaint} is not at line {line}"
        );
        assert!(
            complaint.contains(part),
            "{complaint} does not tell of {part}"
        );
    }
}

const PURE: &str = "socktrace/src/tracker/entry.rs";
const EDGE: &str = "socktrace/src/commands/run.rs";

#[test]
fn length_is_limited() {
    check("a/b.rs", &"//\n".repeat(399), &[]);
    check("a/b.rs", &"//\n".repeat(400), &[(400, "has 400 lines")]);
    check("a/b.py", &"#\n".repeat(4000), &[]);
}

#[test]
fn text_that_belongs_nowhere() {
    check(
        "README.md",
        concat!("fine\nTO", "DO: more"),
        &[(2, "belongs nowhere")],
    );
    check("a.rs", concat!("// FIX", "ME"), &[(1, "belongs nowhere")]);
    check(
        "a.rs",
        concat!("//! See /wo", "rk/x."),
        &[(1, "belongs nowhere")],
    );
    check(
        "a.toml",
        concat!("path = \"../sha", "red/x\""),
        &[(1, "belongs nowhere")],
    );
    check("a.md", "tests/workloads/c and frameworks/", &[]);
}

#[test]
fn stubs_and_silent_exceptions() {
    check("a.rs", "fn f() { unimplemented!() }", &[(1, "stub")]);
    check("a.rs", concat!("fn f() { to", "do!() }"), &[(1, "stub")]);
    check("a.rs", "#[allow(dead_code)]\nfn f() {}", &[(1, "expect")]);
    check("a.rs", "#![allow(dead_code)]", &[(1, "expect")]);
    check(
        "a.rs",
        "#[expect(dead_code, reason = \"r\")]\nfn f() {}",
        &[],
    );
    check("a.rs", "#[test]\n#[ignore]\nfn f() {}", &[(2, "not run")]);
    check(
        "a.rs",
        "#[test]\n#[ignore = \"slow\"]\nfn f() {}",
        &[(2, "not run")],
    );
    check(
        "a.rs",
        "// allow(x), unimplemented!() in a comment\nconst S: &str = \"#[allow(x)]\";",
        &[],
    );
}

#[test]
fn unsafe_needs_a_reason() {
    check("a.rs", "fn f() {\n    unsafe { g() }\n}", &[(2, "SAFETY")]);
    check(
        "a.rs",
        "fn f() {\n    // SAFETY: fine.\n    unsafe { g() }\n}",
        &[],
    );
    check(
        "a.rs",
        "fn f() {\n    // SAFETY: fine.\n    let x =\n        unsafe { g() };\n}",
        &[],
    );
    check(
        "a.rs",
        "fn f() {\n    // SAFETY: other.\n\n    unsafe { g() }\n}",
        &[(4, "SAFETY")],
    );
    check("a.rs", "unsafe impl Sync for T {}", &[(1, "SAFETY")]);
    check("a.rs", "unsafe extern \"C\" {}\nunsafe fn f() {}", &[]);
    check("a.rs", "// the word unsafe { alone }", &[]);
}

#[test]
fn clocks_are_read_in_one_place() {
    check(
        EDGE,
        "fn f() { std::time::Instant::now(); }",
        &[(1, "clock.rs")],
    );
    check(
        EDGE,
        "use std::time::*;\nfn f() { SystemTime::now(); }",
        &[(2, "clock.rs")],
    );
    check(
        EDGE,
        "fn f() { libc::clock_gettime(0, p); }",
        &[(1, "clock.rs")],
    );
    check(
        "tests/kernel/a.rs",
        "fn f() { std::thread::sleep(d); }",
        &[(1, "sleeps")],
    );
    check(
        "xtask/src/a.rs",
        "use std::thread::{self, sleep};",
        &[(1, "sleeps")],
    );
    check("socktrace/src/clock.rs", "fn f() { Instant::now(); }", &[]);
    check(EDGE, "fn f(now: Instant) { clock.now(); }", &[]);
}

#[test]
fn pure_modules_stay_pure() {
    check(PURE, "use std::fs;", &[(1, "std::fs")]);
    check(
        PURE,
        "use std::{collections::HashMap, io::{self, Write as _}};",
        &[(1, "`std::io::Write`"), (1, "`std::io`")],
    );
    check(PURE, "fn f(x: std::net::TcpStream) {}", &[(1, "TcpStream")]);
    check(PURE, "use std::net::{IpAddr, SocketAddr};", &[]);
    check(PURE, "use std::time::Duration;", &[]);
    check(
        PURE,
        "use std::time::{Duration,\n    Instant};",
        &[(2, "Instant")],
    );
    check(
        PURE,
        "#[derive(serde::Serialize)]\nstruct S;",
        &[(1, "serde")],
    );
    check(PURE, "use tokio::sync::mpsc;", &[(1, "tokio")]);
    check(PURE, "fn f() { libc::getpid(); }", &[(1, "libc")]);
    check(PURE, "use aya::Ebpf;", &[(1, "aya")]);
    check(
        "socktrace/src/decode/mod.rs",
        "use std::fs;",
        &[(1, "pure")],
    );
    check("socktrace/src/model.rs", "use std::fs;", &[(1, "pure")]);
    check(
        "socktrace/src/verdict/a/b.rs",
        "use std::fs;",
        &[(1, "pure")],
    );
    check(EDGE, "use std::fs;", &[]);
}

#[test]
fn pure_modules_do_not_panic() {
    check(PURE, "fn f() { x.unwrap(); }", &[(1, "unwrap")]);
    check(
        PURE,
        "fn f() {\n    x\n        .expect(\"y\");\n}",
        &[(3, "expect")],
    );
    check(PURE, "fn f() { panic!(\"x\") }", &[(1, "panic!")]);
    check(PURE, "fn f() { unreachable!() }", &[(1, "unreachable!")]);
    check(
        PURE,
        "fn f() { println!(\"{}\", x.unwrap()) }",
        &[(1, "unwrap"), (1, "println!")],
    );
    check(
        PURE,
        "fn f() { x.unwrap_or(0); x.unwrap_or_default(); }",
        &[],
    );
    check(PURE, "#[expect(lint, reason = \"r\")]\nfn f() {}", &[]);
    check(EDGE, "fn f() { x.unwrap(); }", &[]);
}

#[test]
fn tests_of_pure_modules_are_free() {
    check(
        PURE,
        "#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn f() { x.unwrap(); }\n}",
        &[],
    );
    check(
        PURE,
        "#[cfg(test)]\nuse std::fs;\nuse std::io;",
        &[(3, "std::io")],
    );
    check(
        PURE,
        "#[cfg(test)]\nmod tests {}\nfn f() { x.unwrap(); }",
        &[(3, "unwrap")],
    );
    check(
        PURE,
        "#[cfg(test)]\n#[expect(x, reason = \"r\")]\nfn f() { x.unwrap(); }",
        &[],
    );
    check(
        PURE,
        "#[cfg(not(test))]\nfn f() { x.unwrap(); }",
        &[(2, "unwrap")],
    );
    check(
        "socktrace/src/tracker/tests/close_wait.rs",
        "fn f() { x.unwrap(); }",
        &[],
    );
    check("socktrace/src/tracker/tests.rs", "use std::fs;", &[]);
}

#[test]
fn crates_stay_in_their_module() {
    check(EDGE, "use aya::Ebpf;", &[(1, "only source/kernel")]);
    check(
        "socktrace/src/source/mod.rs",
        "fn f() { aya_log::init(); }",
        &[(1, "only source/kernel")],
    );
    check("socktrace/src/source/kernel/load.rs", "use aya::Ebpf;", &[]);
    check("socktrace/src/source/kernel.rs", "use aya::Ebpf;", &[]);
    check("socktrace-ebpf/src/main.rs", "use aya_ebpf::maps;", &[]);
    check(EDGE, "use serde_json::Value;", &[(1, "only schema")]);
    check(
        "socktrace/src/schema/finding.rs",
        "use serde::Serialize;",
        &[],
    );
    check(EDGE, "use crate::schema::serde;", &[]);
    check(
        EDGE,
        "#[cfg(test)]\nmod tests {\n    use serde_json::Value;\n}",
        &[],
    );
}
