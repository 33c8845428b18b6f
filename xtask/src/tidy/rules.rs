//! The rules. Each takes one file and returns what it finds wrong, as `path:line: what`.

use std::path::Path;

use super::source::{Source, Token, UsedPath};

/// A Rust file stays shorter than this many lines.
const MAX_LINES: usize = 400;

/// Modules of socktrace that do no I/O, read no clock and do not panic.
const PURE: [&str; 5] = ["decode", "incident", "model", "tracker", "verdict"];

/// What the pure modules may not name.
const IMPURE: [&str; 20] = [
    "std::fs",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::time::Instant",
    "std::time::SystemTime",
    "aya",
    "aya_log",
    "btfparse",
    "tokio",
    "serde",
    "serde_json",
    "libc",
    "anyhow",
];

/// Macros that print or panic.
const IMPURE_MACROS: [&str; 7] = [
    "panic",
    "unreachable",
    "print",
    "println",
    "eprint",
    "eprintln",
    "dbg",
];

/// Ends of paths that read a clock or sleep.
const CLOCKS: [&str; 6] = [
    "Instant::now",
    "SystemTime::now",
    "clock_gettime",
    "gettimeofday",
    "thread::sleep",
    "nanosleep",
];

/// Text that belongs nowhere in the tree: work put off, and the machine it was written on.
/// Taken apart so that this file passes its own rule.
const FORBIDDEN_TEXT: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("/wo", "rk/"),
    concat!("../sha", "red"),
    concat!("DEVELOP", "ERS"),
    concat!("/tmp", "/w/"),
];

/// Everything wrong with the file `name`, a path relative to the root of the tree.
pub(super) fn check(name: &Path, text: &str) -> Vec<String> {
    let mut found = forbidden_text(text);
    if name.extension().is_some_and(|extension| extension == "rs") {
        found.extend(too_long(text));
        match Source::parse(text) {
            Some(source) => found.extend(rust(name, text, &source)),
            None => found.push((1, "is no Rust".into())),
        }
    }
    found.sort();
    found
        .into_iter()
        .map(|(line, what)| format!("{}:{line}: {what}", name.display()))
        .collect()
}

/// A line, counted from 1, and what is wrong there.
type Found = Vec<(usize, String)>;

fn rust(name: &Path, text: &str, source: &Source) -> Found {
    let mut found = unfinished(source);
    found.extend(without_safety(text, source));
    if name.file_name().is_none_or(|file| file != "clock.rs") {
        found.extend(clocks(source));
    }
    if let Ok(module) = name.strip_prefix("socktrace/src") {
        let of_tests = is_test_file(module);
        let code: Vec<&UsedPath> = source
            .paths
            .iter()
            .filter(|path| !(path.in_test || of_tests))
            .collect();
        if PURE.iter().any(|pure| is_module(module, pure)) {
            found.extend(impure(&code));
            if !of_tests {
                found.extend(panics(&source.tokens));
            }
        } else {
            found.extend(misplaced(module, &code));
        }
    }
    found
}

fn too_long(text: &str) -> Found {
    let lines = text.lines().count();
    if lines < MAX_LINES {
        return Vec::new();
    }
    vec![(
        lines,
        format!("has {lines} lines; a file stays under {MAX_LINES}"),
    )]
}

fn forbidden_text(text: &str) -> Found {
    let in_line = |(index, line): (usize, &str)| {
        let word = FORBIDDEN_TEXT.iter().find(|word| line.contains(**word))?;
        Some((index + 1, format!("`{word}` belongs nowhere in the tree")))
    };
    text.lines().enumerate().filter_map(in_line).collect()
}

/// Stubs, ignored tests, and lint exceptions that nobody notices when they are no longer needed.
fn unfinished(source: &Source) -> Found {
    let mut found = Vec::new();
    for window in source.tokens.windows(3) {
        let [first, second, third] = window else {
            continue;
        };
        let line = first.line;
        match [
            first.text.as_str(),
            second.text.as_str(),
            third.text.as_str(),
        ] {
            [name @ ("todo" | "unimplemented"), "!", _] => {
                found.push((line, format!("`{name}!` is a stub")));
            }
            // Outer attributes, and the end of inner ones (`#![allow`).
            ["#" | "!", "[", "allow"] => {
                found.push((line, "`allow` hides; use `#[expect(…, reason = …)]`".into()));
            }
            ["#", "[", "ignore"] => found.push((line, "a test that is not run is no test".into())),
            _ => {}
        }
    }
    found
}

/// `unsafe` blocks and impls that no SAFETY comment stands above.
fn without_safety(text: &str, source: &Source) -> Found {
    let lines: Vec<&str> = text.lines().collect();
    let is_explained = |line: usize| {
        // The comment may stand before a statement that began some lines above the block.
        let above = lines.get(..line).unwrap_or_default().iter().rev();
        above
            .take_while(|line| !line.trim().is_empty())
            .take(12)
            .any(|line| line.contains("SAFETY:"))
    };
    let needs_it = |pair: &[Token]| matches!(pair, [first, second] if first.text == "unsafe" && (second.text == "{" || second.text == "impl"));
    source
        .tokens
        .windows(2)
        .filter(|pair| needs_it(pair))
        .filter_map(|pair| Some(pair.first()?.line))
        .filter(|line| !is_explained(*line))
        .map(|line| (line, "`unsafe` needs a SAFETY comment".into()))
        .collect()
}

fn clocks(source: &Source) -> Found {
    let reads = |path: &UsedPath| {
        CLOCKS.iter().any(|clock| {
            path.path
                .strip_suffix(clock)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
        })
    };
    source
        .paths
        .iter()
        .filter(|path| reads(path))
        .map(|path| {
            (
                path.line,
                format!(
                    "`{}`: time is read in clock.rs, and nothing sleeps",
                    path.path
                ),
            )
        })
        .collect()
}

fn impure(code: &[&UsedPath]) -> Found {
    code.iter()
        .filter(|path| IMPURE.iter().any(|impure| path.is_in(impure)))
        .map(|path| {
            (
                path.line,
                format!("`{}` in a module that is pure", path.path),
            )
        })
        .collect()
}

fn panics(tokens: &[Token]) -> Found {
    let mut found = Vec::new();
    for window in tokens
        .windows(3)
        .filter(|window| window.iter().all(|token| !token.in_test))
    {
        let [first, second, third] = window else {
            continue;
        };
        match [
            first.text.as_str(),
            second.text.as_str(),
            third.text.as_str(),
        ] {
            [
                ".",
                name @ ("unwrap" | "expect" | "unwrap_err" | "expect_err"),
                "(",
            ] => {
                found.push((
                    second.line,
                    format!("`.{name}()` can panic, in a module that must not"),
                ));
            }
            [name, "!", "(" | "[" | "{"] if IMPURE_MACROS.contains(&name) => {
                found.push((first.line, format!("`{name}!` in a module that is pure")));
            }
            _ => {}
        }
    }
    found
}

/// Crates that only one module knows.
fn misplaced(module: &Path, code: &[&UsedPath]) -> Found {
    let mut found = Vec::new();
    for path in code {
        let of_crate = path.path.split("::").next().unwrap_or_default();
        if matches!(of_crate, "aya" | "aya_log" | "aya_obj") && !is_module(module, "source/kernel")
        {
            found.push((
                path.line,
                format!("`{}`: only source/kernel names aya", path.path),
            ));
        }
        if matches!(of_crate, "serde" | "serde_json") && !is_module(module, "schema") {
            found.push((
                path.line,
                format!("`{}`: only schema names serde", path.path),
            ));
        }
    }
    found
}

/// Whether `file`, relative to `src`, is the module `name` or in it.
fn is_module(file: &Path, name: &str) -> bool {
    file.starts_with(name) || file.with_extension("") == Path::new(name)
}

/// Whether the whole file is the body of a `#[cfg(test)] mod`.
fn is_test_file(file: &Path) -> bool {
    file.with_extension("")
        .iter()
        .any(|part| part == "tests" || part == "testing")
}
