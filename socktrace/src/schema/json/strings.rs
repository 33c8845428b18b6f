//! The text of strings in JSON.

use std::fmt;

/// Text of a time, a UUID or an address.
pub(super) struct Short {
    text: [u8; 64],
    len: usize,
}

impl Default for Short {
    fn default() -> Self {
        Self {
            text: [0; 64],
            len: 0,
        }
    }
}

impl Short {
    /// It.
    pub(super) fn text(&self) -> &str {
        let text = self.text.get(..self.len).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let to = self.text.get_mut(self.len..end).ok_or(fmt::Error)?;
        to.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Appends the text between the quotes of a string (RFC 8259, section 7).
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let plain = plain(rest);
        let (before, after) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        out.extend_from_slice(before);
        let Some((byte, after)) = after.split_first() else {
            return;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            control => {
                let digit = |value: u8| b"0123456789abcdef".get(usize::from(value)).copied();
                out.extend_from_slice(b"\\u00");
                out.extend(digit(control >> 4));
                out.extend(digit(control & 0xf));
            }
        }
        rest = after;
    }
}

/// How many bytes at the beginning stand for themselves.
fn plain(text: &[u8]) -> usize {
    /// Eight times this byte.
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    /// The highest bit of each byte that is 0; above the lowest such byte it may be set wrongly.
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(each(1)) & !word & each(0x80)
    }
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // Below 0x20, in bytes whose highest bit is not set.
        let controls = word.wrapping_sub(each(0x20)) & !word & each(0x80);
        let found = controls | zeros(word ^ each(b'"')) | zeros(word ^ each(b'\\'));
        if found != 0 {
            return 8 * index + (found.trailing_zeros() / 8) as usize;
        }
    }
    let is_plain = |byte: &&u8| **byte >= 0x20 && !matches!(**byte, b'"' | b'\\');
    8 * words.len() + rest.iter().take_while(is_plain).count()
}
