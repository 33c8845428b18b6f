//! Headers of RFC 5424 before lines that go to syslog.

use std::process;

use super::moments::wall;
use super::selection::Severity;
use super::words::push;
use crate::model::{BootTime, Host};

/// What headers say beyond the event itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    /// What kind of program speaks.
    pub facility: Facility,
    /// `APP-NAME`: 1 to 48 printable ASCII characters.
    pub app_name: String,
    /// Private enterprise number after which the structured data is named.
    pub enterprise: u32,
}

/// `facility` (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facility(u8);

/// Names as syslog.conf(5) has them; the local ones begin at 16.
const FACILITIES: [(&str, u8); 7] = [
    ("kern", 0),
    ("user", 1),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("authpriv", 10),
    ("audit", 13),
];
const LOCAL0: u8 = 16;

/// The number that RFC 5612 sets aside for documentation: users with a number of their own give it.
const EXAMPLE_ENTERPRISE: u32 = 32473;

/// What the header of one line says of its event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label<'a> {
    pub(super) at: BootTime,
    pub(super) severity: Severity,
    /// The native format's `event.action`: `MSGID`.
    pub(super) action: &'static str,
    pub(super) sequence: u64,
    /// Further parameters, their values being names of ours.
    pub(super) more: &'a [(&'static str, &'static str)],
}

impl Default for Envelope {
    fn default() -> Self {
        Self {
            facility: Facility(3),
            app_name: "socktrace".to_owned(),
            enterprise: EXAMPLE_ENTERPRISE,
        }
    }
}

impl Facility {
    /// The facility of that name.
    ///
    /// # Errors
    ///
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let local = name
            .strip_prefix("local")
            .and_then(|digit| digit.parse::<u8>().ok())
            .filter(|digit| *digit < 8)
            .map(|digit| LOCAL0 + digit);
        let known = FACILITIES.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, number)| *number)
            .or(local)
            .map(Self)
            .ok_or_else(|| {
                let names = FACILITIES.map(|(name, _)| name).join(", ");
                format!("the facilities are {names}, local0 to local7")
            })
    }
}

impl Envelope {
    /// `text` as an `APP-NAME`.
    ///
    /// # Errors
    ///
    /// If it cannot be one.
    pub fn app_name(text: &str) -> Result<String, String> {
        if (1..=48).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(text.to_owned())
        } else {
            Err("it is 1 to 48 printable ASCII characters without spaces".to_owned())
        }
    }

    /// Appends the header of a line: `<28>1 TIME HOST APP PID MSGID [socktrace@32473 …] `.
    pub(super) fn begin(&self, host: &Host, label: Label<'_>, out: &mut Vec<u8>) {
        let Self {
            facility: Facility(facility),
            app_name,
            enterprise,
        } = self;
        let priority = facility * 8 + label.severity as u8;
        let time = humantime::format_rfc3339_micros(wall(host, label.at));
        let mut header = String::new();
        push(
            &mut header,
            format_args!(
                "<{priority}>1 {time} {} {app_name} {} {} [socktrace@{enterprise} sequence=\"{}\"",
                hostname(&host.name),
                process::id(),
                label.action,
                label.sequence
            ),
        );
        for (key, value) in label.more {
            push(&mut header, format_args!(" {key}=\"{value}\""));
        }
        header.push_str("] ");
        out.extend_from_slice(header.as_bytes());
    }
}

/// `HOSTNAME`: 1 to 255 printable ASCII characters, or `-`.
fn hostname(name: &str) -> &str {
    let fits = (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { name } else { "-" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facilities_have_names() {
        for (name, number) in [("daemon", 3), ("local0", 16), ("local7", 23), ("kern", 0)] {
            assert_eq!(Facility::named(name), Ok(Facility(number)));
        }
        for name in ["", "local8", "local", "Daemon", "local-1"] {
            assert!(
                Facility::named(name)
                    .unwrap_err()
                    .contains("local0 to local7")
            );
        }
    }

    #[test]
    fn names_that_would_break_the_header_are_left_out() {
        for (name, expected) in [
            ("db-7", "db-7"),
            ("", "-"),
            ("a b", "-"),
            ("a\nb", "-"),
            ("höst", "-"),
        ] {
            assert_eq!(hostname(name), expected);
        }
        assert!(hostname(&"x".repeat(256)) == "-");
        for name in ["", "a b", "ä"] {
            assert!(Envelope::app_name(name).is_err());
        }
    }
}
