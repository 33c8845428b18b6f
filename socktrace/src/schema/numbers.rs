//! Numbers and addresses as text, for lines of which there may be a hundred thousand.

use std::net::{Ipv4Addr, SocketAddr};

use super::words::push;

/// Appends an address and its port.
pub(super) fn push_addr(out: &mut String, addr: SocketAddr) {
    let SocketAddr::V4(v4) = addr else {
        return push(out, format_args!("{addr}"));
    };
    out.push_str(Ipv4Text::new(*v4.ip()).as_str());
    out.push(':');
    push_number(out, v4.port().into());
}

/// The text of an IPv4 address, without memory for it and without what formatting is for.
pub(super) struct Ipv4Text {
    /// `255.255.255.255`
    text: [u8; 15],
    len: usize,
}

impl Ipv4Text {
    /// Of this address.
    pub(super) fn new(ip: Ipv4Addr) -> Self {
        let mut made = Self {
            text: [0; 15],
            len: 0,
        };
        let mut separator = false;
        for octet in ip.octets() {
            if separator {
                made.push(b'.');
            }
            separator = true;
            if octet >= 100 {
                made.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                made.push(b'0' + octet / 10 % 10);
            }
            made.push(b'0' + octet % 10);
        }
        made
    }

    /// It.
    pub(super) fn as_str(&self) -> &str {
        let text = self.text.get(..self.len).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(to) = self.text.get_mut(self.len) {
            *to = byte;
            self.len += 1;
        }
    }
}

/// The decimal digits of a number, without memory for them: what formatting is for does not come for nothing a hundred
/// thousand times.
pub(super) struct Digits {
    text: [u8; 20],
    begin: usize,
}

impl Digits {
    /// Of this number.
    pub(super) fn new(number: u64) -> Self {
        let mut text = [b'0'; 20];
        let mut begin = text.len();
        let mut rest = number;
        for digit in text.iter_mut().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            begin -= 1;
            if rest == 0 {
                break;
            }
        }
        Self { text, begin }
    }

    /// Them.
    pub(super) fn as_str(&self) -> &str {
        let text = self.text.get(self.begin..).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }
}

/// Appends a number.
pub(super) fn push_number(out: &mut String, number: u32) {
    out.push_str(Digits::new(number.into()).as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses_are_written_as_they_display() {
        for number in [0, 1, 9, 10, 19, 100, 65_535, u32::MAX] {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string());
        }
        for addr in [
            "0.0.0.0:0",
            "127.0.0.1:80",
            "255.200.10.9:65535",
            "[::1]:443",
        ] {
            let mut out = String::new();
            push_addr(&mut out, addr.parse().unwrap());
            assert_eq!(out, addr);
        }
    }
}
