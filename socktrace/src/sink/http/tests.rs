use std::time::Duration;

use super::client::Answer;
use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        retry_after: Some(Duration::from_secs(7)),
        content_type: "text/plain".to_owned(),
        body: body.as_bytes().to_vec(),
        broken: None,
    }
}

#[test]
fn a_status_says_what_becomes_of_all_lines() {
    for status in [200, 202, 204] {
        assert_eq!(Verdict::of_status(&answer(status, ""), 3), Verdict::TAKEN);
    }
    for status in [400, 406, 411, 415, 422] {
        let verdict = Verdict::of_status(&answer(status, ""), 3);
        assert!(
            matches!(verdict, Verdict::Taken { lost: 3, .. }),
            "{status}"
        );
    }
    for status in [
        401, 403, 404, 405, 408, 410, 429, 500, 501, 502, 503, 504, 599,
    ] {
        let verdict = Verdict::of_status(&answer(status, ""), 3);
        let Verdict::Later { after, .. } = verdict else {
            panic!("{status}: {verdict:?}");
        };
        assert_eq!(after, Some(Duration::from_secs(7)));
    }
    let large = Verdict::of_status(&answer(413, ""), 3);
    assert!(matches!(large, Verdict::Smaller { for_good: true, .. }));
    let moved = Verdict::of_status(&answer(301, ""), 3);
    assert!(matches!(moved, Verdict::Later { after: None, .. }));
}

/// What a counterpart says is shown on one line, and not much of it.
#[test]
fn words_of_others_are_escaped_and_short() {
    let check = |body: &str, expected: &str| {
        assert_eq!(verdict::complaint(&answer(503, body)), expected);
    };
    check("", "it answered 503 Service Unavailable");
    check(
        " over\nload\x1b[0m\n",
        "it answered 503 Service Unavailable: over\\nload\\x1b[0m",
    );
    let long = verdict::complaint(&answer(503, &"x".repeat(10_000)));
    assert!(long.len() < 220 && long.ends_with('…'), "{long}");
    let mut page = answer(503, "<html>");
    page.content_type = "text/html".to_owned();
    let told = verdict::complaint(&page);
    assert_eq!(told, "it answered 503 Service Unavailable");
}

#[test]
fn lines_are_chosen_by_number() {
    let check = |numbers: &[usize], expected: &str| {
        assert_eq!(chosen(b"a\nb\nc\n", numbers), expected.as_bytes());
    };
    check(&[], "");
    check(&[0, 2], "a\nc\n");
    check(&[1], "b\n");
    check(&[0, 1, 2, 3], "a\nb\nc\n");
}
