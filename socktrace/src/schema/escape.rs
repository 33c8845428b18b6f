//! Untrusted bytes to text that can forge neither a line nor a terminal code.
//!
//! Process names, command lines and paths are bytes their owners chose. Everything that a terminal, a
//! log shipper or an editor could act on is written as a backslash escape; a backslash is doubled, so
//! that the text can be turned back into the bytes and no two names look the same.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text for `bytes`, borrowed where nothing had to be escaped.
///
/// | bytes | text |
/// | --- | --- |
/// | `\` | `\\` |
/// | newline, carriage return, tab | `\n`, `\r`, `\t` |
/// | other C0 controls, DEL, bytes that are not UTF-8 | `\x1b` |
/// | C1 controls, U+2028, U+2029, bidirectional controls | `\u{85}` |
#[must_use]
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if let Some(text) = plain(bytes) {
        return Cow::Borrowed(text);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(must_escape) => Cow::Borrowed(text),
        _ => {
            let mut out = String::with_capacity(bytes.len() + 16);
            escape_each(bytes, &mut out);
            Cow::Owned(out)
        }
    }
}

/// Appends what [`escape`] returns to `out`.
pub fn escape_into(bytes: &[u8], out: &mut String) {
    if let Some(text) = plain(bytes) {
        return out.push_str(text);
    }
    escape_each(bytes, out);
}

fn escape_each(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push(c, out);
        }
        for byte in chunk.invalid() {
            push_byte(*byte, out);
        }
    }
}

fn push(c: char, out: &mut String) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if !must_escape(c) => out.push(c),
        c => match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() => push_byte(byte, out),
            // A code point above ASCII is not the byte of the same number: another notation.
            _ => infallible(write!(out, "\\u{{{:x}}}", u32::from(c))),
        },
    }
}

fn push_byte(byte: u8, out: &mut String) {
    infallible(write!(out, "\\x{byte:02x}"));
}

/// Writing to a `String` cannot fail: its `write_str` always returns `Ok`.
fn infallible(result: std::fmt::Result) {
    debug_assert!(result.is_ok(), "a String takes everything");
}

/// The bytes as text, if they are printable ASCII without what must be escaped, as most names are. Many of them are
/// looked at at a time.
fn plain(bytes: &[u8]) -> Option<&str> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'[' | b']'..=b'~');
    let all = bytes
        .iter()
        .fold(true, |plain, byte| plain & is_plain(*byte));
    if !all {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

fn must_escape(c: char) -> bool {
    // `char::is_control` is Unicode's category Cc: C0, DEL and C1.
    c == '\\' || c.is_control() || is_line_separator(c) || is_bidi_control(c)
}

/// Line breaks that are not controls: editors and JavaScript end a line there.
fn is_line_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Unicode's property `Bidi_Control`: it makes a terminal show text in another order than it is in.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], text: &str) {
        assert_eq!(escape(bytes), text);
    }

    #[test]
    fn plain_text_is_borrowed() {
        for text in [
            "",
            "orders",
            "tokio-runtime-w",
            "Web Content",
            "Ünïcödé",
            "日本",
            "a\"b'c",
        ] {
            assert!(matches!(escape(text.as_bytes()), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn controls_and_invalid_bytes_are_escaped() {
        check(b"a\nb\rc\td", r"a\nb\rc\td");
        check(b"\x00\x01\x1b[31m\x7f", r"\x00\x01\x1b[31m\x7f");
        check(
            "\u{80}\u{85}\u{9b}\u{9f}".as_bytes(),
            r"\u{80}\u{85}\u{9b}\u{9f}",
        );
        check(b"\xff\xc3", r"\xff\xc3");
        check(b"\x9b31m", r"\x9b31m");
        check("\u{2028}\u{2029}".as_bytes(), r"\u{2028}\u{2029}");
        check(
            "a\u{202e}b\u{2066}c\u{200f}\u{61c}".as_bytes(),
            r"a\u{202e}b\u{2066}c\u{200f}\u{61c}",
        );
        check(b"\\", r"\\");
        check(br"\n", r"\\n");
        check(b"\xe2\x82", r"\xe2\x82");
        check("\u{a0}\u{ad}".as_bytes(), "\u{a0}\u{ad}");
    }

    /// The bytes that `escape` made `text` of.
    fn unescape(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some((plain, after)) = rest.split_once('\\') {
            out.extend_from_slice(plain.as_bytes());
            let (len, bytes) = match after.as_bytes()[0] {
                b'\\' => (1, b"\\".to_vec()),
                b'n' => (1, b"\n".to_vec()),
                b'r' => (1, b"\r".to_vec()),
                b't' => (1, b"\t".to_vec()),
                b'x' => (3, vec![u8::from_str_radix(&after[1..3], 16).unwrap()]),
                _ => {
                    let end = after.find('}').unwrap();
                    let code = u32::from_str_radix(&after[2..end], 16).unwrap();
                    (
                        end + 1,
                        char::from_u32(code).unwrap().to_string().into_bytes(),
                    )
                }
            };
            out.extend_from_slice(&bytes);
            rest = &after[len..];
        }
        out.extend_from_slice(rest.as_bytes());
        out
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = escape(&bytes);
            prop_assert!(!text.chars().any(|c| c != '\\' && must_escape(c)));
        }

        #[test]
        fn the_bytes_can_be_had_back(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(unescape(&escape(&bytes)), bytes);
        }

        #[test]
        fn the_text_can_be_had_back(text in any::<String>()) {
            prop_assert_eq!(unescape(&escape(text.as_bytes())), text.into_bytes());
        }
    }
}
